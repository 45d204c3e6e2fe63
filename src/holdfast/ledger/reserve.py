"""What the ledger does when the disk is full or fails: payloads stop first, headers go on in a preallocated reserve."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from holdfast.database import DiskFull, free_bytes
from holdfast.errors import HoldfastError

__all__ = ["NEXT", "Mode", "Reserve", "ReserveLimits"]


class Mode(StrEnum):
    """How much of each entry is kept."""

    OK = "ok"
    HEADERS_ONLY = "audit_headers_only"
    FULL = "full"


NEXT: Mapping[Mode, frozenset[Mode]] = {
    Mode.OK: frozenset({Mode.HEADERS_ONLY}),
    Mode.HEADERS_ONLY: frozenset({Mode.OK, Mode.FULL}),
    Mode.FULL: frozenset({Mode.HEADERS_ONLY}),
}
"""Which mode may follow which: payloads always stop before headers do, and come back after them."""


@dataclass(frozen=True, slots=True)
class ReserveLimits:
    """How much disk is set aside for headers."""

    file: Path
    size_bytes: int = 64 << 20
    release_bytes: int = 4 << 20
    """Given back to the file system at a time, so that whoever filled the disk cannot eat the whole reserve at once."""
    min_free_bytes: int = 16 << 20
    """Free space besides the reserve below which payloads stop, before any write fails."""


class Reserve:
    """The reserve file and the mode. `_lock` guards both; reading `mode` needs no lock."""

    def __init__(self, limits: ReserveLimits, *, free: Callable[[Path], int] = free_bytes) -> None:
        self._limits = limits
        self._free = free
        self._lock = threading.Lock()
        self._mode = Mode.OK
        self._turn = 0
        self._cause = ""
        self._fill()
        self._watch()

    @property
    def mode(self) -> Mode:
        """How much of each entry is kept now."""
        return self._mode

    @property
    def cause(self) -> str:
        """Why the mode is not OK, as a clause."""
        return self._cause

    @property
    def turn(self) -> int:
        """Changes whenever the reserve was asked for help; see `refused`."""
        return self._turn

    def refused(self, error: HoldfastError, *, turn: int) -> None:
        """React to a refused write that was begun at `turn`: stop payloads, or release some reserve, or give up.

        Of many writers refused together only the first changes anything; the others try again with what it did.
        """
        with self._lock:
            if turn != self._turn or self._mode is Mode.FULL:
                return
            self._turn += 1
            self._cause = str(error)
            released = isinstance(error, DiskFull) and self._release()
            if self._mode is Mode.OK:
                self._become(Mode.HEADERS_ONLY)
            elif not released:
                self._become(Mode.FULL)

    def step(self, *, writable: bool) -> None:
        """Watch free space and come back by itself. `writable`: the disk took the last probing write."""
        with self._lock:
            if self._mode is Mode.OK:
                self._watch()
            elif writable and self._room() >= self._limits.release_bytes:
                self._recover()

    def _recover(self) -> None:
        if self._mode is Mode.FULL:
            self._become(Mode.HEADERS_ONLY)
        elif self._room() >= self._missing() + self._limits.min_free_bytes and self._fill():
            self._cause = ""
            self._become(Mode.OK)

    def _watch(self) -> None:
        room = self._room()
        if room < self._limits.min_free_bytes or self._missing():
            self._cause = f"{room >> 20} MiB are free under {self._limits.file.parent}"
            self._become(Mode.HEADERS_ONLY)

    def _become(self, mode: Mode) -> None:
        if mode not in NEXT[self._mode]:
            raise HoldfastError(f"a ledger that is {self._mode.value} cannot become {mode.value}")
        self._mode = mode
        self._turn += 1

    def _room(self) -> int:
        return self._free(self._limits.file.parent)

    def _held(self) -> int:
        try:
            return self._limits.file.stat().st_size
        except OSError:
            return 0

    def _missing(self) -> int:
        return max(self._limits.size_bytes - self._held(), 0)

    def _fill(self) -> bool:
        """Allocate the whole reserve; False, and no more than before, when there is no room."""
        if not self._missing():
            return True
        held = self._held()
        try:
            descriptor = os.open(self._limits.file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, 0, self._limits.size_bytes)
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, held)
            return False
        finally:
            os.close(descriptor)
        return True

    def _release(self) -> bool:
        """Give some of the reserve back to the file system; False when there is none left."""
        held = self._held()
        if not held:
            return False
        try:
            os.truncate(self._limits.file, max(held - self._limits.release_bytes, 0))
        except OSError:
            return False
        return True
