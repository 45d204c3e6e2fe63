"""The day's budget: how many bytes may leave and come in."""

from __future__ import annotations

import threading
from typing import Protocol

__all__ = ["DayBudget", "Tally"]

_KEEP_EVERY_BYTES = 1 << 20  # what a power cut may take from the count; more often only wears the flash
_RETRY_BYTES_S = 3600.0


class Tally(Protocol):
    """Where the day's count is kept over restarts."""

    def day(self) -> int:
        """Number of the present day."""

    def load(self) -> tuple[int, int]:
        """Day and bytes last kept."""

    def keep(self, day: int, used_bytes: int) -> None:
        """Keep both."""


class DayBudget:
    """Bytes of the present day. `_lock` guards the count."""

    def __init__(self, tally: Tally) -> None:
        self._tally, self._lock = tally, threading.Lock()
        self._day, self._used = tally.load()
        self._kept = self._used

    def used_bytes(self) -> int:
        """Bytes sent and received today."""
        with self._lock:
            self._turn()
            return self._used

    def take(self, limit_bytes: int) -> float:
        """Return 0 if there is something left of today, else how many seconds to wait before asking again."""
        return 0.0 if self.used_bytes() < limit_bytes else _RETRY_BYTES_S

    def spend(self, size_bytes: int) -> None:
        """Count what went over the wire."""
        with self._lock:
            self._turn()
            self._used += size_bytes
            if self._used - self._kept >= _KEEP_EVERY_BYTES:
                self._keep()

    def keep(self) -> None:
        """Make the count durable; called at a stop."""
        with self._lock:
            if self._used != self._kept:
                self._keep()

    def _turn(self) -> None:
        today = self._tally.day()
        if today != self._day:
            self._day, self._used, self._kept = today, 0, 0

    def _keep(self) -> None:
        self._tally.keep(self._day, self._used)
        self._kept = self._used
