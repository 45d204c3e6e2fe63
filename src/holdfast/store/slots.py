"""Slots: which versions of a package a node holds, which one is active, and every allowed move between them.

Pure: states in, states out. `holdfast.store.statefile` keeps the state, `holdfast.store.shelf` the files.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.digest import Digest
from holdfast.errors import InvalidInput, Refused, Unavailable
from holdfast.manifest import Measured

__all__ = [
    "BadMark",
    "Event",
    "Happening",
    "Installed",
    "MarkedBad",
    "NothingPrevious",
    "Slots",
    "StoreState",
    "VersionNotInstalled",
    "activated",
    "collected",
    "fallen",
    "kept",
    "pinned",
    "staged",
    "unpinned",
]

_HISTORY = 200  # enough for years of updates; the ledger has all of it

Event = Literal["installed", "activated", "rolled_back", "fell_back", "pinned", "unpinned", "removed"]
"""What can happen to a version."""


class VersionNotInstalled(InvalidInput):
    """A name or version that this node does not hold."""


class MarkedBad(Refused):
    """A version that failed its examination here."""


class NothingPrevious(Unavailable):
    """There is no earlier good version to go back to."""


class Installed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version that the store holds whole."""

    version: str
    digest: Digest
    size_bytes: int
    """Of all files and the manifest."""
    installed_at: str
    signers: tuple[str, ...]
    blobs: tuple[Digest, ...]
    """Every blob the version needs, its manifest included."""
    chosen: dict[str, str] = {}
    """Tier -> variant that measured best on this machine."""
    measured: dict[str, Measured] = {}
    """Variant -> what examining it here measured."""


class BadMark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a version must not be served."""

    kind: Literal["damaged", "unhealthy"]
    """`damaged`: its bytes were not what they must be, and may be mended. `unhealthy`: it answered wrongly."""
    sentence: str


class Happening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that happened to a package; the node writes each to the ledger."""

    number: int
    """Counts up within one package, from 1."""
    at: str
    event: Event
    version: str
    digest: Digest
    detail: str = ""


