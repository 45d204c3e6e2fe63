"""Headers alone: what was recorded, without opening any payload; also of what retention has erased."""

from __future__ import annotations

from functools import partial

import msgspec

from holdfast.database import Database, Transaction
from holdfast.record import Header

__all__ = ["headers_after"]

_HEADER = msgspec.json.Decoder(Header)
_SQL = "SELECT header FROM entries WHERE sequence > ? ORDER BY sequence LIMIT ?"


def headers_after(database: Database, after: int, *, limit: int) -> tuple[Header, ...]:
    """At most `limit` headers after sequence `after`, oldest first."""
    rows = database.read(partial(Transaction.rows, sql=_SQL, bindings=(after, limit)))
    return tuple(_HEADER.decode(row[0]) for row in rows)
