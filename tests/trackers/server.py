"""Server: the fake tracker as a process. `python -m tests.trackers.server github`; it ends when its stdin does."""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import socket
import ssl
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.trackers.board import ACCOUNT, Board
from tests.trackers.faults import Fault, Faults
from tests.trackers.registry import SPEAKERS
from tests.trackers.sender import Sender
from tests.trackers.speakers.speaker import Speaker
from tests.trackers.wire import Reply, Request

__all__ = ["Tracker", "main"]


@dataclass
class Tracker:
    """Speaker, board and faults together: what one call does."""

    speaker: Speaker
    idempotent: bool
    conditional: bool
    board: Board = field(default_factory=Board)
    faults: Faults = field(default_factory=Faults)
    calls: dict[str, int] = field(default_factory=lambda: {"read": 0, "write": 0})
    meanwhile: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Card -> what a person does to it in the moment its next write arrives."""
    keys: list[str] = field(default_factory=list)
    """Every Idempotency-Key that came, in order."""
    _answered: dict[str, Reply] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.board.default_priority = self.speaker.default_priority
        self.sender = Sender(self.speaker, self.board)

    def access(self, method: str, path: str) -> str:
        """`read` or `write`."""
        reads = method in {"GET", "HEAD"} or path.endswith(("/search", "/search/jql", "/Session"))
        return "read" if reads else "write"

    def answer(self, request: Request) -> Reply:
        """Carry a call out, once per idempotency key where the tracker honours them."""
        key = request.headers.get("idempotency-key", "")
        writes = self.access(request.method, request.path) == "write"
        number = self.speaker.number(request)
        with self.board.lock:
            self.calls["write" if writes else "read"] += 1
            if writes and number in self.meanwhile:
                person = self.meanwhile.pop(number)
                self.board.edit(number, person["by"], person["edits"])
            if writes and key:
                self.keys.append(key)
            if writes and self.idempotent and key in self._answered:
                self.board.replayed(number or 0)
                return self._answered[key]
            reply = self._carried_out(request)
            if writes and key and reply.status < 300:
                self._answered[key] = reply
            return reply

    def _carried_out(self, request: Request) -> Reply:
        if not self.conditional:
            headers = {name: value for name, value in request.headers.items() if name != "if-match"}
            request = Request(**{**request.__dict__, "headers": headers})
        try:
            reply = self.speaker.api(request, self.board)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return Reply(400, {"message": f"{type(error).__name__}: {error}"})
        if not self.conditional:
            return Reply(reply.status, reply.value, {n: v for n, v in reply.headers.items() if n != "ETag"})
        return reply

    def control(self, verb: str, given: Any) -> Any:
        """What a test tells it."""
        return getattr(self, f"_do_{verb}")(given)

    def _do_create(self, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        with self.board.lock:
            cards = [self.board.create(**one) for one in given]
            return [{"number": card.number, "id": self.speaker.task_id(card)} for card in cards]

    def _do_edit(self, given: dict[str, Any]) -> list[str]:
        return sorted(self.board.edit(given["number"], given["by"], given["edits"]))

    def _do_faults(self, given: list[dict[str, Any]]) -> None:
        self.faults.plan(given)

    def _do_chances(self, given: dict[str, Any]) -> None:
        self.faults.chances(given["ratio"], seed=given["seed"], kinds=given["kinds"])

    def _do_meanwhile(self, given: dict[str, Any]) -> None:
        self.meanwhile[given["number"]] = given

    def _do_labels(self, given: list[str]) -> None:
        self.board.known_labels |= set(given)

    def _do_hooks(self, given: dict[str, Any]) -> None:
        self.sender.begin(given["urls"], given["secret"], attempts=given["attempts"])

    def _do_deliveries(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        """The delivery of each card's latest change."""
        with self.board.lock:
            latest = {change.number: change for change in self.board.changes}
            made = []
            for number in given["numbers"]:
                headers, body = self.speaker.delivery(latest[number], self.board.cards[number], given["secret"])
                made.append({"number": number, "headers": headers, "body": base64.b64encode(body).decode()})
            return made

    def _do_state(self, given: Any) -> dict[str, Any]:
        del given
        with self.board.lock:
            return {
                "cards": {str(number): asdict(card) for number, card in self.board.cards.items()},
                "raw_writes": {str(number): count for number, count in self.board.raw_writes.items()},
                "effective_writes": {str(number): count for number, count in self.board.effective_writes.items()},
                "overruled": self.board.overruled,
                "faults": self.faults.seen,
                "calls": self.calls,
                "keys": self.keys,
                "sent": self.sender.log,
            }


