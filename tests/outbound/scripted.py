"""A server that does exactly what a test says with each connection, and a gate with everything at hand."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from holdfast.exchange import Incoming, Outgoing
from holdfast.measure import Measures
from holdfast.outbound.address import allow_list
from holdfast.outbound.gate import Outbound, OutboundLimits
from holdfast.outbound.links import LinkLimits
from tests.certificates import Issued

Script = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def read_request(client: socket.socket) -> bytes:
    """Head and body of one request; empty when the client closed."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = client.recv(65536)
        if not chunk:
            return received
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    length = next((int(value) for name, _, value in lines if name.lower() == b"content-length"), 0)
    while len(body) < length:
        chunk = client.recv(65536)
        if not chunk:
            break
        body += chunk
    return head + b"\r\n\r\n" + body


def answers(*replies: bytes) -> Script:
    """Answer each request on the connection with the next reply, the last one again and again."""

    def script(client: socket.socket) -> None:
        waiting = list(replies)
        while read_request(client):
            client.sendall(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    return script


def closes_after(reply: bytes) -> Script:
    """Read one request, send this much of an answer, close."""

    def script(client: socket.socket) -> None:
        read_request(client)
        client.sendall(reply)

    return script


def drips(start: bytes) -> Script:
    """Read one request, then send `start` and a byte every 20 ms for as long as anybody listens."""

    def script(client: socket.socket) -> None:
        read_request(client)
        client.sendall(start)
        for _ in range(500):
            time.sleep(0.02)
            client.sendall(b"x")

    return script


class Scripted:
    """Listens on a free port of the loopback; with `issued` it speaks TLS."""

    def __init__(self, script: Script, issued: Issued | None = None) -> None:
        self._script = script
        self._context: ssl.SSLContext | None = None
        if issued is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(issued.certificate, issued.key)
        self.connections = 0
        self.stopping = threading.Event()
        self._clients: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def url(self, host: str = "127.0.0.1", path: str = "/tasks/1") -> str:
        return f"{'https' if self._context else 'http'}://{host}:{self.port}{path}"

    def stop(self) -> None:
        self.stopping.set()
        for one in (self._listener, *self._clients):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                self._clients.append(client)
                self._threads.append(threading.Thread(target=self._serve, args=(client,), daemon=True))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
                self._clients.append(client)
            self._script(client)
        client.close()


class HeldClock:
    """Monotonic time runs and can be pushed on; the wall says what a test says."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.now_at = datetime.now(UTC)
        self.trusted = True

    def monotonic_s(self) -> float:
        return time.monotonic() + self.ahead_s

    def wall_at(self) -> datetime:
        return self.now_at

    def wall_trusted(self) -> bool:
        return self.trusted


class HeldTally:
    """The day's count in memory."""

    def __init__(self) -> None:
        self.today, self.kept = 0, (0, 0)

    def day(self) -> int:
        return self.today

    def load(self) -> tuple[int, int]:
        return self.kept

    def keep(self, day: int, used_bytes: int) -> None:
        self.kept = (day, used_bytes)


class Gate:
    """An Outbound whose clock, count and measures a test can look at."""

    def __init__(self, allow: tuple[str, ...], *, ca_file: str = "", proxy: str = "", **limits: float) -> None:
        self.clock, self.tally, self.measures = HeldClock(), HeldTally(), Measures()
        chosen = {"timeout_s": 5.0, "response_bytes": 1 << 20, "requests_per_minute": 600, "bytes_per_day": 1 << 30}
        connect_timeout_s = limits.pop("connect_timeout_s", 2.0)
        self.limits = OutboundLimits(
            allowed=allow_list(allow, ()),
            links=LinkLimits(connect_timeout_s=connect_timeout_s, proxy=proxy, ca_file=ca_file),
            **{**chosen, **limits},  # type: ignore[arg-type]  # a test may set any of them
        )
        self.outbound = Outbound(self.limits, self.clock, self.measures, tally=self.tally)

    def send(
        self, url: str, method: str = "GET", body: bytes = b"", *, within_s: float = 5.0, **headers: str
    ) -> Incoming:
        request = Outgoing(method=method, url=url, headers=headers, body=body)
        return self.outbound.send(request, deadline_s=self.clock.monotonic_s() + within_s)

    def finding(self, name: str) -> str:
        """Its sentence; empty when there is none of this name."""
        return next((one.sentence for one in self.outbound.findings() if one.name == name), "")

    def count(self, host: str, result: str) -> float:
        return self.measures.numbers()["outbound_requests_total"].get((host, result), 0.0)
