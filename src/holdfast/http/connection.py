"""One client connection: uvicorn's HTTP/1.1 protocol with a bound on time, and the peer's credentials on a socket."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from http import HTTPStatus
from typing import Any, Literal

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from holdfast.access import Caller, Role

__all__ = ["LOCAL", "Connection", "OwnerConnection", "raw_problem"]

LOCAL = Caller(name="local", role=Role.OPERATOR)
"""Anybody on the loopback of a node without users. Not admin: packages and configuration go through the socket."""

_HEAD_BYTES = 64 * 1024
_UCRED = struct.Struct("3i")


def raw_problem(status: int, phrase: str, detail: str) -> bytes:
    """A whole HTTP response for the cases in which there is no request to answer."""
    slug = phrase.lower().replace(" ", "-")
    request_id = f"raw-{os.urandom(8).hex()}"
    body = (
        f'{{"type":"urn:holdfast:problem:{slug}","title":"{phrase}","status":{status},"detail":"{detail}",'
        f'"request_id":"{request_id}"}}'
    ).encode()
    later = "retry-after: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n{later}connection: close\r\n\r\n"
    )
    return head.encode() + body


class Connection(HttpToolsProtocol):
    """Says which phase it is in and since when: one sweep a second closes slow clients, no timer each."""

    caller: Caller = LOCAL
    owner: bool = False
    """Whether this came through the owner socket."""
    head_bytes: int = 0
    refused: bool = False
    """True once the connection was answered and closed from here: what the parser still calls back is ignored."""
    phase: Literal["head", "body", "answer"] = "head"
    since_s: float = 0.0
    unread_since_s: float | None = None
    """Since when the client has left unread what it asked for; None while it takes what is written."""
    closing_since_s: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """A client connected: it now owes a request."""
        super().connection_made(transport)
        most_connections: int = self.app_state["most_connections"]
        certified = self.app_state["caller_of"](transport.get_extra_info("peercert"))
        # Said here, never read from the peer's address: a client that resets before it is accepted has none either.
        self.app_state = {"caller": self.caller, "owner": self.owner, "certified": certified}
        self.since_s = self.loop.time()
        if not self.owner and self._strangers() > most_connections:
            transport.write(raw_problem(503, "Service Unavailable", "every connection is taken, try again"))
            transport.close()

    def _strangers(self) -> int:
        """Connections over TCP: the owner's are not counted, so that a full node can still be operated."""
        return sum(not getattr(one, "owner", False) for one in self.connections)

    def pause_writing(self) -> None:
        """More waits to be read by the client than the buffer is meant to hold."""
        super().pause_writing()
        self.unread_since_s = self.loop.time()

    def resume_writing(self) -> None:
        """The client has read nearly all of it."""
        super().resume_writing()
        self.unread_since_s = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which bounds nothing by itself: a head that never ends would grow for ever."""
        super().data_received(data)
        if self.phase == "head":
            self.head_bytes += len(data)
            self._bound_head()

    def on_message_begin(self) -> None:
        """The first byte of a request came."""
        super().on_message_begin()
        self.phase, self.since_s, self.head_bytes = "head", self.loop.time(), 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header is complete."""
        super().on_header(name, value)
        self.head_bytes += len(name) + len(value)

    def on_headers_complete(self) -> None:
        """The head is complete: the body follows."""
        self._bound_head()
        self.phase, self.since_s = "body", self.loop.time()
        if not self.refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of the body came."""
        if not self.refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete: now the node owes an answer."""
        self.phase = "answer"
        if not self.refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP/1.1 in the node's own dialect."""
        self.transport.write(raw_problem(400, "Bad Request", msg))
        self.transport.close()

    def _bound_head(self) -> None:
        if self.head_bytes > _HEAD_BYTES and not self.refused:
            self.refused = True
            self.transport.write(
                raw_problem(431, "Request Header Fields Too Large", f"expected a head of at most {_HEAD_BYTES} bytes")
            )
            self.transport.close()

    def close_if_slow(self, now_s: float, *, head_s: float, body_s: float) -> None:
        """End the connection of a client that owes the rest of its request, or does not read, for too long."""
        if self.transport.is_closing() and self.closing_since_s is None:
            self.closing_since_s = now_s
        for stuck_since_s in (self.unread_since_s, self.closing_since_s):
            if stuck_since_s is not None and now_s - stuck_since_s > body_s:
                self.transport.abort()  # closing would wait for the client to read
                return
        limit_s = {"head": head_s, "body": body_s}.get(self.phase)
        if limit_s is None or now_s - self.since_s <= limit_s or self.transport.is_closing():
            return
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            self.transport.write(raw_problem(408, "Request Timeout", f"the {self.phase} of the request did not arrive"))
        self.transport.close()


class OwnerConnection(Connection):
    """A connection on the owner socket: the kernel says who is at the other end."""

    owner = True
    owner_uid: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Let root and the service's own user in as admin; close on anybody else."""
        peer: Any = transport.get_extra_info("socket")
        _pid, uid, _gid = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        self.caller = Caller(name=f"uid {uid}", role=Role.ADMIN)
        super().connection_made(transport)
        if uid not in (0, self.owner_uid):
            transport.write(raw_problem(403, "Forbidden", f"expected root or uid {self.owner_uid}, found uid {uid}"))
            transport.close()
