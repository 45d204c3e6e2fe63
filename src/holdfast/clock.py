"""Time: monotonic for durations, wall for records, and whether the wall can be trusted."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Where time comes from; an argument everywhere, so that tests can hold it."""

    def monotonic_s(self) -> float:
        """Seconds that never go back within one boot, time asleep included."""

    def wall_at(self) -> datetime:
        """The time of day as the node believes it, aware, in UTC; may jump in either direction."""

    def wall_trusted(self) -> bool:
        """Say whether the wall clock is at or after the floor: a 1970 clock is not."""


class SystemClock:
    """The machine's own clocks."""

    def __init__(self, *, floor_at: datetime) -> None:
        self._floor_at = floor_at

    def monotonic_s(self) -> float:
        """See Clock."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall_at(self) -> datetime:
        """See Clock."""
        return datetime.now(UTC)

    def wall_trusted(self) -> bool:
        """See Clock."""
        return self.wall_at() >= self._floor_at
