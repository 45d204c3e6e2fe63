"""Turns: two threads never work on the same thing at once; the second waits, and not for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.clock import Clock
from holdfast.errors import Unavailable

__all__ = ["InWork", "Turns"]


class InWork(Unavailable):
    """Another thread is at it for longer than the caller can wait."""


class Turns:
    """`_free` guards the names that are taken."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free = threading.Condition()
        self._taken: set[str] = set()

    @contextmanager
    def turn(self, names: frozenset[str], *, deadline_s: float) -> Iterator[None]:
        """Hold all of `names` or none. Raises InWork when one is still taken at `deadline_s`, monotonic."""
        with self._free:
            while names & self._taken:
                left_s = deadline_s - self._clock.monotonic_s()
                if left_s <= 0 or not self._free.wait(left_s):
                    raise InWork("the same task or delivery is being worked on; send it again")
            self._taken |= names
        try:
            yield
        finally:
            with self._free:
                self._taken -= names
                self._free.notify_all()
