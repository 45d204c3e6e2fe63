"""The store: every package version a node holds, and the one function that makes a version the active one."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from holdfast.clock import Clock
from holdfast.digest import Digest
from holdfast.errors import Refused, Unavailable
from holdfast.finding import Finding
from holdfast.manifest import Manifest
from holdfast.release import Verified
from holdfast.store import slots as moves
from holdfast.store.blobs import Blobs, sync_directory
from holdfast.store.coherence import decode_manifest
from holdfast.store.findings import not_recorded, package_bad, package_refused
from holdfast.store.layout import PackageLimits, PackageRefused
from holdfast.store.package import VerifiedPackage
from holdfast.store.slots import BadMark, Event, Happening, Installed, Slots, StoreState, VersionNotInstalled
from holdfast.store.statefile import StateFile

__all__ = ["Admit", "LoadedPackage", "NoGoodPackage", "QuotaExceeded", "Removed", "Store", "StoreEvent", "StoreLimits"]

_DAYS = 30  # of write volume kept
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """What the store may use."""

    quota_bytes: int = 4 << 30
    keep_free_bytes: int = 64 << 20
    """Free space an install leaves on the file system: the ledger needs it more."""
    package: PackageLimits = field(default_factory=PackageLimits)


@dataclass(frozen=True, slots=True)
class LoadedPackage:
    """A whole package in memory: each buffer in `files` is the one that was hashed."""

    manifest: Manifest
    digest: Digest
    files: Mapping[str, bytes]
    installed: Installed
    fallen_from: Digest | None = None
    """What should have been served, when it was bad."""


@dataclass(frozen=True, slots=True)
class StoreEvent:
    """Something that happened to a package, for the ledger."""

    at: str
    package: str
    """Its name; for one that was refused before its name was known, where it lay."""
    event: Event | Literal["refused"]
    version: str = ""
    digest: Digest | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a clean-up removed."""

    versions: tuple[str, ...]
    freed_bytes: int


Admit = Callable[[LoadedPackage | VerifiedPackage], Verified]
"""The trust step: raises Refused for what may not run here."""


class QuotaExceeded(Refused):
    """The package does not fit into the space packages may take."""


class NoGoodPackage(Unavailable):
    """No version of the package may be served; the rules tier answers."""


