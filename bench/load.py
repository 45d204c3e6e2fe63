"""A load generator that costs little: raw HTTP/1.1 over keep-alive connections, closed or open loop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httptools

_NO_ANSWER_S = 20.0


@dataclass(slots=True)
class Shot:
    """One request: when it was due, sent and answered (monotonic), and what came back."""

    index: int
    due_s: float
    sent_s: float
    done_s: float
    status: int
    """0: no answer, or the connection broke."""
    tier: str
    retry_after: bool

    @property
    def latency_ms(self) -> float:
        return (self.done_s - self.sent_s) * 1000


@dataclass
class _Response:
    status: int = 0
    tier: str = ""
    retry_after: bool = False
    body: bytearray = field(default_factory=bytearray)


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self) -> None:
        self._done: asyncio.Future[_Response] | None = None
        self._response = _Response()
        self._parser: httptools.HttpResponseParser | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # asyncio gives a Transport for TCP

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio names it
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError("closed"))
        self.transport = None

    def ask(self, payload: bytes) -> asyncio.Future[_Response]:
        assert self.transport is not None
        self._response = _Response()
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(payload)
        return self._done

    def data_received(self, data: bytes) -> None:
        if self._parser is None:  # a farewell (408) to a connection that was opened and never used
            if self.transport is not None:
                self.transport.close()
            return
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered == b"holdfast-tier":
            self._response.tier = value.decode()
        elif lowered == b"retry-after":
            self._response.retry_after = True

    def on_body(self, body: bytes) -> None:
        self._response.body += body

    def on_message_complete(self) -> None:
        assert self._parser is not None
        self._response.status = self._parser.get_status_code()
        if self._done is not None and not self._done.done():
            self._done.set_result(self._response)


def request_bytes(host: str, path: str, body: bytes) -> bytes:
    """The bytes of one POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Fleet:
    """Connections to one address; a broken one is opened again."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    async def shoot(
        self, connection: _Connection, payload: bytes, index: int, due_s: float
    ) -> tuple[_Connection, Shot]:
        sent_s = time.monotonic()
        try:
            if connection.transport is None or connection.transport.is_closing():
                connection = await self.connect()
            response = await asyncio.wait_for(connection.ask(payload), _NO_ANSWER_S)
        except (OSError, TimeoutError, httptools.HttpParserError):
            return _Connection(), Shot(index, due_s, sent_s, time.monotonic(), 0, "", retry_after=False)
        shot = Shot(index, due_s, sent_s, time.monotonic(), response.status, response.tier, response.retry_after)
        return connection, shot

    async def connect(self) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, self.host, self.port)
        return connection


async def _closed(fleet: _Fleet, payloads: Sequence[bytes], connections: int) -> list[Shot]:
    order = iter(range(len(payloads)))
    shots: list[Shot] = []

    async def caller() -> None:
        connection = await fleet.connect()
        for index in order:
            connection, shot = await fleet.shoot(connection, payloads[index], index, time.monotonic())
            shots.append(shot)
        if connection.transport is not None:
            connection.transport.close()

    await asyncio.gather(*(caller() for _ in range(connections)))
    return shots


@dataclass(frozen=True)
class Arrivals:
    """An open loop: Poisson arrivals at `rate` per second for `seconds`, over a bounded number of clients."""

    rate: float
    seconds: float
    connections: int
    seed: int = 1


class _OpenLoop:
    """Sends what arrives while a connection is free: 300 connections are 300 clients with one request each."""

    def __init__(self, fleet: _Fleet, payloads: Sequence[bytes]) -> None:
        self._fleet, self._payloads = fleet, payloads
        self._free: list[_Connection] = []
        self._running: set[asyncio.Task[None]] = set()
        self.shots: list[Shot] = []

    async def run(self, arrivals: Arrivals) -> None:
        rng = random.Random(arrivals.seed)
        self._free = list(await asyncio.gather(*(self._fleet.connect() for _ in range(arrivals.connections))))
        started_s = time.monotonic()
        due_s, index = started_s, 0
        while due_s < started_s + arrivals.seconds:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            index += self._send(index, due_s)
            due_s += rng.expovariate(arrivals.rate)
        if self._running:
            await asyncio.wait(self._running, timeout=_NO_ANSWER_S)
        for connection in self._free:
            if connection.transport is not None:
                connection.transport.close()

    def _send(self, index: int, due_s: float) -> bool:
        if not self._free:
            return False
        task = asyncio.create_task(self._one(self._free.pop(), index, due_s))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return True

    async def _one(self, connection: _Connection, index: int, due_s: float) -> None:
        payload = self._payloads[index % len(self._payloads)]
        connection, shot = await self._fleet.shoot(connection, payload, index, due_s)
        self._free.append(connection)
        self.shots.append(shot)


def closed_loop(host: str, port: int, payloads: Sequence[bytes], *, connections: int) -> list[Shot]:
    """Send every payload once, each connection waiting for its answer before the next."""
    return asyncio.run(_closed(_Fleet(host, port), payloads, connections))


def open_loop(host: str, port: int, payloads: Sequence[bytes], *, arrivals: Arrivals) -> list[Shot]:
    """Send as requests arrive, whatever the answers do; payloads are used in turn."""
    loop = _OpenLoop(_Fleet(host, port), payloads)
    asyncio.run(loop.run(arrivals))
    return loop.shots