class _Handler(BaseHTTPRequestHandler):
    tracker: ClassVar[Tracker]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *arguments: Any) -> None:
        """Say nothing: the test asks for the state."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # a node killed between head and body has asked for nothing
            return self._cut()
        if parts.path.startswith("/_fake/"):
            value = self.tracker.control(parts.path.removeprefix("/_fake/"), json.loads(body or b"null"))
            return self._send(Reply(200, value))
        path = parts.path.removeprefix(self.tracker.speaker.prefix)
        headers = {name.lower(): value for name, value in self.headers.items()}
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        origin = f"{scheme}://{headers.get('host', '')}{self.tracker.speaker.prefix}"
        query = parse_qs(parts.query, keep_blank_values=True)
        request = Request(self.command, path, query, headers, body, ACCOUNT, origin)
        if path == parts.path and self.tracker.speaker.prefix:
            return self._send(Reply(404, {"message": "no API here"}))
        fault = self.tracker.faults.next(self.tracker.access(self.command, path))
        return self._faulty(fault, request) if fault else self._send(self.tracker.answer(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  # names of http.server

    def _faulty(self, fault: Fault, request: Request) -> None:
        if fault.kind == "drop":
            return self._cut()
        if fault.kind == "hang":
            time.sleep(fault.seconds)
            return self._cut()
        if fault.kind in {"cut", "late", "drip", "garbage"}:
            return self._late(fault, self.tracker.answer(request))
        if fault.kind == "redirect":
            return self._send(Reply(302, None, {"Location": fault.location}))
        if fault.kind == "huge":
            return self._send_bytes(200, {"Content-Type": "application/json"}, b"[" + b"0," * (32 << 20) + b"0]")
        retry = {} if fault.retry_after_s is None else {"Retry-After": f"{fault.retry_after_s:g}"}
        return self._send(Reply(int(fault.kind), {"message": "played by the fake"}, retry))

    def _late(self, fault: Fault, reply: Reply) -> None:
        if fault.kind == "cut":
            return self._cut()
        if fault.kind == "garbage":
            return self._send_bytes(200, {"Content-Type": "text/html"}, b"<html>log in first</html>")
        if fault.kind == "late":
            time.sleep(fault.seconds)
            return self._send(reply)
        return self._drip(reply, fault.seconds)

    def _drip(self, reply: Reply, pause_s: float) -> None:
        content = json.dumps(reply.value).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            for byte in content:
                self.wfile.write(bytes([byte]))
                time.sleep(pause_s)
        except OSError:
            self.close_connection = True  # the other side gave up, which is what the test wants to see

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # the other side was faster
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, reply: Reply) -> None:
        if reply.status in {204, 304}:
            return self._send_bytes(reply.status, reply.headers, b"")
        content = json.dumps(reply.value, default=_plain).encode()
        return self._send_bytes(reply.status, {"Content-Type": "application/json", **reply.headers}, content)

    def _send_bytes(self, status: int, headers: dict[str, str], content: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True  # the node was killed, or would not wait


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else str(value)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about connections that a killed node left."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Serve one tracker until stdin ends; the first line on stdout is the port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("speaker", choices=sorted(SPEAKERS))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--idempotent", choices=("yes", "no", "own"), default="own")
    parser.add_argument("--conditional", choices=("yes", "no", "own"), default="own")
    given = parser.parse_args()
    speaker = SPEAKERS[given.speaker]
    chosen = {"yes": True, "no": False}
    _Handler.tracker = Tracker(
        speaker,
        idempotent=chosen.get(given.idempotent, speaker.idempotent),
        conditional=chosen.get(given.conditional, speaker.conditional),
    )
    server = _Server(("127.0.0.1", given.port), _Handler)
    if given.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.certificate, given.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
