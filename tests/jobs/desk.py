"""A queue on a database of its own, with a clock and chances that a test holds."""

from __future__ import annotations

import random
from pathlib import Path

from holdfast.database import Database
from holdfast.facts import Facts
from holdfast.job import Lease, NewJob
from holdfast.jobs import Jobs, Moments, QueueLimits
from holdfast.vault import Vault
from tests.ledger.desk import HeldClock

QUEUE = "write-back"


def new_job(key: str = "k", *, queue: str = QUEUE, priority: int = 0, delay_s: float = 0.0) -> NewJob:
    return NewJob(queue=queue, kind="note", payload=key.encode(), key=key, priority=priority, delay_s=delay_s)


class Desk:
    """One queue of a node; `reopen` is what the next process finds."""

    def __init__(self, directory: Path, limits: QueueLimits | None = None, *, vfs: str | None = None) -> None:
        self.directory, self.limits, self._vfs = directory, limits or QueueLimits(), vfs
        self.clock = HeldClock()
        self._open()

    def _open(self) -> None:
        self.database = Database(self.directory / "node.db", vfs=self._vfs)
        self.vault = Vault(self.database, self.directory / "node.key")
        self.facts = Facts(self.database, self.vault, clock=self.clock)
        self.jobs = Jobs(
            self.database,
            self.vault,
            moments=Moments(age=self.facts, clock=self.clock),
            limits={QUEUE: self.limits},
            rng=random.Random(7),
        )

    def reopen(self) -> Jobs:
        """The process ended without a word, its age unsaved; the next one begins."""
        self.database.close()
        self._open()
        return self.jobs

    def add(self, *keys: str, **options: object) -> list[int | None]:
        return [self.database.commit(lambda t, k=key: self.jobs.enqueue(t, new_job(k, **options))) for key in keys]  # type: ignore[arg-type, misc]

    def lease(self, queue: str = QUEUE) -> Lease:
        lease = self.jobs.lease(queue)
        assert lease is not None
        return lease
