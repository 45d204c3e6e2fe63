"""The ledger's tables, and the statements that write and read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.database import Transaction
from holdfast.ledger.chain import GENESIS, Link, erased_through

__all__ = [
    "MIGRATIONS",
    "ROW_COLUMNS",
    "Row",
    "at_sequence",
    "claimed_through",
    "delete_payloads",
    "destroy_record_keys",
    "disagreeing",
    "head",
    "insert",
    "last_before_day",
    "links_after",
    "lookup",
    "lookup_key",
    "touch",
]

MIGRATIONS = (
    # Only ever appended to, or overwritten in place with as many bytes (`record_key`): so no page of it is ever
    # rebalanced, and no copy of a key can stay behind in one.
    """CREATE TABLE entries (
        sequence INTEGER PRIMARY KEY, header BLOB NOT NULL, hash BLOB NOT NULL,
        kind TEXT NOT NULL, band TEXT, tier TEXT, recorded_ms INTEGER NOT NULL,
        day INTEGER NOT NULL, record_key BLOB
    ) STRICT""",
    "CREATE INDEX entries_by_band ON entries (kind, band)",
    "CREATE TABLE payloads (sequence INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
    """CREATE TABLE lookups (
        block INTEGER, key INTEGER, sequence INTEGER, PRIMARY KEY (block, key, sequence)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE probe (id INTEGER PRIMARY KEY, writes INTEGER NOT NULL) STRICT",
    "ALTER TABLE entries ADD COLUMN team TEXT",
)

_BLOCK_BITS = 12
"""Keyed hashes are random, so an index over all of them would touch a page of its own for every entry. Blocks of 4,096
entries keep the pages being written down to a few, for one seek a block when something is looked up."""

_INSERT_ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_PAYLOAD = "INSERT OR REPLACE INTO payloads VALUES (?, ?)"
_INSERT_LOOKUP = "INSERT OR IGNORE INTO lookups VALUES (?, ?, ?)"
_HEAD = "SELECT sequence, hash FROM entries ORDER BY sequence DESC LIMIT 1"
_LINKS = """
    SELECT e.sequence, e.header, e.hash, p.sealed FROM entries e LEFT JOIN payloads p ON p.sequence = e.sequence
    WHERE e.sequence > ? ORDER BY e.sequence LIMIT ?"""
ROW_COLUMNS = """
    SELECT e.sequence, e.header, e.day, e.record_key, p.sealed
    FROM entries e LEFT JOIN payloads p ON p.sequence = e.sequence"""
_DISAGREEING = """
    SELECT sequence FROM (SELECT *, CAST(header AS TEXT) AS text FROM entries WHERE sequence BETWEEN ? AND ?)
    WHERE json_valid(text) AND (kind IS NOT text ->> '$.kind' OR band IS NOT text ->> '$.band'
        OR tier IS NOT text ->> '$.tier' OR team IS NOT text ->> '$.team'
        OR abs(recorded_ms - 1000 * unixepoch(text ->> '$.recorded_at', 'subsec')) > 1)"""
