"""Limits of one queue, and the pause between two runs of a job."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["QueueLimits", "backoff_s"]

_MOST_DOUBLINGS = 32  # beyond it the cap rules anyway, and a float stays finite


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What one queue may hold, and how long it tries."""

    lanes: int = 2
    max_waiting: int = 100_000
    max_attempts: int = 12
    lease_s: float = 120.0
    backoff_s: float = 1.0
    backoff_most_s: float = 600.0


def backoff_s(limits: QueueLimits, attempts: int, rng: random.Random) -> float:
    """Seconds to wait after the failed run number `attempts`: between 0 and a bound that doubles ("full jitter").

    Source: Brooker, Exponential Backoff and Jitter (AWS Architecture Blog, 2015).
    """
    bound_s = limits.backoff_s * 2.0 ** min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    return rng.uniform(0.0, min(bound_s, limits.backoff_most_s))
