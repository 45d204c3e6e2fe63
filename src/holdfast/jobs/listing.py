"""Listing: jobs and queues as people see them, and what people do to them."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.database import Transaction
from holdfast.job import Job, JobState, QueueState
from holdfast.jobs.limits import QueueLimits
from holdfast.jobs.rows import STATES, Stage, counted
from holdfast.jobs.sealing import Content, Envelopes

__all__ = ["COLUMNS", "JobsQuery", "job_of", "job_rows", "queue_state", "retry"]

COLUMNS = "id, queue, kind, priority, stage, attempts, enqueued_s, due_s, sealed, told, token"
_OLDEST = "SELECT min(enqueued_s) FROM jobs WHERE queue = ? AND stage IN ('waiting', 'ready', 'leased')"
_REVIVE = "UPDATE jobs SET stage = 'ready', attempts = 0, failures = 0, due_s = ?"
_RETRY_JOB = f"{_REVIVE} WHERE id = ? AND stage IN ('dead', 'waiting') RETURNING queue"
_RETRY_QUEUE = f"{_REVIVE} WHERE queue = ? AND stage = 'dead' RETURNING queue"


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


def queue_state(
    transaction: Transaction, queue: str, *, limits: QueueLimits, now_s: float, done_per_minute: float
) -> QueueState:
    """How `queue` is."""
    oldest = transaction.row(_OLDEST, (queue,))
    waiting = counted(transaction, queue, Stage.WAITING)
    return QueueState(
        queue=queue,
        ready=counted(transaction, queue, Stage.READY) + waiting,
        waiting=waiting,
        leased=counted(transaction, queue, Stage.LEASED),
        dead=counted(transaction, queue, Stage.DEAD),
        oldest_s=max(now_s - oldest[0], 0.0) if oldest and oldest[0] is not None else 0.0,
        done_per_minute=done_per_minute,
        lanes=limits.lanes,
        max_waiting=limits.max_waiting,
    )


def retry(transaction: Transaction, which: int | str, *, now_s: float) -> tuple[str, ...]:
    """Give a dead or waiting job (by id), or every dead letter of a queue, a fresh start; the queue of each."""
    sql = _RETRY_QUEUE if isinstance(which, str) else _RETRY_JOB
    return tuple(queue for (queue,) in transaction.rows(sql, (now_s, which)))
