"""What can go wrong between a unit of work and the disk."""

from __future__ import annotations

import os
from pathlib import Path

import apsw

from holdfast.errors import HoldfastError, HumanNeeded, Unavailable

__all__ = [
    "CommitUncertain",
    "DatabaseBusy",
    "DatabaseClosed",
    "DatabaseDamaged",
    "DiskFailed",
    "DiskFull",
    "NewerState",
    "free_bytes",
    "translated",
]

_WRITE_ERRORS = (apsw.IOError, apsw.CantOpenError)
_NO_ROOM_BYTES = 64 << 10  # SQLite calls it an I/O error when its shared memory, 32 KiB, finds no room
_RETRY_AFTER_S = 5.0  # a full disk or a restart is seldom over sooner


class DiskFull(Unavailable):
    """The file system has no room for the change."""


class DiskFailed(Unavailable):
    """The disk refused a read, a write or an fsync."""


class DatabaseBusy(Unavailable):
    """More changes are waiting than the node keeps, or no reader came free in time."""


class DatabaseClosed(Unavailable):
    """The node is stopping."""


class CommitUncertain(Unavailable):
    """The disk did not say in time whether the change is durable."""


class DatabaseDamaged(HumanNeeded):
    """The file is not a database of ours, or SQLite finds it malformed."""


class NewerState(HumanNeeded):
    """The state on disk was written by a newer Holdfast."""


def translated(error: Exception, path: Path) -> HoldfastError:
    """Say what SQLite's `error` on `path` means in our terms; an error of ours stays itself."""
    if isinstance(error, HoldfastError):
        return error
    if isinstance(error, apsw.FullError) or (
        isinstance(error, _WRITE_ERRORS) and free_bytes(path.parent) < _NO_ROOM_BYTES
    ):
        return DiskFull(f"{path}: no room on the file system for a change", retry_after_s=_RETRY_AFTER_S)
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return DatabaseDamaged(f"{path} is damaged ({error}); stop the node and restore a backup")
    return DiskFailed(f"{path}: the disk refused a change ({error})", retry_after_s=_RETRY_AFTER_S)


def free_bytes(directory: Path) -> int:
    """Bytes a process without privileges may still write under `directory`; 0 when the file system cannot say."""
    try:
        state = os.statvfs(directory)
    except OSError:
        return 0
    return state.f_bavail * state.f_frsize
