"""The queue's tables, and the statements that move a job from one stage to the next."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from holdfast.database import Transaction
from holdfast.job import JobState, advance

__all__ = [
    "MIGRATIONS",
    "STATES",
    "Held",
    "Stage",
    "close",
    "counted",
    "held",
    "insert",
    "leased",
    "next_due_s",
    "promote",
    "purge",
    "refund",
    "rest",
    "take",
]


class Stage(StrEnum):
    """A job's state as it is stored: one that waits for its time is apart, so that no lane has to skip it."""

    WAITING = "waiting"
    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"


STATES: Mapping[Stage, JobState] = {
    Stage.WAITING: JobState.READY,
    Stage.READY: JobState.READY,
    Stage.LEASED: JobState.LEASED,
    Stage.DONE: JobState.DONE,
    Stage.DEAD: JobState.DEAD,
}

Held = tuple[int, str, str, int, int]
"""Of a job that has or had a lease: id, queue, stage, attempts, failures."""

MIGRATIONS = (
    # `key`: keyed hash. `due_s`: when a waiting job may run, when a lease ends, when a job ended. `attempts`: runs that
    # count; `failures`: all runs, for the backoff.
    """CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, kind TEXT NOT NULL, key BLOB NOT NULL UNIQUE,
        priority INTEGER NOT NULL, stage TEXT NOT NULL, attempts INTEGER NOT NULL, failures INTEGER NOT NULL,
        token INTEGER NOT NULL, enqueued_s REAL NOT NULL, due_s REAL NOT NULL, sealed BLOB, told BLOB
    ) STRICT""",
    "CREATE INDEX jobs_to_run ON jobs (queue, priority DESC, id) WHERE stage = 'ready'",
    "CREATE INDEX jobs_by_due ON jobs (queue, stage, due_s)",
    "CREATE INDEX jobs_open ON jobs (queue, enqueued_s) WHERE stage IN ('waiting', 'ready', 'leased')",
    "CREATE TABLE job_counts (queue TEXT, stage TEXT, n INTEGER NOT NULL, PRIMARY KEY (queue, stage)) STRICT",
    """CREATE TRIGGER jobs_in AFTER INSERT ON jobs BEGIN
        INSERT INTO job_counts VALUES (new.queue, new.stage, 1) ON CONFLICT (queue, stage) DO UPDATE SET n = n + 1;
    END""",
    """CREATE TRIGGER jobs_moved AFTER UPDATE OF stage ON jobs WHEN old.stage <> new.stage BEGIN
        UPDATE job_counts SET n = n - 1 WHERE queue = old.queue AND stage = old.stage;
        INSERT INTO job_counts VALUES (new.queue, new.stage, 1) ON CONFLICT (queue, stage) DO UPDATE SET n = n + 1;
    END""",
    """CREATE TRIGGER jobs_out AFTER DELETE ON jobs BEGIN
        UPDATE job_counts SET n = n - 1 WHERE queue = old.queue AND stage = old.stage;
    END""",
    # A time that has certainly been: after a power cut the node's age may go back by a minute, the queue's time not.
    "CREATE TABLE job_time (id INTEGER PRIMARY KEY CHECK (id = 1), at_s REAL NOT NULL) STRICT",
    "INSERT INTO job_time VALUES (1, 0.0)",
)

_PROMOTED_AT_ONCE = 100  # each lease promotes more than it takes

_INSERT = """
    INSERT INTO jobs (queue, kind, key, priority, stage, attempts, failures, token, enqueued_s, due_s, sealed)
    VALUES (?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?) ON CONFLICT (key) DO NOTHING RETURNING id"""
_PROMOTE = """
    UPDATE jobs SET stage = 'ready' WHERE id IN (
        SELECT id FROM jobs WHERE queue = ? AND stage = 'waiting' AND due_s <= ? ORDER BY due_s LIMIT ?
    )"""
_NEXT = "SELECT id FROM jobs WHERE queue = ? AND stage = 'ready' ORDER BY priority DESC, id LIMIT 1"
_TAKE = """
    UPDATE jobs SET stage = 'leased', attempts = attempts + 1, failures = failures + 1, token = token + 1, due_s = ?
    WHERE id = ?"""
