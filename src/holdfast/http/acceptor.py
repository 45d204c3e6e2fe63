"""Accepting TLS: a bound on connections whose handshake is not finished, which a server of asyncio does not count."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from holdfast.access import Caller

__all__ = ["Tls", "TlsAcceptor", "TlsLimits"]

_GOODBYE_S = 2.0  # a client that does not answer the end of TLS is not waited for
_NO_DESCRIPTOR_S = 0.1  # with no file descriptor left some connection must end first


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsLimits:
    """How many handshakes go on at a time, and for how long."""

    unfinished: int
    handshake_s: float


@dataclass(frozen=True, slots=True)
class Tls:
    """What the node serves TLS with."""

    context: ssl.SSLContext
    caller_of: Callable[[Mapping[str, Any] | None], Caller | None]
    """Who has this verified certificate."""


class TlsAcceptor:
    """Takes clients from one listening socket, shakes hands with each, and gives it a connection of its own."""

    def __init__(
        self,
        listener: socket.socket,
        connect: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext,
        limits: TlsLimits,
    ) -> None:
        self._listener, self._connect, self._context, self._limits = listener, connect, context, limits
        self._shaking: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    def close(self) -> None:
        """Accept no more; who has not finished the handshake is dropped, connections go on."""
        for task in (self._accepting, *self._shaking):
            task.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(self._listener)
            except OSError:  # a client that went away, or no descriptor left
                await asyncio.sleep(_NO_DESCRIPTOR_S)
                continue
            if len(self._shaking) >= self._limits.unfinished:
                client.close()  # nothing can be said before TLS is there
                continue
            task = loop.create_task(self._shake(client))
            self._shaking.add(task)
            task.add_done_callback(self._shaking.discard)

    async def _shake(self, client: socket.socket) -> None:
        client.settimeout(0)
        with suppress(OSError, TimeoutError):  # whoever speaks no TLS, or not in time, is closed without a word
            await asyncio.get_running_loop().connect_accepted_socket(
                self._connect,
                client,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.handshake_s,
                ssl_shutdown_timeout=_GOODBYE_S,
            )
