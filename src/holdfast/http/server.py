"""Serving: two listening sockets, one event loop, slow clients swept away, an end that drains."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from uvicorn.config import Config
from uvicorn.server import ServerState

from holdfast.errors import Unavailable
from holdfast.http.acceptor import Tls, TlsAcceptor, TlsLimits
from holdfast.http.connection import Connection, OwnerConnection

__all__ = ["AddressBusy", "Hooks", "ServerLimits", "bind_owner_socket", "bind_tcp", "serve"]

_BACKLOG = 2048
_SWEEP_S = 1.0
_DRAIN_POLL_S = 0.02
_LAST_CALL_S = 0.2  # a closed keep-alive connection looks like a failure to a client that is just sending
_LONGEST_SOCKET_PATH = 100  # the kernel's sun_path holds 108 bytes


class AddressBusy(Unavailable):
    """Another program listens on the configured address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """How long a client may take, and how many there may be."""

    connections: int
    header_timeout_s: float
    body_timeout_s: float
    keep_alive_s: int
    drain_s: float


def bind_tcp(host: str, port: int) -> socket.socket:
    """Listen on `host`:`port`. Raises AddressBusy. From here on clients wait instead of being refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressBusy(
            f"server.port: expected {host}:{port} to be free, found: {error.strerror}; choose another with --port"
        ) from error
    listener.listen(_BACKLOG)
    listener.settimeout(0)
    return listener


def bind_owner_socket(directory: Path) -> socket.socket:
    """Listen on `DATA/holdfast.sock`, readable by this user alone; the lock says that nobody else does."""
    path = directory / "holdfast.sock"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Through the directory's descriptor: the path itself may be longer than a socket address can be.
        long = len(os.fsencode(path)) > _LONGEST_SOCKET_PATH
        listener.bind(f"/proc/self/fd/{directory_fd}/holdfast.sock" if long else os.fspath(path))
    finally:
        os.close(directory_fd)
        os.umask(before)
    listener.listen(_BACKLOG)
    listener.settimeout(0)
    return listener


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the server tells: on the event loop, so none of them may wait."""

    ready: Callable[[], None]
    """Every signal is handled and both addresses answer."""
    hangup: Callable[[], None]
    """SIGHUP."""
    tick: Callable[[], None]
    """Once a second."""
    closing: Callable[[], None]
    """The end has begun: what is answered from now on is the last on its connection."""


def _nobody(_certificate: object) -> None:
    """Without TLS nobody has a certificate."""


def serve(
    app: Callable[..., Any],
    listeners: tuple[socket.socket, socket.socket],
    limits: ServerLimits,
    *,
    hooks: Hooks,
    tls: Tls | None,
) -> None:
    """Answer on (tcp, owner socket) until SIGTERM or SIGINT, then drain. Returns when every answer is sent.

    `tls`: for the tcp address; the owner socket never leaves the machine.
    """
    quiet = logging.getLogger("uvicorn.error")
    quiet.propagate, quiet.disabled = False, True  # its lines are not JSON; what matters is in our own log
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(app, listeners, limits, hooks=hooks, tls=tls))


async def _serve(
    app: Callable[..., Any],
    listeners: tuple[socket.socket, socket.socket],
    limits: ServerLimits,
    *,
    hooks: Hooks,
    tls: Tls | None,
) -> None:
    loop = asyncio.get_running_loop()
    config = Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=limits.keep_alive_s,
    )
    config.load()
    state = ServerState()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hooks.hangup)
    tcp, owner = listeners
    bounds = {"most_connections": limits.connections, "caller_of": tls.caller_of if tls else _nobody}
    connect = partial(Connection, config, state, bounds, loop)
    shaking = TlsLimits(unfinished=limits.connections, handshake_s=limits.header_timeout_s)
    servers: list[asyncio.Server | TlsAcceptor] = [
        await loop.create_server(connect, sock=tcp) if tls is None else TlsAcceptor(tcp, connect, tls.context, shaking),
        await loop.create_unix_server(partial(OwnerConnection, config, state, bounds, loop), sock=owner),
    ]
    hooks.ready()
    await _sweep_until(stop, state, limits, tick=hooks.tick)
    for server in servers:
        server.close()
    hooks.closing()
    await _drain(state, limits.drain_s)


async def _sweep_until(
    stop: asyncio.Event, state: ServerState, limits: ServerLimits, *, tick: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        now_s = loop.time()
        for connection in tuple(state.connections):
            if isinstance(connection, Connection):
                connection.close_if_slow(now_s, head_s=limits.header_timeout_s, body_s=limits.body_timeout_s)
        tick()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _SWEEP_S)


async def _drain(state: ServerState, drain_s: float) -> None:
    """Let busy clients hear it with their next answer, close what is idle, wait for what is being answered."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + drain_s
    if state.tasks:
        await asyncio.sleep(min(_LAST_CALL_S, drain_s))
    while state.tasks and loop.time() < end_s:
        _close_idle(state)
        await asyncio.sleep(_DRAIN_POLL_S)
    _close_idle(state)
    for task in tuple(state.tasks):
        task.cancel()


def _close_idle(state: ServerState) -> None:
    for connection in tuple(state.connections):
        connection.shutdown()
