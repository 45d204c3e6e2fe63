"""What a person should know about the queues: dead letters, jobs that wait too long, runs that hang."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from holdfast.finding import Finding, Severity
from holdfast.job import Lease, QueueState

__all__ = ["queue_findings"]

_OLD_S = 900.0  # longer than the longest pause between two runs, by default
_NEARLY_FULL = 0.9
_MINUTE_S = 60.0


def queue_findings(states: Sequence[QueueState], overdue: Iterable[Lease]) -> tuple[Finding, ...]:
    """Findings about `states`, and about runs that took longer than their lease."""
    dead = [f"{state.dead} in {state.queue}" for state in states if state.dead]
    old = [f"{state.queue} {state.oldest_s / _MINUTE_S:.0f} min" for state in states if state.oldest_s > _OLD_S]
    full = [
        f"{state.queue} {state.ready} of {state.max_waiting}"
        for state in states
        if state.ready > _NEARLY_FULL * state.max_waiting
    ]
    hung = [f"{lease.job.kind} {lease.job.id}" for lease in overdue]
    found = (
        (dead, _dead_letters),
        (old, _old_jobs),
        (full, _nearly_full),
        (hung, _hung),
    )
    return tuple(make(", ".join(what)) for what, make in found if what)


def _dead_letters(what: str) -> Finding:
    return _finding(
        "dead-letters",
        f"Jobs were given up: {what}",
        "See why with `holdfast jobs list --state dead`, then `holdfast jobs retry` or `holdfast jobs purge` them.",
    )


def _old_jobs(what: str) -> Finding:
    return _finding(
        "jobs-wait-long",
        f"The oldest jobs wait long: {what}",
        "See why with `holdfast jobs list`: each names how its last run failed.",
    )


def _nearly_full(what: str) -> Finding:
    return _finding(
        "queue-nearly-full",
        f"A queue is nearly full, and then refuses what is new: {what}",
        "See with `holdfast jobs list` why its jobs wait, or raise `max_waiting` of the queue.",
    )


def _hung(what: str) -> Finding:
    return _finding(
        "job-hangs",
        f"A run took longer than its lease and holds its lane: {what}",
        "Its job goes to another lane; restart the node if the queue has no lane left.",
    )


def _finding(name: str, sentence: str, next_step: str) -> Finding:
    return Finding(name=name, severity=Severity.WARNING, sentence=f"{sentence}.", next_step=next_step, component="jobs")