class Slots(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the node knows of one package name."""

    installed: tuple[Installed, ...] = ()
    active: Digest | None = None
    previous: Digest | None = None
    staged: Digest | None = None
    fallen_from: Digest | None = None
    """What the operator activated, when it turned out bad and the node fell back from it."""
    pinned: tuple[Digest, ...] = ()
    bad: dict[str, BadMark] = {}
    """By digest."""
    history: tuple[Happening, ...] = ()

    def by_digest(self, digest: Digest | None) -> Installed | None:
        """Return the version with `digest`, if it is held."""
        return next((version for version in self.installed if version.digest == digest), None)

    def by_version(self, version: str) -> Installed | None:
        """Return the version called `version`, if it is held."""
        return next((held for held in self.installed if held.version == version), None)


class StoreState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the state file holds."""

    schema: str = "holdfast.store/1"
    requires: tuple[str, ...] = ()
    generation: int = 0
    packages: dict[str, Slots] = {}
    written_bytes: dict[str, int] = {}
    """Day (UTC, as the node believed) -> bytes the store wrote: what wears the flash."""


def staged(slots: Slots, version: Installed, *, at: str) -> Slots:
    """Hold `version`, whole and examined, ready to be activated. Any bad mark on it is gone: it was examined again."""
    others = tuple(held for held in slots.installed if held.digest != version.digest)
    return msgspec.structs.replace(
        slots,
        installed=(*others, version),
        staged=slots.staged if version.digest == slots.active else version.digest,
        bad={digest: mark for digest, mark in slots.bad.items() if digest != version.digest},
        history=_and(slots, at=at, event="installed", version=version),
    )


def activated(slots: Slots, digest: Digest, *, at: str, event: Event = "activated") -> Slots:
    """Make `digest` the active version; what was active becomes the previous one.

    Raises VersionNotInstalled, or MarkedBad for a version that answered wrongly; a damaged one must be whole again by
    now, which the caller has checked, and loses its mark.
    """
    version = slots.by_digest(digest)
    if version is None:
        raise VersionNotInstalled(f"{digest}: expected an installed version, found none; install it first")
    mark = slots.bad.get(digest)
    if mark is not None and mark.kind == "unhealthy":
        raise MarkedBad(f"{version.version}: marked bad: {mark.sentence}; install it again to have it examined anew")
    if digest == slots.active:
        return msgspec.structs.replace(slots, fallen_from=None)
    # Whoever rolls back does not want to fall forward again into what was left.
    previous = _last_good(slots, before=digest, besides=slots.active) if event == "rolled_back" else slots.active
    return msgspec.structs.replace(
        slots,
        active=digest,
        previous=previous or (slots.previous if slots.previous != digest else None),
        staged=None if slots.staged == digest else slots.staged,
        fallen_from=None,
        bad={held: mark for held, mark in slots.bad.items() if held != digest},
        history=_and(slots, at=at, event=event, version=version),
    )


def fallen(slots: Slots, mark: BadMark, *, at: str) -> Slots:
    """Mark the active version bad and step to the previous good one, or to none."""
    version = slots.by_digest(slots.active)
    if version is None:
        return slots
    bad = {**slots.bad, version.digest: mark}
    marked = msgspec.structs.replace(slots, bad=bad)
    heir = slots.previous if slots.previous not in bad else None
    heir = heir or _last_good(marked, before=version.digest, besides=None)
    return msgspec.structs.replace(
        slots,
        active=heir,
        previous=_last_good(marked, before=heir, besides=version.digest),
        fallen_from=slots.fallen_from or version.digest,
        bad=bad,
        history=_and(slots, at=at, event="fell_back", version=version, detail=mark.sentence),
    )


def pinned(slots: Slots, version: Installed, *, at: str) -> Slots:
    """Keep `version` whatever else is removed."""
    if version.digest in slots.pinned:
        return slots
    history = _and(slots, at=at, event="pinned", version=version)
    return msgspec.structs.replace(slots, pinned=(*slots.pinned, version.digest), history=history)


def unpinned(slots: Slots, version: Installed, *, at: str) -> Slots:
    """Let `version` go again."""
    if version.digest not in slots.pinned:
        return slots
    history = _and(slots, at=at, event="unpinned", version=version)
    rest = tuple(digest for digest in slots.pinned if digest != version.digest)
    return msgspec.structs.replace(slots, pinned=rest, history=history)


def kept(slots: Slots) -> frozenset[Digest]:
    """The versions that are never removed: active, previous, staged, pinned."""
    named = (slots.active, slots.previous, slots.staged, *slots.pinned)
    return frozenset(digest for digest in named if digest is not None)


def collected(slots: Slots, *, at: str) -> Slots:
    """Forget every version that is not kept."""
    keep = kept(slots)
    for version in slots.installed:
        if version.digest not in keep:
            slots = msgspec.structs.replace(
                slots,
                installed=tuple(held for held in slots.installed if held.digest != version.digest),
                bad={digest: mark for digest, mark in slots.bad.items() if digest != version.digest},
                history=_and(slots, at=at, event="removed", version=version),
            )
    return slots


def _last_good(slots: Slots, *, before: Digest | None, besides: Digest | None) -> Digest | None:
    """Return the good version that was active most lately before `before` was activated, and is not `besides`."""
    active = [happening for happening in slots.history if happening.event in {"activated", "rolled_back"}]
    starts = [i for i, h in enumerate(active) if h.digest == before and h.event == "activated"]
    for happening in reversed(active[: starts[-1]] if starts else active):
        digest = happening.digest
        if digest not in (before, besides) and digest not in slots.bad and slots.by_digest(digest):
            return digest
    return None


def _and(slots: Slots, *, at: str, event: Event, version: Installed, detail: str = "") -> tuple[Happening, ...]:
    number = slots.history[-1].number + 1 if slots.history else 1
    happening = Happening(
        number=number, at=at, event=event, version=version.version, digest=version.digest, detail=detail
    )
    return (*slots.history, happening)[-_HISTORY:]
