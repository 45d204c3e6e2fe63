"""An SQLite VFS that knows what a power cut would leave: only what was fsynced, under names that were fsynced.

Everything is passed to real files, which are what the running node sees. Beside them the VFS keeps, for each file, the
content as of its last fsync and the writes since. A cut is an image of that, taken at any moment without stopping the
node; shared memory (`-shm`) is never part of it. A directory is fsynced, as in SQLite's own unix VFS, when a new
journal or log is fsynced for the first time and when a deletion asks for it.
"""

# ruff: noqa: N802 - the methods have the names SQLite gives them
from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

_SECTOR = 512
_JOURNALS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL


@dataclass
class Inode:
    """One file's content on the platter, and what is still on the way there."""

    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)
    """(offset, content) of writes, (size, None) of truncations, in order."""
    name_synced: bool = False

    def sync(self) -> None:
        for change in self.unsynced:
            _apply(self.durable, *change)
        self.unsynced.clear()

    def after_cut(self, survives: Callable[[], bool]) -> bytes:
        """The content after a cut, when each unsynced sector reached the platter only if `survives()`."""
        content = bytearray(self.durable)
        for offset, written in self.unsynced:
            if written is None:
                if survives():
                    _apply(content, offset, None)
                continue
            for start in range(0, len(written), _SECTOR):
                if survives():
                    _apply(content, offset + start, written[start : start + _SECTOR])
        return bytes(content)


def _apply(content: bytearray, offset: int, written: bytes | None) -> None:
    if written is None:
        del content[offset:]
        content.extend(bytes(max(offset - len(content), 0)))
        return
    content.extend(bytes(max(offset - len(content), 0)))
    content[offset : offset + len(written)] = written


class PowerCutVFS(apsw.VFS):
    """Calls `before_change` ahead of every write, truncation, fsync and deletion; `_lock` makes each one whole."""

    def __init__(self, name: str) -> None:
        self.vfs_name = name
        self.before_change: Callable[[], None] = lambda: None
        self._lock = threading.RLock()
        self._names: dict[str, Inode] = {}
        self._durable_names: dict[str, Inode] = {}
        super().__init__(name, "")

    def image(self, survives: Callable[[], bool] = lambda: False) -> dict[str, bytes]:
        """File name -> content after a power cut now; by default every unsynced write is dropped."""
        with self._lock:
            return {Path(name).name: inode.after_cut(survives) for name, inode in self._durable_names.items()}

    def xOpen(self, name: Any, flags: list[int]) -> PowerCutFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        with self._lock:
            inode = self._names.get(path)
            if inode is None:
                known = Path(path).exists()
                inode = Inode(durable=bytearray(Path(path).read_bytes() if known else b""), name_synced=known)
                self._names[path] = inode
                if known:
                    self._durable_names[path] = inode
            return PowerCutFile(self, inode, name=name, flags=flags)

    def xDelete(self, name: str, sync_directory: bool) -> None:
        with self._lock:
            self.before_change()
            super().xDelete(name, sync_directory)
            self._names.pop(name, None)
            if sync_directory:
                self.sync_names()

    def sync_names(self) -> None:
        self._durable_names = dict(self._names)
        for inode in self._names.values():
            inode.name_synced = True

    def changing(self) -> threading.RLock:
        return self._lock


class PowerCutFile(apsw.VFSFile):
    """One open file of a PowerCutVFS."""

    def __init__(self, vfs: PowerCutVFS, inode: Inode, *, name: Any, flags: list[int]) -> None:
        self._vfs = vfs
        self._inode = inode
        self._is_journal = bool(flags[0] & _JOURNALS)
        super().__init__("", name, flags)

    def xWrite(self, content: bytes, offset: int) -> None:
        with self._vfs.changing():
            self._vfs.before_change()
            self._inode.unsynced.append((offset, bytes(content)))
            super().xWrite(content, offset)

    def xTruncate(self, size: int) -> None:
        with self._vfs.changing():
            self._vfs.before_change()
            self._inode.unsynced.append((size, None))
            super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        with self._vfs.changing():
            self._vfs.before_change()
            self._inode.sync()
            if self._is_journal and not self._inode.name_synced:
                self._vfs.sync_names()
            # The real fsync is left out: the test never cuts the real power, and the image is what is looked at.


def half(rng: random.Random) -> Callable[[], bool]:
    """A disk that has written about half of what it was not asked to keep."""
    return lambda: rng.random() < 0.5
