"""The database as everybody else sees it: commit, submit, read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from holdfast.database.connection import sync_directory
from holdfast.database.failures import CommitUncertain, DatabaseBusy, DatabaseClosed, DiskFull, NewerState
from holdfast.database.readers import Readers
from holdfast.database.units import DatabaseLimits, Ticket, Transaction
from holdfast.database.writer import Writer
from holdfast.errors import HoldfastError
from holdfast.measure import Measures

__all__ = ["Database"]

T = TypeVar("T")

_SPARE_STEP_BYTES = 1 << 20  # enough for the shared memory and the first commits


class Database:
    """One SQLite file in WAL mode with synchronous=FULL: one writer thread, a few readers, any number of callers."""

    def __init__(
        self,
        path: Path,
        limits: DatabaseLimits | None = None,
        *,
        measures: Measures | None = None,
        spare: Path | None = None,
        vfs: str | None = None,
    ) -> None:
        """Open or make the file at `path`.

        `spare` is a file that may be shortened when the disk is too full even to open the database. Raises DiskFull,
        DiskFailed, DatabaseDamaged.
        """
        self._path = path
        self._limits = limits or DatabaseLimits()
        self.measures = measures or Measures()
        path.touch(mode=0o600)  # SQLite gives the log and the shared memory the same mode
        self._writer = self._open_writer(spare, vfs)
        self._readers = Readers(path, self._limits, vfs=vfs)
        self._closed = False
        sync_directory(path.parent)

    @property
    def path(self) -> Path:
        """The database file."""
        return self._path

    def migrate(self, component: str, steps: Sequence[str]) -> None:
        """Bring the tables of `component` to version `len(steps)`, each step once, all in one transaction.

        Raises NewerState, before anything is written, when the file holds a later version than this.
        """

        def unit(transaction: Transaction) -> None:
            found = transaction.row("SELECT version FROM schema WHERE component = ?", (component,))
            version = int(found[0]) if found else 0
            if version > len(steps):
                raise NewerState(
                    f"{self._path}: the {component} tables have version {version}, this Holdfast knows up to "
                    f"{len(steps)}; start the newer Holdfast, or restore a backup made by this one"
                )
            for step in steps[version:]:
                transaction.run(step)
            if version < len(steps):
                transaction.run("INSERT OR REPLACE INTO schema VALUES (?, ?)", (component, len(steps)))

        self.commit(unit)

    def commit(self, unit: Callable[[Transaction], T]) -> T:
        """Run `unit` on the writer and return its value once it is durable.

        What the unit raises is raised here, and nothing of the unit is kept. Raises DiskFull, DiskFailed, DatabaseBusy,
        and CommitUncertain when the disk does not answer in time. Never call it from inside a unit.
        """
        ticket = Ticket(unit, None)
        self._writer.put(ticket)
        if not ticket.done.acquire(timeout=self._limits.commit_timeout_s):
            self._wait_longer(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.value  # type: ignore[return-value]  # set by the unit, which returns T

    def submit(self, unit: Callable[[Transaction], T]) -> Future[T]:
        """Like `commit`, without waiting: the future is done once the unit is durable."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._writer.put(Ticket(unit, future))
        return future

    def read(self, query: Callable[[Transaction], T]) -> T:
        """Run `query` in one snapshot on a query-only connection, beside the writer."""
        if self._closed:
            raise DatabaseClosed("the node is stopping", retry_after_s=5.0)
        return self._readers.read(query)

    def checkpoint(self) -> bool:
        """Copy the write-ahead log into the file and cut the log to nothing; False when a reader was in the way."""
        return self._writer.checkpoint().result(timeout=2 * self._limits.commit_timeout_s)

    def checkpoint_error(self) -> HoldfastError | None:
        """Why the last checkpoint failed, if it did: the log then only grows."""
        return self._writer.checkpoint_error

    def waiting(self) -> int:
        """Units that are queued now."""
        return self._writer.waiting()

    def close(self) -> None:
        """Commit what is queued, cut the log, close every connection."""
        if self._closed:
            return
        self._closed = True
        self._readers.close()  # first: an open reader would keep the log from being cut
        self._writer.close()

    def _open_writer(self, spare: Path | None, vfs: str | None) -> Writer:
        while True:
            try:
                return Writer(self._path, self._limits, measures=self.measures, vfs=vfs)
            except DiskFull:
                if spare is None or not spare.exists() or not spare.stat().st_size:
                    raise
                os.truncate(spare, max(spare.stat().st_size - _SPARE_STEP_BYTES, 0))

    def _wait_longer(self, ticket: Ticket[T]) -> None:
        """Withdraw a unit the writer has not begun; wait once more for one that it has."""
        with self._writer.claim:
            ticket.withdrawn = not ticket.taken
        limit_s = self._limits.commit_timeout_s
        if ticket.withdrawn:
            raise DatabaseBusy(f"the disk was too slow to begin a change within {limit_s:g} s; nothing was changed")
        if not ticket.done.acquire(timeout=limit_s):
            raise CommitUncertain(
                f"the disk did not confirm a change within {2 * limit_s:g} s; it may or may not be kept"
            )
