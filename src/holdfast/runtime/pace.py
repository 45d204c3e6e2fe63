"""Pace: how long a worker takes, learnt from what it took."""

from __future__ import annotations

__all__ = ["Pace"]

_FIRST_S = 0.02  # before anything was measured: a short ticket on a small board
_WEIGHT = 0.1
_AT_MOST_S = 2.0


class Pace:
    """Moving means. Threads may race on them: a lost update changes an estimate by a tenth of its error."""

    __slots__ = ("call_s", "per_text_s")

    def __init__(self) -> None:
        self.per_text_s = _FIRST_S
        self.call_s = _FIRST_S
        """Of one call on a lane, however many texts it had."""

    def expected_s(self, text_count: int) -> float:
        """Seconds for `text_count` texts, one after the other."""
        return self.per_text_s * text_count

    def observe(self, text_count: int, took_s: float) -> None:
        """Learn from one call."""
        took_s = min(took_s, _AT_MOST_S)
        self.per_text_s += _WEIGHT * (took_s / max(1, text_count) - self.per_text_s)
        self.call_s += _WEIGHT * (took_s - self.call_s)
