"""The few query-only connections that read beside the writer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

import apsw

from holdfast.database.connection import open_reader
from holdfast.database.failures import DatabaseBusy, translated
from holdfast.database.units import DatabaseLimits, Transaction

__all__ = ["Readers"]

T = TypeVar("T")


class Readers:
    """A bounded pool: one connection per thread would cost memory for each of a server's hundreds of threads."""

    def __init__(self, path: Path, limits: DatabaseLimits, *, vfs: str | None) -> None:
        self._path = path
        self._vfs = vfs
        self._count = limits.readers
        self._timeout_s = limits.reader_timeout_s
        self._idle: SimpleQueue[apsw.Connection | None] = SimpleQueue()
        for _ in range(limits.readers):
            self._idle.put(None)  # a slot; its connection is opened when first wanted

    def read(self, query: Callable[[Transaction], T]) -> T:
        """Run `query` in one snapshot. Raises DatabaseBusy when no reader comes free in time."""
        try:
            connection = self._idle.get(timeout=self._timeout_s)
        except Empty:
            raise DatabaseBusy(f"all {self._count} database readers are busy") from None
        try:
            connection = connection or open_reader(self._path, vfs=self._vfs)
            return _in_snapshot(connection, query)
        except apsw.Error as error:
            if connection is not None:
                connection.close(force=True)
                connection = None
            raise translated(error, self._path) from error
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        """Wait for each reader to come back, then close it."""
        for _ in range(self._count):
            try:
                connection = self._idle.get(timeout=self._timeout_s)
            except Empty:
                return  # a reader that hangs dies with the process
            if connection is not None:
                connection.close(force=True)


def _in_snapshot(connection: apsw.Connection, query: Callable[[Transaction], T]) -> T:
    connection.execute("BEGIN")
    try:
        return query(Transaction(connection))
    finally:
        connection.execute("ROLLBACK")