_NEXT_DUE = "SELECT min(due_s) FROM jobs WHERE queue = ? AND stage = ?"
_HELD = "SELECT id, queue, stage, attempts, failures FROM jobs"
_CLOSE = """
    UPDATE jobs SET stage = 'done', due_s = ?, sealed = NULL, told = NULL
    WHERE id = ? AND token = ? AND stage = 'leased'"""
_REST = "UPDATE jobs SET stage = ?, due_s = ?, told = ? WHERE id = ?"
_COUNTS = "SELECT stage, n FROM job_counts WHERE queue = ?"
_PURGE_ENDED = """
    DELETE FROM jobs WHERE id IN (
        SELECT id FROM jobs WHERE queue = ? AND stage = ? AND due_s <= ? ORDER BY due_s LIMIT ?
    )"""
_PURGE_OPEN = """
    DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE queue = ? AND stage = ? AND enqueued_s <= ? LIMIT ?)"""


def insert(transaction: Transaction, values: tuple[object, ...]) -> int | None:
    """Insert (queue, kind, key, priority, stage, enqueued_s, due_s, sealed); None when the key is known."""
    found = transaction.rows(_INSERT, values)
    return int(found[0][0]) if found else None


def promote(transaction: Transaction, queue: str, now_s: float) -> None:
    """Make ready what has waited for its time: as many as a unit may take, those first that were due first."""
    transaction.run(_PROMOTE, (queue, now_s, _PROMOTED_AT_ONCE))


def take(transaction: Transaction, queue: str, *, until_s: float) -> int | None:
    """Lease the job whose turn it is, until `until_s`; its id, or None."""
    found = transaction.row(_NEXT, (queue,))
    if found is None:
        return None
    transaction.run(_TAKE, (until_s, found[0]))
    return int(found[0])


def next_due_s(transaction: Transaction, queue: str) -> float | None:
    """When the next of `queue` may run or loses its lease; None when nothing waits for a time."""
    found = [transaction.row(_NEXT_DUE, (queue, stage.value)) for stage in (Stage.WAITING, Stage.LEASED)]
    times = [float(row[0]) for row in found if row is not None and row[0] is not None]
    return min(times, default=None)


def held(transaction: Transaction, job_id: int, token: int) -> Held | None:
    """The job, if the latest lease of it has this token; it may have ended meanwhile."""
    found: Held | None = transaction.row(f"{_HELD} WHERE id = ? AND token = ?", (job_id, token))
    return found


def leased(transaction: Transaction, queue: str, *, until_s: float) -> list[Held]:
    """Jobs of `queue` whose lease ended at or before `until_s`."""
    sql = f"{_HELD} WHERE queue = ? AND stage = 'leased' AND due_s <= ?"
    found: list[Held] = transaction.rows(sql, (queue, until_s))
    return found


def close(transaction: Transaction, job_id: int, token: int, *, now_s: float) -> bool:
    """Mark the job done and drop what it carried; False when `token` no longer holds it."""
    transaction.run(_CLOSE, (now_s, job_id, token))
    return bool(transaction.changed())


def rest(transaction: Transaction, job_id: int, stage: Stage, *, due_s: float, told: bytes) -> None:
    """Put a leased job back, or away for good, saying why."""
    advance(JobState.LEASED, STATES[stage])
    transaction.run(_REST, (stage.value, due_s, told, job_id))


def refund(transaction: Transaction, job_id: int) -> None:
    """Let the last run not count."""
    transaction.run("UPDATE jobs SET attempts = attempts - 1 WHERE id = ?", (job_id,))


def counted(transaction: Transaction, queue: str, *stages: Stage) -> int:
    """How many jobs of `queue` are in one of `stages`; kept by triggers, so that nobody has to count."""
    return sum(int(n) for stage, n in transaction.rows(_COUNTS, (queue,)) if stage in stages)


def purge(transaction: Transaction, queue: str, stage: Stage, *, before_s: float, most: int) -> int:
    """Delete at most `most` jobs of `stage`; returns how many.

    Those that ended at or before `before_s`, oldest first; of a stage that is no end, those that were enqueued by then.
    """
    sql = _PURGE_OPEN if stage in {Stage.WAITING, Stage.READY} else _PURGE_ENDED
    transaction.run(sql, (queue, stage.value, before_s, most))
    return transaction.changed()
