"""An SQLite VFS that fails on demand: writes and fsyncs end in EIO or find the disk full."""

# ruff: noqa: N802 - the methods have the names SQLite gives them
from __future__ import annotations

from typing import Any

import apsw


class FailingVFS(apsw.VFS):
    """Passes everything to the real disk, until `failure` is set."""

    def __init__(self, name: str) -> None:
        self.vfs_name = name
        self.failure: type[apsw.Error] | None = None
        self.refused = 0
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> FailingFile:
        return FailingFile(self, name, flags)

    def check(self) -> None:
        if self.failure is not None:
            self.refused += 1
            raise self.failure("simulated")


class FailingFile(apsw.VFSFile):
    """One file of a FailingVFS."""

    def __init__(self, vfs: FailingVFS, name: Any, flags: list[int]) -> None:
        self._vfs = vfs
        super().__init__("", name, flags)

    def xWrite(self, content: bytes, offset: int) -> None:
        self._vfs.check()
        super().xWrite(content, offset)

    def xSync(self, flags: int) -> None:
        self._vfs.check()
        super().xSync(flags)
