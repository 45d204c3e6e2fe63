"""Units of work: what a caller hands to the writer, and the SQL it may run there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import apsw

__all__ = ["DatabaseLimits", "Ticket", "Transaction"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """What one database may hold in memory and how long anybody waits for it."""

    waiting_units: int = 4096
    group_units: int = 512
    """Most units behind one fsync; more would make the first of them wait for the last."""
    commit_timeout_s: float = 10.0
    readers: int = 4
    reader_timeout_s: float = 10.0
    checkpoint_pages: int = 1000
    """Pages in the write-ahead log that start a checkpoint: 4 MB, as SQLite's own default."""


class Transaction:
    """The SQL a unit of work may run; valid only inside the unit."""

    __slots__ = ("_connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, bindings: Sequence[Any] = ()) -> None:
        """Run one statement for its effect."""
        self._connection.execute(sql, bindings)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement once for each row of bindings."""
        self._connection.executemany(sql, rows)

    def row(self, sql: str, bindings: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return self._connection.execute(sql, bindings).fetchone()

    def rows(self, sql: str, bindings: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Every row."""
        return self._connection.execute(sql, bindings).fetchall()

    def changed(self) -> int:
        """Rows changed by the last statement."""
        return self._connection.changes()


class Ticket(Generic[T]):
    """A unit on its way through the writer. `taken` and `withdrawn` are guarded by the writer's claim lock."""

    __slots__ = ("done", "error", "future", "taken", "unit", "value", "withdrawn")

    def __init__(self, unit: Callable[[Transaction], T], future: Future[T] | None) -> None:
        self.unit = unit
        self.future = future
        self.value: T | None = None
        self.error: BaseException | None = None
        self.taken = self.withdrawn = False
        self.done = threading.Lock()  # a bare lock: an Event costs ten times as much, and this is used once
        self.done.acquire()

    def settle(self) -> None:
        """Let the waiting caller go on."""
        if self.future is None:
            self.done.release()
        elif self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)  # type: ignore[arg-type]  # set by the unit, which returns T
