"""Jobs: the durable queue. Enqueue in any unit of work; lease, run and finish with a fencing token."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from holdfast.clock import Clock
from holdfast.database import Database, Transaction
from holdfast.errors import HoldfastError, Unavailable
from holdfast.job import Again, Dead, Done, Job, JobState, Lease, NewJob, Outcome, QueueState
from holdfast.jobs import rows
from holdfast.jobs.bell import Bell
from holdfast.jobs.limits import QueueLimits, backoff_s
from holdfast.jobs.listing import AT_ONCE, COLUMNS, Depths, JobsQuery, depths, job_of, job_rows, queue_state, retry
from holdfast.jobs.pace import Pace
from holdfast.jobs.rows import Held, Stage
from holdfast.jobs.sealing import Content, Envelopes, Telling
from holdfast.vault import Vault

__all__ = ["Jobs", "LeaseLost", "Moments", "NodeAge", "QueueFull"]

_DAY_S = 86_400.0
_KEPT_S: Mapping[Stage, float] = {
    Stage.DONE: 30 * _DAY_S,  # as long as the ledger knows a delivery's key
    Stage.DEAD: 90 * _DAY_S,  # its payload is unreadable long before: nobody could retry it
}
_MOST_ENDED = 100_000  # of each queue, done and dead
_MOST_REASON, _MOST_LOG = 1_000, 8_000  # characters
_PRUNE_EVERY_S = 60.0
_TICK_S = 1.0  # how much of the queue's time a power cut may take
_FULL_RETRY_S = 10.0
_UNREADABLE = "it waited longer than the ledger keeps payloads: its key was destroyed, nobody can read it any more"


class LeaseLost(HoldfastError):
    """The job was leased again, or ended, since this lease was given: nothing was written."""


class QueueFull(Unavailable):
    """As many jobs wait in the queue as it may hold."""


class NodeAge(Protocol):
    """The node's age, which no wall clock can move: `facts.Facts`, a sibling this layer may not name."""

    def age_s(self) -> float:
        """Seconds this node has run."""

    def age_days(self) -> int:
        """Whole days of them."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Where the queue's times come from."""

    age: NodeAge
    """For what outlives the process."""
    clock: Clock
    """For what ends with it."""


