"""Pace: how many jobs of a queue were done in the last minute."""

from __future__ import annotations

import threading
from collections import deque

__all__ = ["Pace"]

_MINUTE_S = 60


class Pace:
    """Counts by whole seconds, sixty of them; `_lock` guards the counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: deque[tuple[int, int]] = deque(maxlen=_MINUTE_S)

    def count(self, now_s: float) -> None:
        """One more is done."""
        second = int(now_s)
        with self._lock:
            last, n = self._counts[-1] if self._counts else (-1, 0)
            if last == second:
                self._counts[-1] = (second, n + 1)
            else:
                self._counts.append((second, 1))

    def per_minute(self, now_s: float) -> float:
        """How many were done in the last sixty seconds."""
        with self._lock:
            return float(sum(n for second, n in self._counts if second > now_s - _MINUTE_S))
