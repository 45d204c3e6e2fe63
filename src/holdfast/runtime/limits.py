"""The limits of worker processes, as the operator may set them."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["WorkerLimits"]


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How many workers a model has, how much they may take, and when they are given up."""

    workers: int = 1
    lanes: int = 0
    """Requests that one worker computes at once; 0: as many as this process may use cores."""
    max_waiting: int = 64
    """Requests that wait for a lane; the next one goes to the tier below."""
    token_budget: int = 1024
    """Tokens in one call: ONNX Runtime's arena keeps the largest call for ever."""
    memory_cap_bytes: int = 512 << 20
    """Resident memory at which a worker is ended before the machine runs out."""
    ready_timeout_s: float = 10.0
    hang_s: float = 2.0
    """A worker that answers no ping for this long is ended; well above what a busy core makes it wait."""
    stopped_s: float = 0.3
    """A worker that the kernel reports as stopped for this long is ended: it is not busy, it will not answer."""
    behind_s: float = 5.0
    """A lane that owes a reply for this long hangs in native code: its worker is ended."""
    stable_s: float = 5.0
    """A worker that served this long has recovered: its next end is not part of a crash loop."""
    crash_loop_after: int = 3
    """Ends in a row, none of them after `stable_s`, that are called a crash loop."""
    backoff_first_s: float = 0.5
    """Pause before the second start in a row; the first is at once; each further one doubles it."""
    backoff_max_s: float = 60.0
    idle_ttl_s: float | None = None
    """A model that nobody asked for this long gives its memory back; null: never."""
    niceness: int = 5
    """Under overload the node, which answers from the lower tiers, gets its core before the model does."""

    @property
    def lane_count(self) -> int:
        """Lanes of one worker."""
        return self.lanes or len(os.sched_getaffinity(0))
