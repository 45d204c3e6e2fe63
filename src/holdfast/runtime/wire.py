"""A wire: one end of a socket pair that carries frames, every wait bounded."""

from __future__ import annotations

import math
import socket

from holdfast.clock import Clock
from holdfast.errors import HoldfastError
from holdfast.runtime.frames import BadFrame, Frame, pack, take

__all__ = ["Wire", "WireClosed", "WireLate"]

_READ_BYTES = 1 << 18


class WireClosed(HoldfastError):
    """The other end is gone, or talks nonsense."""


class WireLate(HoldfastError):
    """The other end did not read or write in time; what was begun is continued by the next call."""


class Wire:
    """One thread at a time. Keeps half a frame either way, so that a wait that ran out can go on later."""

    def __init__(self, end: socket.socket, clock: Clock) -> None:
        self._socket, self._clock = end, clock
        self._received = bytearray()
        self._unsent = b""

    def send(self, frame: Frame, *, deadline_s: float) -> None:
        """Write what was left over and then `frame`. Raises WireLate, WireClosed, BadFrame."""
        self.send_packed(pack(frame), deadline_s=deadline_s)

    def send_packed(self, packed: bytes, *, deadline_s: float) -> None:
        """The same for a frame that is bytes already. Raises WireLate, WireClosed."""
        self._unsent += packed
        self.flush(deadline_s=deadline_s)

    def flush(self, *, deadline_s: float) -> None:
        """Write what is left over. Raises WireLate, WireClosed."""
        while self._unsent:
            self._unsent = self._unsent[self._write(deadline_s) :]

    def receive(self, *, deadline_s: float) -> Frame:
        """The next frame. Raises WireLate, WireClosed."""
        while True:
            frame = self._taken()
            if frame is not None:
                return frame
            chunk = self._read(deadline_s)
            if not chunk:
                raise WireClosed("the other end of a lane is gone")
            self._received += chunk

    def poll(self) -> Frame | None:
        """The next frame if it is already there. Raises WireClosed."""
        try:
            return self.receive(deadline_s=-1.0)
        except WireLate:
            return None

    def close(self) -> None:
        """Close this end: the other end sees it at once."""
        self._socket.close()

    def _taken(self) -> Frame | None:
        try:
            return take(self._received)
        except BadFrame as error:
            raise WireClosed(str(error)) from error

    def _wait_at_most(self, deadline_s: float) -> None:
        left_s = deadline_s - self._clock.monotonic_s()
        self._socket.settimeout(None if left_s == math.inf else max(0.0, left_s))

    def _write(self, deadline_s: float) -> int:
        self._wait_at_most(deadline_s)
        try:
            return self._socket.send(self._unsent)
        except (TimeoutError, BlockingIOError) as error:
            raise WireLate("a lane's other end does not read") from error
        except OSError as error:
            raise WireClosed(f"a lane broke: {error}") from error

    def _read(self, deadline_s: float) -> bytes:
        self._wait_at_most(deadline_s)
        try:
            return self._socket.recv(_READ_BYTES)
        except (TimeoutError, BlockingIOError) as error:
            raise WireLate("a lane's other end does not write") from error
        except OSError as error:
            raise WireClosed(f"a lane broke: {error}") from error
