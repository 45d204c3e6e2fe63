"""Watchdog: ends an exchange at its deadline, however slowly the other side drips."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

__all__ = ["Watchdog"]


class _Connection(Protocol):
    sock: socket.socket | None


class Watchdog:
    """Shuts the socket of one connection down when the time is up; `_lock` guards `expired` and `_over`.

    A timeout of the socket bounds one read only: a server that sends a byte a second would never meet it.
    """

    def __init__(self, *, after_s: float) -> None:
        self._connection: _Connection | None = None
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()
        self._over = False
        self.expired = False
        self._timer = threading.Timer(after_s, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with self._lock:
            self._over = True
        self._timer.cancel()

    def guard(self, connection: _Connection) -> None:
        """Watch this connection from now on.

        An open one for its socket: the connection forgets that where the answer is the last.
        """
        with self._lock:
            self._connection, self._sock = connection, connection.sock

    def _expire(self) -> None:
        with self._lock:
            if self._over:
                return
            self.expired = True
            sock = self._sock or (self._connection.sock if self._connection else None)
            if sock is not None:
                with suppress(OSError):  # the other side was faster
                    # Not the method of an SSLSocket: that would take the TLS state from under the reading thread.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
