"""One SQLite file with one writer: many callers' units of work share one durable commit."""

from holdfast.database.failures import (
    CommitUncertain,
    DatabaseBusy,
    DatabaseClosed,
    DatabaseDamaged,
    DiskFailed,
    DiskFull,
    NewerState,
    free_bytes,
)
from holdfast.database.file import Database
from holdfast.database.units import DatabaseLimits, Transaction

__all__ = [
    "CommitUncertain",
    "Database",
    "DatabaseBusy",
    "DatabaseClosed",
    "DatabaseDamaged",
    "DatabaseLimits",
    "DiskFailed",
    "DiskFull",
    "NewerState",
    "Transaction",
    "free_bytes",
]
