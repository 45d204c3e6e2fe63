"""Bucket: so many in a minute, at a steady rate, a minute's worth at once at most."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Bucket"]

_MINUTE_S = 60.0


@dataclass(slots=True)
class Bucket:
    """What one caller or one host has left. Not locked: its owner is."""

    left: float
    filled_s: float

    def take(self, now_s: float, *, per_minute: int) -> float:
        """Take one and return 0, or return how many seconds until there is one."""
        rate = per_minute / _MINUTE_S
        self.left = min(self.left + max(now_s - self.filled_s, 0.0) * rate, float(per_minute))
        self.filled_s = now_s
        if self.left >= 1.0:
            self.left -= 1.0
            return 0.0
        return (1.0 - self.left) / rate
