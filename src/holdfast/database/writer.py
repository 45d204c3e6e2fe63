"""The one thread that writes: it drains the queue, runs each unit, commits once, then releases the callers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import apsw

from holdfast.database.connection import BUSY_TIMEOUT_MS, open_writer
from holdfast.database.failures import DatabaseBusy, DatabaseClosed, DiskFull, free_bytes, translated
from holdfast.database.units import DatabaseLimits, Ticket, Transaction
from holdfast.errors import HoldfastError
from holdfast.measure import Measures

__all__ = ["Writer"]

T = TypeVar("T")

_CHECKPOINT_WAIT_MS = 200  # for readers to finish: everybody who commits waits along
_TIGHT_BYTES = 16 << 20
_TIGHT_PAGES = 64
"""Once the disk was full, the log is cut this often until so much is free: its room is then the file's to grow in."""
_DISK_ERRORS = (apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.ReadOnlyError, apsw.CantOpenError)


class Writer:
    """Owns the writing connection, which no other thread touches. `claim` guards the queue's bound and the tickets."""

    def __init__(self, path: Path, limits: DatabaseLimits, *, measures: Measures, vfs: str | None) -> None:
        self._path = path
        self._limits = limits
        self._measures = measures
        self._vfs = vfs
        self._queue: SimpleQueue[Ticket[Any] | None] = SimpleQueue()
        self.claim = threading.Lock()
        self._closing = False
        self._log_pages = 0
        self._tight = False
        self.checkpoint_error: HoldfastError | None = None
        """Why the last checkpoint failed, if it did: the log then only grows."""
        self._connection: apsw.Connection | None = self._open()
        self._thread = threading.Thread(target=self._loop, name="database-writer", daemon=True)
        self._thread.start()

    def put(self, ticket: Ticket[Any]) -> None:
        """Queue `ticket`. Raises DatabaseBusy, DatabaseClosed."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a unit of work may not wait for another unit")
        with self.claim:  # so that nothing is queued behind the sentinel of close()
            if self._closing:
                raise DatabaseClosed("the node is stopping and takes no more changes", retry_after_s=5.0)
            if self._queue.qsize() >= self._limits.waiting_units:
                raise DatabaseBusy(f"{self._limits.waiting_units} changes are waiting for the disk already")
            self._queue.put(ticket)

    def checkpoint(self) -> Future[bool]:
        """Between two groups, copy the log into the file and cut it to nothing; False when a reader was in the way."""
        done: Future[bool] = Future()

        def act(connection: apsw.Connection) -> None:
            done.set_result(self._checkpoint(connection, apsw.SQLITE_CHECKPOINT_TRUNCATE))

        def unit(_: Transaction) -> None:
            raise _BetweenGroups(act, done)

        def report(queued: Future[None]) -> None:
            error = queued.exception()
            if not isinstance(error, _BetweenGroups):  # the disk failed before the unit was even begun
                done.set_exception(error)

        queued: Future[None] = Future()
        queued.add_done_callback(report)
        self.put(Ticket(unit, queued))
        return done

    def waiting(self) -> int:
        """Units that are queued now."""
        return self._queue.qsize()

    def close(self) -> None:
        """Commit what is queued, cut the log, close the connection."""
        with self.claim:
            if not self._closing:
                self._closing = True
                self._queue.put(None)
        self._thread.join()

    # Everything below runs on the writer thread (and, once, `_open` before the thread starts).

    def _loop(self) -> None:
        last = False
        while not last:
            group, last = self._next_group()
            if group:
                self._commit_group(group)
                for ticket in group:
                    ticket.settle()
                self._after_group(group)
        if self._connection is not None:
            with suppress(HoldfastError):  # a close without a checkpoint loses nothing: the next start reads the log
                self._checkpoint(self._connection, apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._drop_connection()

    def _next_group(self) -> tuple[list[Ticket[Any]], bool]:
        """Wait for one unit, then take all that are there; and say whether close() was called."""
        group: list[Ticket[Any]] = []
        ticket = self._queue.get()
        with self.claim, suppress(Empty):
            while ticket is not None:
                if not ticket.withdrawn:
                    ticket.taken = True
                    group.append(ticket)
                if len(group) >= self._limits.group_units:
                    break
                ticket = self._queue.get_nowait()
        return group, ticket is None

    def _commit_group(self, group: list[Ticket[Any]]) -> None:
        """Run and commit `group`: afterwards each ticket is durable, or has its error and left no trace."""
        started_s = time.monotonic()
        try:
            connection = self._connection = self._connection or self._open()
            connection.execute("BEGIN IMMEDIATE")
            for ticket in group:
                self._run_unit(connection, ticket, alone=len(group) == 1)
            if connection.in_transaction:
                connection.execute("COMMIT")
        except (apsw.Error, HoldfastError, OSError) as error:
            self._fail_group(group, error)
        self._measures.observe("ledger_commit_seconds", value=time.monotonic() - started_s)

    def _run_unit(self, connection: apsw.Connection, ticket: Ticket[Any], *, alone: bool) -> None:
        """Run one unit so that its failure undoes it alone. Raises apsw.Error when the disk is at fault."""
        if not alone:
            connection.execute("SAVEPOINT unit")
        try:
            ticket.value = ticket.unit(Transaction(connection))
        except _DISK_ERRORS:
            raise
        except BaseException as error:  # noqa: BLE001 - carried to the caller, who raises it
            ticket.error = error
            connection.execute("ROLLBACK" if alone else "ROLLBACK TO unit")
        if not alone:
            connection.execute("RELEASE unit")

    def _fail_group(self, group: list[Ticket[Any]], error: Exception) -> None:
        """Undo the whole group: SQLite may have rolled back by itself already, so no part of it can be kept."""
        meaning = translated(error, self._path)
        self._tight |= isinstance(meaning, DiskFull)
        for ticket in group:
            ticket.error = ticket.error or meaning
        if self._connection is None:
            return
        with suppress(apsw.Error):  # a rollback that fails is finished by the next connection
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        if self._connection.in_transaction or not isinstance(error, apsw.FullError):
            self._drop_connection()  # after an I/O error a fresh connection reads what is really on disk

    def _after_group(self, group: list[Ticket[Any]]) -> None:
        for ticket in group:
            if isinstance(ticket.error, _BetweenGroups):
                self._run_between(ticket.error)
        if self._connection is None:
            return
        with suppress(HoldfastError):  # kept in `checkpoint_error`; the log goes on growing meanwhile
            if self._tight and self._log_pages >= _TIGHT_PAGES:
                self._checkpoint(self._connection, apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._tight = free_bytes(self._path.parent) < _TIGHT_BYTES
            elif self._log_pages >= self._limits.checkpoint_pages:
                self._checkpoint(self._connection, apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _run_between(self, request: _BetweenGroups) -> None:
        try:
            self._connection = self._connection or self._open()
            request.act(self._connection)
        except Exception as error:  # noqa: BLE001 - carried to the caller, who raises it
            request.done.set_exception(error)

    def _checkpoint(self, connection: apsw.Connection, mode: int) -> bool:
        connection.set_busy_timeout(_CHECKPOINT_WAIT_MS)
        try:
            in_log, copied = connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return False
        except apsw.Error as error:
            self.checkpoint_error = translated(error, self._path)
            raise self.checkpoint_error from error
        finally:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        self.checkpoint_error = None
        self._log_pages = max(in_log - copied, 0)
        return in_log == copied

    def _open(self) -> apsw.Connection:
        return open_writer(self._path, vfs=self._vfs, on_commit=self._count_pages)

    def _count_pages(self, pages: int) -> None:
        self._log_pages = pages

    def _drop_connection(self) -> None:
        if self._connection is not None:
            with suppress(apsw.Error):  # what was promised is durable already
                self._connection.close(force=True)
        self._connection = None


class _BetweenGroups(Exception):
    """Carries an act through the queue, to be run outside any transaction."""

    def __init__(self, act: Callable[[apsw.Connection], None], done: Future[Any]) -> None:
        super().__init__("between groups")
        self.act = act
        self.done = done