class Jobs:
    """The queues of one node. Any thread may call anything; the database's writer puts changes in order.

    `_lock` guards the tables of bells and paces. What takes a `transaction` is durable with the caller's unit of work.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        moments: Moments,
        limits: Mapping[str, QueueLimits],
        rng: random.Random,
    ) -> None:
        database.migrate("jobs", rows.MIGRATIONS)
        self._database, self._vault, self._moments, self._rng = database, vault, moments, rng
        self._envelopes = Envelopes(vault, moments.age.age_days())
        self.limits = limits
        """By queue; replaced whole when settings change."""
        self._lock = threading.Lock()
        self._bells: dict[str, Bell] = {}
        self._paces: dict[str, Pace] = {}
        self._prune_at_s = 0.0
        self._next_due_s: dict[str, float | None] = {}
        self._ticked_s = float(database.read(lambda t: t.rows("SELECT at_s FROM job_time"))[0][0])
        self._ahead_s = max(self._ticked_s - moments.age.age_s(), 0.0)

    def enqueue(self, transaction: Transaction, job: NewJob) -> int | None:
        """Add `job`; returns its id, or None when its key is known already.

        Raises QueueFull, which must end the unit; ValueError for a job without a key.
        """
        if not job.key:
            raise ValueError(f"a job of kind {job.kind} needs an idempotency key")
        now_s = self._tick(transaction)
        stage = Stage.WAITING if job.delay_s > 0 else Stage.READY
        sealed = self._envelopes.seal(Content(job.key, job.payload))
        key = self._vault.hmac("idempotency", b"job\0" + job.key.encode())
        values = (job.queue, job.kind, key, job.priority, stage.value, now_s, now_s + max(job.delay_s, 0.0), sealed)
        job_id = rows.insert(transaction, values)
        if job_id is None:
            return None
        most = self.limits_of(job.queue).max_waiting
        if self._waiting(transaction, job.queue) > most:
            raise QueueFull(
                f"queue {job.queue}: {most} jobs wait already, as many as queues.{job.queue}.max_waiting allows; "
                "`holdfast jobs list` says why they wait",
                retry_after_s=_FULL_RETRY_S,
            )
        self.bell(job.queue).ring()  # before the commit: whoever it wakes queues behind it at the writer
        return job_id

    def has_room(self, transaction: Transaction, queue: str) -> bool:
        """Say whether `queue` takes another job in this unit: for work that is worth less than the unit itself."""
        return self._waiting(transaction, queue) < self.limits_of(queue).max_waiting

    def _waiting(self, transaction: Transaction, queue: str) -> int:
        return rows.counted(transaction, queue, Stage.WAITING, Stage.READY)

    def lease(self, queue: str) -> Lease | None:
        """Lease the job of `queue` whose turn it is, or return None; that its run begins is durable then.

        Raises Unavailable when the disk does not take it.
        """
        while (lease := self._database.commit(lambda t: self._lease_in(t, queue))) is not None:
            if lease.job.key:
                return lease
            self.finish(lease, Dead(_UNREADABLE))
        return None

    def wait_s(self, queue: str) -> float | None:
        """Seconds until `queue` has something to lease, as the last `lease` saw it; None: not before its bell rings."""
        due_s = self._next_due_s.get(queue)
        return None if due_s is None else max(due_s - self._now_s(), 0.0)

    def finish(self, lease: Lease, outcome: Outcome, *, extra: Callable[[Transaction], None] | None = None) -> None:
        """Write down how the run ended; `extra` becomes durable with a Done.

        A job that is done by this very lease stays done, and `extra` is not run again. Raises LeaseLost, and then
        nothing was written.
        """
        told = self._told(outcome) if isinstance(outcome, Again | Dead) else b""

        def unit(transaction: Transaction) -> None:
            if isinstance(outcome, Again | Dead):
                self._put_back(transaction, lease, outcome, told=told)
                return
            job = rows.held(transaction, lease.job.id, lease.token)
            if job is None or job[2] != Stage.DONE:
                self.complete_in(transaction, lease)
                if extra is not None:
                    extra(transaction)

        self._database.commit(unit)
        if isinstance(outcome, Done):
            self._pace(lease.job.queue).count(self._moments.clock.monotonic_s())
        else:
            self.bell(lease.job.queue).ring()

    def complete_in(self, transaction: Transaction, lease: Lease) -> None:
        """Mark the job done in somebody's unit of work. Raises LeaseLost, which must end the unit."""
        if not rows.close(transaction, lease.job.id, lease.token, now_s=self._tick(transaction)):
            raise _lost(lease)

    def release_all(self) -> int:
        """Take every lease back: the process that held them is gone. Returns how many there were.

        Its run counts: a job that ends the node each time becomes a dead letter.
        """
        queues = self._queues()

        def unit(transaction: Transaction) -> int:
            found = [job for queue in queues for job in rows.leased(transaction, queue, until_s=float("inf"))]
            return self._take_back(transaction, found, "the node ended while it ran")

        return self._database.commit(unit)

    def step(self) -> None:
        """Seal under today's key; forget what ended long ago, a little at a time. Called by the node's jobs loop."""
        self._envelopes.renew(self._moments.age.age_days())
        monotonic_s = self._moments.clock.monotonic_s()
        if monotonic_s < self._prune_at_s:
            return
        self._prune_at_s = monotonic_s + _PRUNE_EVERY_S
        for queue in self._queues():
            for stage in _KEPT_S:
                self._prune(queue, stage)

    def bell(self, queue: str) -> Bell:
        """What rings when `queue` may have work."""
        with self._lock:
            return self._bells.setdefault(queue, Bell())

    def limits_of(self, queue: str) -> QueueLimits:
        """The limits of `queue`."""
        return self.limits.get(queue, QueueLimits())

    def states(self) -> tuple[QueueState, ...]:
        """How each queue is."""
        found = self._database.read(depths)
        now_s, monotonic_s = self._now_s(), self._moments.clock.monotonic_s()
        return tuple(
            queue_state(
                queue,
                found.get(queue, Depths({}, None)),
                limits=self.limits_of(queue),
                now_s=now_s,
                done_per_minute=self._pace(queue).per_minute(monotonic_s),
            )
            for queue in sorted({*self.limits, *found})
        )

    def list(self, query: JobsQuery) -> tuple[Job, ...]:
        """Jobs that match `query`, newest first; what is done carries neither key nor payload any more."""
        now_s = self._now_s()
        found = self._database.read(lambda t: job_rows(t, query))
        return tuple(job_of(row, self._envelopes, now_s=now_s) for row in found)

    def retry(self, transaction: Transaction, which: int | str) -> int:
        """Give a dead or waiting job (by id), or dead letters of a queue, a fresh start now; returns how many.

        Of a queue at most AT_ONCE: call again, in another unit, until it returns none.
        """
        revived = retry(transaction, which, now_s=self._tick(transaction))
        for queue in set(revived):
            self.bell(queue).ring()
        return len(revived)

    def purge(self, transaction: Transaction, queue: str, *, state: JobState, older_s: float = 0.0) -> int:
        """Delete jobs of `queue` that have been in `state`, not leased, for `older_s` or longer; returns how many.

        At most AT_ONCE of each stage: call again, in another unit, until it returns none.
        """
        if state is JobState.LEASED:
            raise ValueError("a job that runs cannot be purged")
        before_s = self._now_s() - older_s
        stages = [stage for stage, shown in rows.STATES.items() if shown is state]
        return sum(rows.purge(transaction, queue, stage, before_s=before_s, most=AT_ONCE) for stage in stages)

    def _lease_in(self, transaction: Transaction, queue: str) -> Lease | None:
        now_s, limits = self._tick(transaction), self.limits_of(queue)
        expired = rows.leased(transaction, queue, until_s=now_s)
        self._take_back(transaction, expired, f"its run took longer than the lease of {limits.lease_s:g} s")
        rows.promote(transaction, queue, now_s)
        job_id = rows.take(transaction, queue, until_s=now_s + limits.lease_s)
        if job_id is None:
            self._next_due_s[queue] = rows.next_due_s(transaction, queue)
            return None
        (row,) = transaction.rows(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", (job_id,))  # noqa: S608  # only our own words
        until_s = self._moments.clock.monotonic_s() + limits.lease_s
        return Lease(job_of(row, self._envelopes, now_s=now_s), token=row[-1], until_s=until_s)

    def _put_back(self, transaction: Transaction, lease: Lease, outcome: Again | Dead, *, told: bytes) -> None:
        job = rows.held(transaction, lease.job.id, lease.token)
        if job is None or job[2] != Stage.LEASED:
            raise _lost(lease)
        job_id, queue, _, attempts, failures = job
        now_s, limits = self._tick(transaction), self.limits_of(queue)
        if isinstance(outcome, Dead) or (outcome.counts and attempts >= limits.max_attempts):
            rows.rest(transaction, job_id, Stage.DEAD, due_s=now_s, told=told)
            return
        pause_s = backoff_s(limits, failures, self._rng) if outcome.after_s is None else max(outcome.after_s, 0.0)
        rows.rest(transaction, job_id, Stage.WAITING, due_s=now_s + pause_s, told=told)
        if not outcome.counts:
            rows.refund(transaction, job_id)

    def _take_back(self, transaction: Transaction, jobs: Iterable[Held], why: str) -> int:
        now_s, count = self._tick(transaction), 0
        for job_id, queue, _, attempts, failures in jobs:
            limits = self.limits_of(queue)
            poison = attempts >= limits.max_attempts
            told = self._envelopes.seal(Telling(f"{why}, on run {attempts}"))
            # Once is hardly the job's fault; one that ends the node each time must leave it time to work.
            pause_s = backoff_s(limits, failures, self._rng) if failures > 1 else 0.0
            rows.rest(transaction, job_id, Stage.DEAD if poison else Stage.WAITING, due_s=now_s + pause_s, told=told)
            count += 1
        return count

    def _prune(self, queue: str, stage: Stage) -> None:
        old_s = self._now_s() - _KEPT_S[stage]

        def unit(transaction: Transaction) -> None:
            excess = rows.counted(transaction, queue, stage) - _MOST_ENDED
            rows.purge(transaction, queue, stage, before_s=old_s, most=AT_ONCE)
            if excess > 0:
                rows.purge(transaction, queue, stage, before_s=self._now_s(), most=min(excess, AT_ONCE))

        self._database.commit(unit)

    def _queues(self) -> tuple[str, ...]:
        """Every queue that ever had a job."""
        return tuple(self._database.read(depths))

    def _told(self, outcome: Again | Dead) -> bytes:
        return self._envelopes.seal(Telling(outcome.reason[:_MOST_REASON], outcome.log[-_MOST_LOG:]))

    def _pace(self, queue: str) -> Pace:
        with self._lock:
            return self._paces.setdefault(queue, Pace())

    def _now_s(self) -> float:
        """The queue's time: the node's age, but never before a time at which a job was changed."""
        return self._moments.age.age_s() + self._ahead_s

    def _tick(self, transaction: Transaction) -> float:
        now_s = self._now_s()
        if now_s - self._ticked_s >= _TICK_S:
            transaction.run("UPDATE job_time SET at_s = ?", (now_s,))
            self._ticked_s = now_s
        return now_s


def _lost(lease: Lease) -> LeaseLost:
    job = lease.job
    return LeaseLost(f"job {job.id} ({job.kind}): expected to hold its lease, found it given to another run, or ended")
