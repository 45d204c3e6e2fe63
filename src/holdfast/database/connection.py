"""How a connection to the file is opened: which promises SQLite is asked to keep."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import apsw

from holdfast.database.failures import DatabaseDamaged, translated

__all__ = ["BUSY_TIMEOUT_MS", "open_reader", "open_writer", "sync_directory"]

_APPLICATION_ID = 0x484F4C44  # "HOLD": tells our file from another program's, also to `file node.db`
_READER_CACHE_KIB = 512
_WRITER_CACHE_KIB = 4096
BUSY_TIMEOUT_MS = 2000
_LOG_SIZE_LIMIT_BYTES = 16 << 20  # what a burst leaves of the write-ahead log afterwards


def open_writer(path: Path, *, vfs: str | None, on_commit: Callable[[int], None]) -> apsw.Connection:
    """Open the one connection that writes; `on_commit` hears how many pages the write-ahead log then has.

    Raises DiskFull, DiskFailed, DatabaseDamaged.
    """
    try:
        connection = _connect(path, vfs, _WRITER_CACHE_KIB)
        _claim_file(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_SIZE_LIMIT_BYTES}")
        connection.execute("CREATE TABLE IF NOT EXISTS schema (component TEXT PRIMARY KEY, version INTEGER) STRICT")
    except apsw.Error as error:
        raise translated(error, path) from error

    def count_pages(_: apsw.Connection, __: str, pages: int) -> int:
        on_commit(pages)
        return apsw.SQLITE_OK

    connection.set_wal_hook(count_pages)  # also ends automatic checkpoints, whose failure would be silent
    return connection


def open_reader(path: Path, *, vfs: str | None) -> apsw.Connection:
    """Open a connection that cannot write. Raises apsw.Error."""
    connection = _connect(path, vfs, _READER_CACHE_KIB)
    connection.execute("PRAGMA query_only = ON")
    return connection


def sync_directory(directory: Path) -> None:
    """Make what was created, renamed or removed in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _claim_file(connection: apsw.Connection, path: Path) -> None:
    (found,) = connection.execute("PRAGMA application_id").fetchone() or (0,)
    if found == _APPLICATION_ID:
        return
    if found != 0:
        raise DatabaseDamaged(f"{path} is a database of another program (application id {found:#x})")
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")


def _connect(path: Path, vfs: str | None, cache_kib: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), vfs=vfs)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute("PRAGMA temp_store = MEMORY")  # a full disk must not stop a sort
    connection.execute(f"PRAGMA cache_size = {-cache_kib}")
    return connection
