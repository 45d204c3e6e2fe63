"""The ledger's tables, and the statements that write and read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.database import Transaction
from holdfast.ledger.chain import GENESIS, Link

__all__ = ["MIGRATIONS", "ROW_COLUMNS", "Row", "at_sequence", "head", "insert", "links_after", "lookup", "lookup_key"]

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
)

_BLOCK_BITS = 12
"""Keyed hashes are random, so an index over all of them would touch a page of its own for every entry. Blocks of 4,096
entries keep the pages being written down to a few, for one seek a block when something is looked up."""

_INSERT_ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_PAYLOAD = "INSERT INTO payloads VALUES (?, ?)"
_INSERT_LOOKUP = "INSERT OR IGNORE INTO lookups VALUES (?, ?, ?)"
_HEAD = "SELECT sequence, hash FROM entries ORDER BY sequence DESC LIMIT 1"
_LINKS = """
    SELECT e.sequence, e.header, e.hash, p.sealed FROM entries e LEFT JOIN payloads p ON p.sequence = e.sequence
    WHERE e.sequence > ? ORDER BY e.sequence LIMIT ?"""
ROW_COLUMNS = """
    SELECT e.sequence, e.header, e.day, e.record_key, p.sealed
    FROM entries e LEFT JOIN payloads p ON p.sequence = e.sequence"""
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
    if len(entries) == 1:  # `executemany` costs a little more to begin
        transaction.run(_INSERT_ENTRY, entries[0])
    else:
        transaction.run_many(_INSERT_ENTRY, entries)
    if payloads:
        transaction.run_many(_INSERT_PAYLOAD, payloads)
    if keys:
        transaction.run_many(_INSERT_LOOKUP, keys)


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