class Store:
    """Packages under one directory: `blobs/`, and the state file that says which are active.

    `_lock` guards the state in memory and its file, for moments. `_disk` is held by whoever adds or removes blobs, for
    as long as that takes; always taken before `_lock`. The directory has one owner, who holds `DATA/lock`.
    """

    def __init__(self, directory: Path, *, limits: StoreLimits, clock: Clock) -> None:
        """Open or begin the store. Raises StateTooNew, OSError."""
        self._limits, self._clock = limits, clock
        if not (directory / "blobs").is_dir():
            (directory / "blobs").mkdir(parents=True, exist_ok=True)
            sync_directory(directory)
            sync_directory(directory.parent)
        self._directory = directory
        self._blobs = Blobs(directory / "blobs")
        self._file = StateFile(directory)
        self._lock, self._disk = threading.Lock(), threading.RLock()
        self._state, damage = self._file.read()
        self._damage: tuple[Finding, ...] = (damage,) if damage else ()
        self._unrecorded = ""
        self._refused: dict[str, str] = {}
        self._events: list[StoreEvent] = []

    # What is held

    @property
    def directory(self) -> Path:
        """Where the store is."""
        return self._directory

    @property
    def limits(self) -> StoreLimits:
        """What the store may use."""
        return self._limits

    def state(self) -> StoreState:
        """The whole state, a value that never changes."""
        return self._state

    def slots(self, name: str) -> Slots:
        """The slots of one package. Raises VersionNotInstalled for a name the store does not know."""
        found = self._state.packages.get(name)
        if found is None:
            known = ", ".join(sorted(self._state.packages)) or "none"
            raise VersionNotInstalled(f"{name[:80]}: expected an installed package, found {known}")
        return found

    def version(self, name: str, version: str) -> Installed:
        """One version of one package. Raises VersionNotInstalled."""
        found = self.slots(name).by_version(version)
        if found is None:
            known = ", ".join(held.version for held in self.slots(name).installed) or "none"
            raise VersionNotInstalled(f"{name}@{version[:80]}: expected an installed version, found {known}")
        return found

    def used_bytes(self) -> int:
        """Bytes of all blobs on disk."""
        return self._blobs.used_bytes()

    # Loading

    def load(self, name: str, *, admit: Admit) -> LoadedPackage:
        """Load the active version, or else the previous good one, every byte verified as it comes into memory.

        A version whose bytes are wrong is marked bad, and the store falls back for good. Raises NoGoodPackage; never
        fails for the state of the disk otherwise, so that nothing here keeps a node from starting.
        """
        reasons: list[str] = []
        while (installed := self._active(name)) is not None:
            try:
                package = self.read(installed)
                admit(package)
            except PackageRefused as error:
                reasons.append(f"{installed.version}: {error}")
                self.mark_bad(name, installed.digest, BadMark(kind="damaged", sentence=str(error)))
                continue
            except Refused as error:  # intact but not wanted here: the operator may change their mind, so no mark
                self._refused[name] = str(error)
                raise NoGoodPackage(f"{name}: {error}") from error
            self._refused.pop(name, None)
            return package
        raise NoGoodPackage(f"{name}: expected a good version, found {'; '.join(reasons) or 'none active'}")

    def read(self, installed: Installed) -> LoadedPackage:
        """Read one held version into memory, every byte verified. Raises PackageRefused."""
        content = self._blobs.read(installed.digest)
        manifest = decode_manifest(content, str(installed.digest), self._limits.package)
        files = {entry.path: self._blobs.read(entry.sha256, entry.size_bytes) for entry in manifest.files}
        slots = self._state.packages.get(manifest.name, Slots())
        return LoadedPackage(manifest, installed.digest, files, installed, slots.fallen_from)

    def mark_bad(self, name: str, digest: Digest, mark: BadMark) -> None:
        """Never serve this version again; if it is active, the previous good one takes its place.

        What cannot be written for lack of disk holds until the node stops, and a finding says so.
        """
        with self._lock:
            slots = self._state.packages.get(name, Slots())
            if slots.active == digest:
                changed = moves.fallen(slots, mark, at=self._now())
            else:
                changed = msgspec.structs.replace(slots, bad={**slots.bad, digest: mark})
            state = self._with(name, changed)
            try:
                state = self._written(state)
                self._unrecorded = ""
            except OSError as error:
                self._unrecorded = f"{name}: {error}"
            self._adopt(name, state)

    # Changing

    def hold(self, package: VerifiedPackage, verified: Verified) -> Installed:
        """Store every blob of `package`, one file at a time in memory; it is not installed before `stage` says so.

        Raises QuotaExceeded before anything is written, PackageDamaged, OSError.
        """
        if package.digest != verified.digest:
            raise PackageRefused(f"{package.where}: expected {verified.digest}, found {package.digest}")
        entries = package.manifest.files
        size = len(package.manifest_bytes) + sum(entry.size_bytes for entry in entries)
        with self._disk:
            missing = {e.sha256: e.size_bytes for e in entries if not self._blobs.holds(e.sha256, e.size_bytes)}
            self._check_room(package.where, sum(missing.values()) + len(package.manifest_bytes))
            written = sum(self._blobs.put(package.read(entry.path), entry.sha256) for entry in entries)
            written += self._blobs.put(package.manifest_bytes, package.digest)
        with self._lock:
            self._state = self._counted(self._state, written)
        return Installed(
            version=package.manifest.version,
            digest=package.digest,
            size_bytes=size,
            installed_at=self._now(),
            signers=verified.signers,
            blobs=tuple(sorted({package.digest, *(entry.sha256 for entry in entries)})),
        )

    def stage(self, name: str, installed: Installed) -> None:
        """Record `installed`, whose blobs are held, as a version that may be activated. Raises OSError."""
        self._change(name, lambda slots: moves.staged(slots, installed, at=self._now()))

    def activate(self, verified: Verified, *, event: Literal["activated", "rolled_back"] = "activated") -> Installed:
        """Make a held version the active one: the only function that does. Returns it.

        All its bytes are verified first. Raises VersionNotInstalled, MarkedBad, PackageRefused, OSError; whenever it
        does not return, the old version is still active.
        """
        installed = self.version(verified.name, verified.version)
        if installed.digest != verified.digest:
            raise VersionNotInstalled(
                f"{verified.name}@{verified.version}: expected {verified.digest}, found {installed.digest}"
            )
        self.read(installed)
        self._change(verified.name, lambda slots: moves.activated(slots, verified.digest, at=self._now(), event=event))
        return installed

    def pin(self, name: str, version: str) -> None:
        """Keep a version whatever `collect` removes. Raises VersionNotInstalled."""
        installed = self.version(name, version)
        self._change(name, lambda slots: moves.pinned(slots, installed, at=self._now()))

    def unpin(self, name: str, version: str) -> None:
        """Let a pinned version go. Raises VersionNotInstalled."""
        installed = self.version(name, version)
        self._change(name, lambda slots: moves.unpinned(slots, installed, at=self._now()))

    def collect(self) -> Removed:
        """Remove every version that is not active, previous, staged or pinned, then every blob nobody needs."""
        removed: list[str] = []
        with self._disk:
            for name, before in list(self._state.packages.items()):
                self._change(name, partial(moves.collected, at=self._now()))
                left = self.slots(name)
                removed += [f"{name}@{held.version}" for held in before.installed if not left.by_digest(held.digest)]
            return Removed(tuple(removed), self.sweep())

    def sweep(self) -> int:
        """Remove every blob that no held version needs; return how many bytes that freed."""
        with self._disk:
            # The state is on disk before the first blob goes: a crash here leaves blobs too many, never too few.
            held = (held for slots in self._state.packages.values() for held in slots.installed)
            return self._blobs.remove_others({blob for version in held for blob in version.blobs})

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep others from adding and removing blobs while a package is stored, examined and staged."""
        with self._disk:
            yield

    def note_refusal(self, where: str, reason: str) -> None:
        """Tell the ledger that a package was refused."""
        with self._lock:
            self._events.append(StoreEvent(self._now(), where, "refused", detail=reason))

    # What the node asks for

    def findings(self) -> tuple[Finding, ...]:
        """What a person should know."""
        fallen = [
            package_bad(name, slots)
            for name, slots in sorted(self._state.packages.items())
            if slots.fallen_from is not None
        ]
        refused = [package_refused(name, sentence) for name, sentence in sorted(self._refused.items())]
        unrecorded = [not_recorded(self._unrecorded)] if self._unrecorded else []
        return (*self._damage, *fallen, *refused, *unrecorded)

    def events(self) -> tuple[StoreEvent, ...]:
        """What happened since the last call, for the ledger."""
        with self._lock:
            drained, self._events = tuple(self._events), []
        return drained

    # Inside

    def _active(self, name: str) -> Installed | None:
        slots = self._state.packages.get(name, Slots())
        installed = slots.by_digest(slots.active)
        return None if installed is None or installed.digest in slots.bad else installed

    def _change(self, name: str, move: Callable[[Slots], Slots]) -> None:
        with self._lock:
            before = self._state.packages.get(name, Slots())
            after = move(before)
            if after != before:
                self._adopt(name, self._written(self._with(name, after)))
                self._damage = ()

    def _with(self, name: str, slots: Slots) -> StoreState:
        return msgspec.structs.replace(
            self._state, generation=self._state.generation + 1, packages={**self._state.packages, name: slots}
        )

    def _written(self, state: StoreState) -> StoreState:
        written = self._file.write(state)
        return self._counted(state, written)  # on disk with the next change: counting must not cost a write

    def _adopt(self, name: str, state: StoreState) -> None:
        old = self._state.packages.get(name, Slots()).history
        last = old[-1].number if old else 0
        self._events += [_event(name, new) for new in state.packages[name].history if new.number > last]
        self._state = state

    def _counted(self, state: StoreState, written: int) -> StoreState:
        day = self._clock.wall_at().date().isoformat()
        volume = {**state.written_bytes, day: state.written_bytes.get(day, 0) + written}
        return msgspec.structs.replace(state, written_bytes=dict(sorted(volume.items())[-_DAYS:]))

    def _check_room(self, where: str, needed: int) -> None:
        used = self._blobs.used_bytes()
        if used + needed > self._limits.quota_bytes:
            raise QuotaExceeded(
                f"{where}: needs {needed / _MIB:.1f} MiB, expected at most "
                f"{max(0, self._limits.quota_bytes - used) / _MIB:.1f} MiB left of the quota, "
                f"{self._limits.quota_bytes // _MIB} MiB; run 'holdfast package gc', or raise data.package_quota_mib"
            )
        free = shutil.disk_usage(self._directory).free
        if free - needed < self._limits.keep_free_bytes:
            raise QuotaExceeded(
                f"{where}: needs {needed / _MIB:.1f} MiB, {self._limits.keep_free_bytes // _MIB} MiB must stay free, "
                f"found {free / _MIB:.1f} MiB free on {self._directory}; make room on the disk"
            )

    def _now(self) -> str:
        return self._clock.wall_at().isoformat(timespec="seconds").replace("+00:00", "Z")


def _event(package: str, happening: Happening) -> StoreEvent:
    return StoreEvent(
        happening.at, package, happening.event, happening.version, happening.digest, detail=happening.detail
    )
