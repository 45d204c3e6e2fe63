"""The keeper: starts a worker, starts it again when it ends, and waits longer each time that does not help."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from holdfast.runtime.child import Child, ChildState, End
from holdfast.runtime.frames import Ready
from holdfast.runtime.lanes import Lane
from holdfast.runtime.limits import WorkerLimits
from holdfast.tier import Reason

__all__ = ["Keeper", "WorkerEvent"]

_JITTER = 0.2  # workers that ended together do not start together


@dataclass(frozen=True, slots=True)
class WorkerEvent:
    """Something happened to a worker process."""

    kind: Literal["started", "ready", "ended"]
    pid: int
    at_s: float
    reason: Reason | None = None
    sentence: str = ""
    expected: bool = False
    """It ended because it was told to: idle, or the node wanted its memory."""
    lanes: tuple[Lane, ...] = field(default=(), repr=False)
    """Of a worker that ended."""


class Keeper:
    """One worker slot; used by the thread that steps the pool, alone."""

    def __init__(self, child: Child, limits: WorkerLimits, rng: random.Random) -> None:
        self.child, self._limits, self._rng = child, limits, rng
        self.failures = 0
        """Ends in a row that nobody asked for."""
        self.last_end: End | None = None
        self._start_at_s = 0.0
        self._announced = False
        self._told_to_end = False

    @property
    def looping(self) -> bool:
        """Say whether starting it again has not helped for some time."""
        return self.failures >= self._limits.crash_loop_after

    @property
    def trouble(self) -> End | None:
        """The last end when a person should know of it: it keeps ending, or its model does not suit this machine."""
        unfit = self.failures > 0 and self.last_end is not None and self.last_end.reason is Reason.UNVERIFIED
        return self.last_end if self.looping or unfit else None

    def step(self, now_s: float, *, wanted: bool, check: bool) -> list[WorkerEvent]:
        """Do what is due, never waiting: notice an end, start, end."""
        events: list[WorkerEvent] = []
        pid = self.child.pid
        end = self.child.step(now_s)
        if end is not None:
            events.append(self._note(end, pid, now_s))
        if self.child.state is ChildState.READY and not self._announced:
            self._announced = True
            events.append(WorkerEvent("ready", self.child.pid, now_s, sentence=_greeting(self.child.ready)))
        if self.child.state is ChildState.READY and self.child.served_s(now_s) >= self._limits.stable_s:
            self.failures = 0
        if wanted and self.child.state is ChildState.NONE and now_s >= self._start_at_s:
            events.append(self._start(now_s, check=check))
        if not wanted and self.child.state in {ChildState.STARTING, ChildState.READY}:
            self._told_to_end = True
            self.child.end(Reason.UNLOADED_IDLE, "nobody needed it")
        return events

    def _start(self, now_s: float, *, check: bool) -> WorkerEvent:
        self._announced = self._told_to_end = False
        try:
            self.child.start(now_s, check=check)
        except OSError as error:  # no memory or no process left: the same as a worker that ended at once
            self.child.abandon(now_s)
            return self._note(End(Reason.CRASHED, f"it could not be started: {error}", 0.0), 0, now_s)
        return WorkerEvent("started", self.child.pid, now_s, reason=self.last_end.reason if self.last_end else None)

    def _note(self, end: End, pid: int, now_s: float) -> WorkerEvent:
        self.last_end = end
        expected = self._told_to_end and end.reason is Reason.UNLOADED_IDLE
        if expected:
            self.failures, self._start_at_s = 0, now_s
        else:
            self.failures = 1 if end.served_s >= self._limits.stable_s else self.failures + 1
            self._start_at_s = now_s + self._pause_s()
        return WorkerEvent(
            "ended", pid, now_s, reason=end.reason, sentence=end.sentence, expected=expected, lanes=end.lanes
        )

    def _pause_s(self) -> float:
        """At once after the first end in a row, then twice as long each time."""
        if self.failures <= 1:
            return 0.0
        doublings = min(self.failures - 2, 16)
        pause_s = min(self._limits.backoff_first_s * 2.0**doublings, self._limits.backoff_max_s)
        return pause_s * self._rng.uniform(1.0 - _JITTER, 1.0 + _JITTER)


def _greeting(ready: Ready | None) -> str:
    if ready is None:
        return ""
    met = "" if ready.lowest_cosine is None else f", lowest cosine of the known vectors {ready.lowest_cosine:.4f}"
    return f"ready after {ready.load_ms:.0f} ms of loading{met}"
