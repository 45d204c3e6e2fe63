"""Reading the ledger back: what to look for, and a page of what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

import msgspec

from holdfast.database import Database, Transaction
from holdfast.ledger.rows import ROW_COLUMNS, Row, lookup
from holdfast.record import Header
from holdfast.tier import Tier

__all__ = ["Ahead", "Entry", "Page", "Query", "ahead", "scan"]

_WINDOW = 20_000  # entries looked at in one read: about 20 ms on a Pi, so that no reader holds the log for long
_WINDOW_SQL = ROW_COLUMNS + " WHERE e.sequence >= ? AND e.sequence < ?{} ORDER BY e.sequence DESC LIMIT ?"
_MOST_WINDOWS = 25  # then a page may come back short, with a cursor to go on from


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry, opened."""

    header: Header
    state: Literal["kept", "erased", "headers_only"]
    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries, newest first; every condition that is given must hold."""

    kinds: tuple[str, ...] = ()
    since_at: datetime | None = None
    until_at: datetime | None = None
    """Up to but not at; both by the wall clock of the time, which may have been wrong."""
    tier: Tier | None = None
    band: str | None = None
    subject: str | None = None
    team: str | None = None
    """Empty: what belongs to no team. None: whosoever it is."""
    limit: int = 100
    before: int | None = None
    """Only entries with a smaller sequence: `Page.next_before` of the page before."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. `next_before` is None when there is no more; a page may be short and still have one."""

    entries: tuple[Entry, ...]
    next_before: int | None


class Ahead(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded since, oldest first."""

    entries: tuple[Entry, ...]
    through: int
    """Nothing up to this sequence is missing; to be asked after next."""
    last: int
    """Of the ledger now: there is more while `through` is smaller."""


def ahead(database: Database, after: int, *, kinds: tuple[str, ...], limit: int) -> tuple[list[Row], int, int]:
    """Rows of `kinds` after sequence `after`, oldest first, how far that looked, and the last sequence there is."""
    marks = ", ".join("?" for _ in kinds)
    sql = f"{ROW_COLUMNS} WHERE e.sequence > ? AND e.sequence <= ? AND +e.kind IN ({marks}) ORDER BY e.sequence LIMIT ?"

    def query(transaction: Transaction) -> tuple[list[Row], int, int]:
        last = _end(transaction) - 1
        through = min(after + _WINDOW, last)
        if through <= after:
            return [], after, last
        rows = [Row(*row) for row in transaction.rows(sql, (after, through, *kinds, limit))]
        return rows, rows[-1].sequence if len(rows) == limit else through, last

    return database.read(query)


def scan(database: Database, query: Query, *, subject_key: int | None) -> tuple[list[Row], int | None]:
    """Rows that match `query`, newest first, and where to go on; each window is read in a snapshot of its own."""
    where, bindings = _conditions(query)
    if subject_key is not None:
        return database.read(lambda t: _of_sequences(t, query, lookup(t, subject_key), where=(where, bindings)))
    rows: list[Row] = []
    top = query.before if query.before is not None else database.read(_end)
    for _ in range(_MOST_WINDOWS):
        bottom = 1 if query.band is not None else max(top - _WINDOW, 1)  # a band has an index of its own
        values = (bottom, top, *bindings, query.limit - len(rows))
        rows += [
            Row(*row)
            for row in database.read(partial(Transaction.rows, sql=_WINDOW_SQL.format(where), bindings=values))
        ]
        if len(rows) == query.limit:
            return rows, rows[-1].sequence if rows[-1].sequence > 1 else None
        top = bottom
        if top <= 1:
            return rows, None
    return rows, top


def _of_sequences(
    transaction: Transaction, query: Query, sequences: list[int], *, where: tuple[str, tuple[Any, ...]]
) -> tuple[list[Row], int | None]:
    wanted = [s for s in sequences if query.before is None or s < query.before]
    rows: list[Row] = []
    for sequence in wanted:
        found = transaction.row(f"{ROW_COLUMNS} WHERE e.sequence = ?{where[0]}", (sequence, *where[1]))
        rows += [Row(*found)] if found else []
        if len(rows) == query.limit:
            return rows, sequence if sequence != wanted[-1] else None
    return rows, None


def _end(transaction: Transaction) -> int:
    (last,) = transaction.row("SELECT max(sequence) FROM entries") or (None,)
    return (last or 0) + 1


def _conditions(query: Query) -> tuple[str, tuple[Any, ...]]:
    """SQL for the conditions on columns, each beginning with AND, and its bindings."""
    kinds = ", ".join("?" for _ in query.kinds)
    column = "+e.kind" if query.band is None else "e.kind"  # `+`: no index of kinds, which would sort the whole ledger
    given: list[tuple[str, tuple[Any, ...]]] = [
        (f"{column} IN ({kinds})", query.kinds or ()),
        ("e.recorded_ms >= ?", (_milliseconds(query.since_at),) if query.since_at else ()),
        ("e.recorded_ms < ?", (_milliseconds(query.until_at),) if query.until_at else ()),
        ("e.tier = ?", (query.tier.value,) if query.tier else ()),
        ("e.band = ?", (query.band,) if query.band is not None else ()),
    ]
    if query.team is not None:
        given.append(("e.team IS ?", (query.team or None,)))
    kept = [(sql, bindings) for sql, bindings in given if bindings]
    return "".join(f" AND {sql}" for sql, _ in kept), tuple(value for _, bindings in kept for value in bindings)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
