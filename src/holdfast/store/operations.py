"""The operator's verbs over the store that need no engine: list, history, pin, clean up."""

from __future__ import annotations

import msgspec

from holdfast.digest import Digest
from holdfast.manifest import Measured
from holdfast.store.install import parse_target
from holdfast.store.shelf import Store
from holdfast.store.slots import Happening, Installed, Slots

__all__ = [
    "Activated",
    "Collected",
    "Held",
    "History",
    "InstallRequest",
    "Listing",
    "NameRequest",
    "PinRequest",
    "Pinned",
    "TargetRequest",
    "collect",
    "describe",
    "history",
    "listing",
    "pin",
]


class InstallRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Install the package at a path of this machine."""

    path: str
    """Absolute: the owner of the data directory has a working directory of its own."""
    activate: bool = True


class TargetRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of one package."""

    target: str
    """`NAME@VERSION`."""


class PinRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keep a version whatever is cleaned up, or let it go again."""

    target: str
    keep: bool = True


class NameRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One package."""

    name: str


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One installed version, for people."""

    name: str
    version: str
    digest: Digest
    unsigned: bool
    active: bool
    previous: bool
    staged: bool
    pinned: bool
    bad: str | None
    """Why it is not served."""
    size_bytes: int
    installed_at: str
    variants: dict[str, str]
    """Tier -> variant."""
    measured: dict[str, Measured]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the store holds."""

    packages: tuple[Held, ...]
    used_bytes: int
    quota_bytes: int
    written_bytes: dict[str, int]
    """By day: what wears the flash."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one package, oldest first."""

    name: str
    happenings: tuple[Happening, ...]


class Activated(msgspec.Struct, frozen=True, kw_only=True):
    """What is the active version now."""

    name: str
    version: str
    digest: Digest
    unsigned: bool


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a version is pinned now."""

    name: str
    version: str
    pinned: bool


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What cleaning up removed."""

    removed: tuple[str, ...]
    freed_bytes: int
    used_bytes: int


def listing(store: Store) -> Listing:
    """Return every installed version, by name, in order of installation."""
    state = store.state()
    return Listing(
        packages=tuple(
            _held(name, slots, installed)
            for name, slots in sorted(state.packages.items())
            for installed in slots.installed
        ),
        used_bytes=store.used_bytes(),
        quota_bytes=store.limits.quota_bytes,
        written_bytes=state.written_bytes,
    )


def history(store: Store, asked: NameRequest) -> History:
    """Return what happened to a package. Raises VersionNotInstalled."""
    return History(name=asked.name, happenings=store.slots(asked.name).history)


def pin(store: Store, asked: PinRequest) -> Pinned:
    """Pin a version, or let it go. Raises VersionNotInstalled."""
    name, version = parse_target(asked.target)
    if asked.keep:
        store.pin(name, version)
    else:
        store.unpin(name, version)
    return Pinned(name=name, version=version, pinned=asked.keep)


def collect(store: Store) -> Collected:
    """Remove what nobody needs."""
    removed = store.collect()
    return Collected(removed=removed.versions, freed_bytes=removed.freed_bytes, used_bytes=store.used_bytes())


def describe(name: str, installed: Installed) -> Activated:
    """Return what activating `installed` reports."""
    return Activated(name=name, version=installed.version, digest=installed.digest, unsigned=not installed.signers)


def _held(name: str, slots: Slots, installed: Installed) -> Held:
    mark = slots.bad.get(installed.digest)
    return Held(
        name=name,
        version=installed.version,
        digest=installed.digest,
        unsigned=not installed.signers,
        active=slots.active == installed.digest,
        previous=slots.previous == installed.digest,
        staged=slots.staged == installed.digest,
        pinned=installed.digest in slots.pinned,
        bad=mark.sentence if mark else None,
        size_bytes=installed.size_bytes,
        installed_at=installed.installed_at,
        variants=installed.chosen,
        measured=installed.measured,
    )