_LOOKUP = """
    WITH RECURSIVE blocks (block) AS (
        SELECT (SELECT max(block) FROM lookups) UNION ALL SELECT block - 1 FROM blocks WHERE block > 0)
    SELECT l.sequence FROM blocks CROSS JOIN lookups l ON l.block = blocks.block AND l.key = ?
    ORDER BY l.sequence DESC"""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry with what opens its payload."""

    sequence: int
    header: bytes
    day: int
    record_key: bytes | None
    sealed: bytes | None


def lookup_key(keyed_hash: bytes) -> int:
    """The 64 bits of an HMAC that the look-up table keeps: enough for 10^9 entries to meet by chance once in 40."""
    return int.from_bytes(keyed_hash[:8], "big", signed=True)


def head(transaction: Transaction) -> tuple[int, bytes]:
    """Sequence and hash of the last entry; 0 and GENESIS when there is none."""
    row = transaction.row(_HEAD)
    return (row[0], row[1]) if row else (0, GENESIS)


def insert(
    transaction: Transaction,
    entries: Sequence[tuple[object, ...]],
    *,
    payloads: Sequence[tuple[int, bytes]],
    lookups: Sequence[tuple[int, int]],
) -> None:
    """Add entries in the order of the table's columns, their payloads, and (key, sequence) pairs to find them by."""
    keys = [(sequence >> _BLOCK_BITS, key, sequence) for key, sequence in lookups]
    for sql, rows in ((_INSERT_ENTRY, entries), (_INSERT_PAYLOAD, payloads), (_INSERT_LOOKUP, keys)):
        if len(rows) == 1:  # `executemany` costs a little more to begin
            transaction.run(sql, rows[0])
        elif rows:
            transaction.run_many(sql, rows)


def links_after(transaction: Transaction, sequence: int, *, limit: int) -> list[Link]:
    """The next `limit` entries after `sequence`, as the chain wants them."""
    return [Link(*row) for row in transaction.rows(_LINKS, (sequence, limit))]


def lookup(transaction: Transaction, key: int) -> list[int]:
    """Sequences kept under `key`, the latest first."""
    return [row[0] for row in transaction.rows(_LOOKUP, (key,))]


def at_sequence(transaction: Transaction, sequence: int) -> Row | None:
    """The entry with this sequence."""
    row = transaction.row(ROW_COLUMNS + " WHERE e.sequence = ?", (sequence,))
    return Row(*row) if row else None


def disagreeing(transaction: Transaction, first: int, last: int) -> list[int]:
    """Sequences between `first` and `last` whose index columns are not what their header says."""
    return [row[0] for row in transaction.rows(_DISAGREEING, (first, last))]


def claimed_through(transaction: Transaction) -> int:
    """Up to which sequence the last retention entry says it erased; 0 when there was none."""
    row = transaction.row("SELECT max(sequence), band FROM entries WHERE kind = 'retention'")
    return erased_through(row[1]) if row else 0


def last_before_day(transaction: Transaction, day: int) -> int:
    """The last sequence recorded before the node's own `day`; 0 when there is none.

    Days grow with the sequence, but for the minute of age that a crash may take: then a few entries around midnight go
    a minute early, or lie unreadable until the next day goes.
    """
    first, (beyond, _) = 0, head(transaction)
    beyond += 1
    while beyond - first > 1:
        middle = (first + beyond) // 2
        row = transaction.row("SELECT day FROM entries WHERE sequence = ?", (middle,))
        if row is not None and row[0] < day:
            first = middle
        else:
            beyond = middle
    return first


def destroy_record_keys(transaction: Transaction, sequences: Sequence[int], *, key_bytes: int) -> int:
    """Overwrite the record keys of `sequences` in place, and delete their payloads; returns how many there were."""
    zeros = bytes(key_bytes)
    erased = 0
    for sequence in sequences:
        sql = "UPDATE entries SET record_key = ? WHERE sequence = ? AND length(record_key) = ? AND record_key <> ?"
        transaction.run(sql, (zeros, sequence, key_bytes, zeros))
        erased += transaction.changed()
        transaction.run("DELETE FROM payloads WHERE sequence = ?", (sequence,))
    return erased


def delete_payloads(transaction: Transaction, through: int, *, limit: int) -> int:
    """Delete at most `limit` payloads up to and including `through`; returns how many there were."""
    sql = "DELETE FROM payloads WHERE sequence IN (SELECT sequence FROM payloads WHERE sequence <= ? LIMIT ?)"
    transaction.run(sql, (through, limit))
    return transaction.changed()


def touch(transaction: Transaction) -> None:
    """Write something small, to see whether the disk takes it."""
    transaction.run("INSERT INTO probe VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET writes = writes + 1")
