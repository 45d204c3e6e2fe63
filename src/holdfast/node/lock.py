"""The lock that gives a data directory one owner."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from holdfast.errors import Unavailable

__all__ = ["DataDirectoryBusy", "DirectoryLock"]


class DataDirectoryBusy(Unavailable):
    """Another process owns the data directory."""

    def __init__(self, directory: Path, owner: str) -> None:
        super().__init__(
            f"{directory}: expected to be the only owner, found process {owner or 'unknown'} holding the lock; "
            "stop it, or use the commands that talk to it"
        )
        self.owner = owner


class DirectoryLock:
    """Holds `DATA/lock` with the owner's process id inside; the kernel frees it when the process ends."""

    def __init__(self, directory: Path) -> None:
        """Take the lock. Raises DataDirectoryBusy, or OSError where the directory cannot be made."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._path = directory / "lock"
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise DataDirectoryBusy(directory, owner) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the directory up. The file stays: removing it would let two owners lock two files of one name."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
