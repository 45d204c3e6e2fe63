"""The ASGI application: gate, body, limiter, endpoint, answer; errors become statuses here and nowhere else."""

from __future__ import annotations

import itertools
import os
import re
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from holdfast.access import Caller, require_need
from holdfast.errors import HoldfastError
from holdfast.http.doorman import Doorman
from holdfast.http.gate import Gate, check_direct, check_length, check_media_type, check_single_host
from holdfast.http.json_part import json_part
from holdfast.http.limiter import Limiter
from holdfast.http.messages import Endpoint, Reply, Request
from holdfast.http.problems import BodyTooLarge, MalformedBody, NoSuchPath, problem
from holdfast.http.table import MethodNotAllowed, RouteTable
from holdfast.measure import Measures
from holdfast.nesting import deeper_than
from holdfast.node.log import Log

__all__ = ["App", "AppLimits", "ClientGone"]

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:@/+=-]{1,128}")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SERVER_ERROR = 500


class ClientGone(HoldfastError):
    """The client closed the connection before its request was complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLimits:
    """What one request may cost."""

    body_bytes: int
    depth: int


class App:
    """Answers every request of both listening addresses. Runs on the event loop; endpoints run in the limiters."""

    def __init__(
        self,
        table: RouteTable,
        *,
        gate: tuple[Gate, Doorman],
        limits: AppLimits,
        limiters: Mapping[str, Limiter],
        seen: tuple[Measures, Log],
    ) -> None:
        self._table, self._limits, self._limiters = table, limits, limiters
        self._gate, self._doorman = gate
        self._measures, self._log = seen
        self._boot = os.urandom(5).hex()
        self._counter = itertools.count(1)
        self._last_headers: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """ASGI entry: one call per request."""
        if scope["type"] != "http":
            return
        arrived_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            request_id = given.decode("ascii")
        else:
            request_id = f"{self._boot}-{next(self._counter):x}"
        endpoint: Endpoint | None = None
        try:
            endpoint, request = self._enter(scope, headers, request_id, arrived_s)
            reply = await self._answer(endpoint, request, receive)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001  # rim: whatever happened, the client gets an answer
            render = (endpoint.failures if endpoint else self._table.dialect(scope["path"])) or problem
            reply = self._refuse(error, render, request_id)
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - arrived_s
        self._count(endpoint, reply.status, seconds)
        self._log.request(request_id, _route(endpoint), reply.status, seconds, caller=scope.get("caller", ""))
        await self._send(send, reply, request_id)

    def close_connections(self) -> None:
        """From now on every answer is the last on its connection."""
        self._last_headers = [(b"connection", b"close")]

    def _enter(
        self, scope: _Message, headers: dict[bytes, bytes], request_id: str, arrived_s: float
    ) -> tuple[Endpoint, Request]:
        method, path = scope["method"], scope["path"]
        if len(headers) != len(scope["headers"]):
            check_single_host(scope["headers"])
        caller: Caller = scope["state"]["caller"]
        on_socket: bool = scope["state"]["owner"]
        asks = not on_socket and self._doorman.asks
        if not on_socket:
            self._gate.check(method, headers)
            if not asks:
                check_direct(headers)
        endpoint, arguments = self._table.find(method, path)
        if asks:
            address = scope["client"][0] if scope.get("client") else ""
            caller = self._doorman.admit(endpoint, headers, address=address, certified=scope["state"]["certified"])
            scope["caller"] = caller.name  # before it may be refused: the log names who was
            if endpoint.needs is not None:
                require_need(caller, endpoint.needs, f"{method} {endpoint.template}")
        if endpoint.socket_only and not on_socket:
            raise NoSuchPath(f"{path[:200]}: served on the owner socket only, use the holdfast command on this machine")
        request = Request(method, path, arguments, scope["query_string"], headers, b"", request_id, arrived_s, caller)
        return endpoint, request

    async def _answer(self, endpoint: Endpoint, request: Request, receive: _Receive) -> Reply:
        if request.method in _WITH_BODY:
            check_length(request.headers, self._limits.body_bytes)
            check_media_type(request.headers, endpoint.media_types)
        if endpoint.stage == "inline":
            return endpoint.call(request)
        limiter = self._limiters[endpoint.stage]
        limiter.require_slot()  # before the body: a node that is full must not read what it will refuse
        if request.method in _WITH_BODY:
            request.body = await self._read_body(receive)
            if not endpoint.proves:
                self._check_depth(endpoint, request)
        groupable = endpoint.groupable and b"idempotency-key" not in request.headers
        reply: Reply = await limiter.run(endpoint.call, request, groupable=groupable)
        assert isinstance(reply, Reply)  # noqa: S101  # what comes out of a thread is untyped; a bug must end in a problem
        return reply

    def _check_depth(self, endpoint: Endpoint, request: Request) -> None:
        if deeper_than(json_part(request.body, request.headers, endpoint.media_types), self._limits.depth):
            raise MalformedBody(f"body: expected JSON nested at most {self._limits.depth} deep, found deeper")

    async def _read_body(self, receive: _Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone("the client closed the connection before its body was complete")
            chunk = message["body"]
            if not message["more_body"] and not chunks:
                chunks.append(chunk)
                size = len(chunk)
            elif chunk:
                chunks.append(chunk)
                size += len(chunk)
            if size > self._limits.body_bytes:
                raise BodyTooLarge(f"body: expected at most {self._limits.body_bytes} bytes, found more")
            if not message["more_body"]:
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _refuse(self, error: Exception, render: Callable[[BaseException, str], Reply], request_id: str) -> Reply:
        if isinstance(error, MethodNotAllowed) and error.method == "OPTIONS":
            return Reply(b"", 204, b"", error.allow())
        reply = render(error, request_id)
        if isinstance(error, MethodNotAllowed):
            reply.headers += error.allow()
        if reply.status == _SERVER_ERROR:
            # Frames only: an exception's own text may quote a ticket.
            frames = "".join(traceback.format_tb(error.__traceback__)[-8:])
            self._log.failure("request-failed", request_id=request_id, error=type(error).__name__, frames=frames)
        return reply

    def _count(self, endpoint: Endpoint | None, status: int, seconds: float) -> None:
        self._measures.add("requests_total", _route(endpoint), str(status))
        self._measures.observe("request_seconds", _route(endpoint), value=seconds)

    async def _send(self, send: _Send, reply: Reply, request_id: str) -> None:
        headers = [
            (b"content-length", str(len(reply.body)).encode()),
            (b"x-request-id", request_id.encode()),
            *self._last_headers,
            *reply.headers,
        ]
        if reply.media_type:
            headers.append((b"content-type", reply.media_type))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


def _route(endpoint: Endpoint | None) -> str:
    return endpoint.template if endpoint else "none"
