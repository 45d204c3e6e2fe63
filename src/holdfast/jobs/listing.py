"""Listing: jobs and queues as people see them, and what people do to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from holdfast.database import Transaction
from holdfast.job import Job, JobState, QueueState
from holdfast.jobs.limits import QueueLimits
from holdfast.jobs.rows import STATES, Stage
from holdfast.jobs.sealing import Content, Envelopes

__all__ = ["AT_ONCE", "COLUMNS", "Depths", "JobsQuery", "depths", "job_of", "job_rows", "queue_state", "retry"]

AT_ONCE = 500
"""Rows that one unit of work changes at most: the writer serves everybody."""
COLUMNS = "id, queue, kind, priority, stage, attempts, enqueued_s, due_s, sealed, told, token"
_OLDEST = "SELECT min(enqueued_s) FROM jobs WHERE queue = ? AND stage IN ('waiting', 'ready', 'leased')"
_REVIVE = "UPDATE jobs SET stage = 'ready', attempts = 0, failures = 0, due_s = ?"
_RETRY_JOB = f"{_REVIVE} WHERE id = ? AND stage IN ('dead', 'waiting') RETURNING queue"
_RETRY_QUEUE = f"""
    {_REVIVE} WHERE id IN (SELECT id FROM jobs WHERE queue = ? AND stage = 'dead' ORDER BY due_s LIMIT {AT_ONCE})
    RETURNING queue"""  # noqa: S608  # only our own words


class JobsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which jobs."""

    queue: str = ""
    """Empty: of every queue."""
    state: JobState | None = None
    limit: int = 100
    before: int = 0
    """Only jobs with a lower id: where the page before ended; 0: from the newest."""


def job_rows(transaction: Transaction, query: JobsQuery) -> list[tuple[Any, ...]]:
    """Rows of COLUMNS that match `query`, newest first."""
    where, bindings = ["1"], list[object]()
    if query.queue:
        where, bindings = [*where, "queue = ?"], [*bindings, query.queue]
    if query.before:
        where, bindings = [*where, "id < ?"], [*bindings, query.before]
    if query.state is not None:
        stages = [stage.value for stage, state in STATES.items() if state is query.state]
        where, bindings = [*where, f"stage IN ({','.join('?' * len(stages))})"], [*bindings, *stages]
    sql = f"SELECT {COLUMNS} FROM jobs WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608  # only our own words
    return transaction.rows(sql, (*bindings, query.limit))


def job_of(row: tuple[Any, ...], envelopes: Envelopes, *, now_s: float) -> Job:
    """The job a row of COLUMNS is; without key and payload when it is done or they cannot be opened any more."""
    job_id, queue, kind, priority, stage, attempts, enqueued_s, due_s, sealed, told, _ = row
    content = envelopes.content(sealed) or Content()
    telling = envelopes.telling(told)
    return Job(
        id=job_id,
        queue=queue,
        kind=kind,
        payload=content.payload,
        key=content.key,
        priority=priority,
        state=STATES[Stage(stage)],
        attempts=attempts,
        age_s=max(now_s - enqueued_s, 0.0),
        due_in_s=max(due_s - now_s, 0.0) if stage == Stage.WAITING else 0.0,
        reason=telling.reason,
        log=telling.log,
    )


@dataclass(frozen=True, slots=True)
class Depths:
    """How many jobs of a queue are in each stage, and when the oldest open one was enqueued."""

    counts: Mapping[str, int]
    oldest_at_s: float | None


def depths(transaction: Transaction) -> dict[str, Depths]:
    """The depths of every queue that ever had a job."""
    counts: dict[str, dict[str, int]] = {}
    for queue, stage, n in transaction.rows("SELECT queue, stage, n FROM job_counts"):
        counts.setdefault(queue, {})[stage] = n
    return {queue: Depths(found, _oldest(transaction, queue, found)) for queue, found in counts.items()}


def _oldest(transaction: Transaction, queue: str, counts: Mapping[str, int]) -> float | None:
    if not any(counts.get(stage.value) for stage in (Stage.WAITING, Stage.READY, Stage.LEASED)):
        return None
    row = transaction.row(_OLDEST, (queue,))
    return row[0] if row else None


def queue_state(queue: str, found: Depths, *, limits: QueueLimits, now_s: float, done_per_minute: float) -> QueueState:
    """How `queue` is."""
    waiting = found.counts.get(Stage.WAITING, 0)
    return QueueState(
        queue=queue,
        ready=found.counts.get(Stage.READY, 0) + waiting,
        waiting=waiting,
        leased=found.counts.get(Stage.LEASED, 0),
        dead=found.counts.get(Stage.DEAD, 0),
        oldest_s=max(now_s - found.oldest_at_s, 0.0) if found.oldest_at_s is not None else 0.0,
        done_per_minute=done_per_minute,
        lanes=limits.lanes,
        max_waiting=limits.max_waiting,
    )


def retry(transaction: Transaction, which: int | str, *, now_s: float) -> tuple[str, ...]:
    """Give a dead or waiting job (by id), or dead letters of a queue, a fresh start; the queue of each."""
    sql = _RETRY_QUEUE if isinstance(which, str) else _RETRY_JOB
    return tuple(queue for (queue,) in transaction.rows(sql, (now_s, which)))
