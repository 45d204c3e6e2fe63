"""Job: work that must be done once and may wait; its states, and what a run of it can end with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from holdfast.errors import HoldfastError

__all__ = ["NEXT", "Again", "Dead", "Done", "Job", "JobState", "Lease", "NewJob", "Outcome", "QueueState", "advance"]


class JobState(StrEnum):
    """Where a job is in its life."""

    READY = "ready"
    """Waits for its time and a lane."""
    LEASED = "leased"
    """A lane works on it until the lease ends."""
    DONE = "done"
    """Kept a while, so that its idempotency key is known."""
    DEAD = "dead"
    """Given up with a reason; a person decides: retry or purge."""


NEXT: Mapping[JobState, frozenset[JobState]] = {
    JobState.READY: frozenset({JobState.LEASED, JobState.DEAD}),
    JobState.LEASED: frozenset({JobState.READY, JobState.DONE, JobState.DEAD}),
    JobState.DONE: frozenset(),
    JobState.DEAD: frozenset({JobState.READY}),
}


def advance(now: JobState, then: JobState) -> JobState:
    """Return `then`. Raises HoldfastError if a job may not go there from `now`."""
    if then not in NEXT[now]:
        raise HoldfastError(f"a {now.value} job cannot become {then.value}")
    return then


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be enqueued, in the unit of work that wants it done."""

    queue: str
    kind: str
    """Names the function that does it: `write-back`, `reprocess`, …"""
    payload: bytes
    """Encoded by the app that owns the kind; sealed at rest."""
    key: str
    """Idempotency key: a second job with the key of one that is known is not enqueued."""
    priority: int = 0
    """Higher first; among equals the older."""
    delay_s: float = 0.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the queue keeps it."""

    id: int
    queue: str
    kind: str
    payload: bytes
    key: str
    priority: int
    state: JobState
    attempts: int
    """Runs begun, this one included; one that ended with the node counts."""
    age_s: float
    """Since it was enqueued, by the node's own age."""
    due_in_s: float
    """Until it may run; 0 when it may."""
    reason: str = ""
    """Why the last run failed."""
    log: str = ""
    """The last lines that run wrote."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job until `until_s`; the next to lease it gets a higher `token`, which fences this one."""

    job: Job
    token: int
    until_s: float
    """Monotonic."""


@dataclass(frozen=True, slots=True)
class Done:
    """It is done; `note` is for people."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """It failed in a way that may pass."""

    reason: str
    after_s: float | None = None
    """Not before: what the other side asked for (Retry-After); None: the queue's own backoff."""
    counts: bool = True
    """False for what says nothing about the job, a link that is down: it is tried for as long as it takes."""
    log: str = ""
    """The last lines the run wrote, for people."""


@dataclass(frozen=True, slots=True)
class Dead:
    """It will never work: a dead letter, with the reason and what was logged."""

    reason: str
    log: str = ""


Outcome = Done | Again | Dead


class QueueState(msgspec.Struct, frozen=True, kw_only=True):
    """How one queue is."""

    queue: str
    ready: int
    waiting: int
    """Of the ready ones: not due yet."""
    leased: int
    dead: int
    oldest_s: float
    """Age of the oldest job that is neither done nor dead; 0 when there is none."""
    done_per_minute: float
    lanes: int
    max_waiting: int
