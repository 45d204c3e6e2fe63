"""Takes a package from the operator's hands into the store: intact, admitted, examined on this machine, active.

Killed between any two steps, the store is as before or as after; a kill before the end leaves at most blobs that
nobody needs, which the next clean-up removes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from holdfast.digest import Digest
from holdfast.errors import HoldfastError
from holdfast.manifest import Measured
from holdfast.release import Verified
from holdfast.store.choice import Examined, InstallLimits, choose
from holdfast.store.layout import PackageRefused
from holdfast.store.package import VerifiedPackage, open_package
from holdfast.store.shelf import Admit, LoadedPackage, Store
from holdfast.store.slots import Installed, NothingPrevious, Slots, VersionNotInstalled
from holdfast.tier import TIERS

__all__ = ["Examine", "InstallReport", "VersionTaken", "activate", "install", "parse_target", "rollback", "stage"]

Examine = Callable[[LoadedPackage, Sequence[str]], Sequence[Examined]]
"""Examine the named variants of a package on this machine, each in a worker of its own: known vectors, health check,
time and memory. Injected by the node, as only engines can do it."""


class VersionTaken(PackageRefused):
    """A version number that already belongs to other bytes: a version never changes."""


class InstallReport(msgspec.Struct, frozen=True, kw_only=True):
    """What installing did."""

    name: str
    version: str
    digest: Digest
    unsigned: bool
    active: bool
    """Whether it is the active version now."""
    size_bytes: int
    written_bytes: int
    """What was not in the store yet."""
    variants: dict[str, str]
    """Tier -> the variant chosen for it."""
    measured: dict[str, Measured]
    problems: dict[str, str]
    """Variant -> why it was not considered."""


def install(store: Store, path: Path | str, *, admit: Admit, examine: Examine, limits: InstallLimits) -> InstallReport:
    """Install the package at `path` and make it the active version.

    Raises PackageRefused and its subclasses (bytes, examination), Refused (trust, memory, quota), OSError. Whenever it
    does not return, what was active still is.
    """
    with store.exclusive():  # nobody may clean it up before it is active
        report, verified = _staged(store, path, admit=admit, examine=examine, limits=limits)
        store.activate(verified)
    return msgspec.structs.replace(report, active=True)


def stage(store: Store, path: Path | str, *, admit: Admit, examine: Examine, limits: InstallLimits) -> InstallReport:
    """Install the package at `path` without making it active; see `install`, `activate`."""
    report, verified = _staged(store, path, admit=admit, examine=examine, limits=limits)
    return msgspec.structs.replace(report, active=store.slots(verified.name).active == verified.digest)


def activate(store: Store, target: str, *, admit: Admit) -> Installed:
    """Make `NAME@VERSION` the active version. Raises VersionNotInstalled, Refused, PackageRefused, OSError."""
    name, version = parse_target(target)
    return store.activate(admit(store.read(store.version(name, version))))


def rollback(store: Store, name: str, *, admit: Admit) -> Installed:
    """Go back to the version that was active before. Raises NothingPrevious, Refused, PackageRefused, OSError."""
    slots = store.slots(name)
    previous = slots.by_digest(slots.previous)
    if previous is None:
        held = ", ".join(version.version for version in slots.installed)
        raise NothingPrevious(f"{name}: expected an earlier good version to go back to, found none (held: {held})")
    return store.activate(admit(store.read(previous)), event="rolled_back")


def parse_target(target: str) -> tuple[str, str]:
    """Split `NAME@VERSION`. Raises VersionNotInstalled."""
    name, _, version = target.partition("@")
    if not name or not version:
        raise VersionNotInstalled(f"expected NAME@VERSION such as triage-en@1.0.0, found {target[:80]!r}")
    return name, version


def _staged(
    store: Store, path: Path | str, *, admit: Admit, examine: Examine, limits: InstallLimits
) -> tuple[InstallReport, Verified]:
    with store.exclusive():
        try:
            with open_package(path, store.limits.package) as package:
                package.verify()  # whether it is intact comes before whether it is trusted, and has its own exit code
                verified = admit(package)
                _check_version(store, package)
                before = store.used_bytes()
                installed = store.hold(package, verified)
            installed, problems = _examined(store, installed, examine=examine, limits=limits)
        except (HoldfastError, OSError) as error:
            store.note_refusal(str(path), str(error))
            store.sweep()
            raise
        written = store.used_bytes() - before
        store.stage(verified.name, installed)
    return _report(verified, installed, written=written, problems=problems), verified


def _examined(
    store: Store, installed: Installed, *, examine: Examine, limits: InstallLimits
) -> tuple[Installed, dict[str, str]]:
    """Examine what was stored, which is not what may lie at the path by now; return it with the variants chosen."""
    loaded = store.read(installed)
    wanted = TIERS[TIERS.index(limits.highest) :]
    names = [variant.name for variant in loaded.manifest.variants if variant.tier in wanted]
    examined = examine(loaded, names)
    chosen = msgspec.structs.replace(
        installed,
        chosen=choose(loaded.manifest, examined, limits),
        measured={one.variant: one.measured for one in examined if one.measured is not None},
    )
    return chosen, {one.variant: one.problem for one in examined if one.problem}


def _check_version(store: Store, package: VerifiedPackage) -> None:
    name, version = package.manifest.name, package.manifest.version
    slots = store.state().packages.get(name, Slots())
    held = slots.by_version(version)
    if held is not None and held.digest != package.digest:
        raise VersionTaken(
            f"{package.where}: {name} {version} is installed with digest {held.digest}, found {package.digest}; "
            "a version never changes, give the new content a new version"
        )


def _report(verified: Verified, installed: Installed, *, written: int, problems: dict[str, str]) -> InstallReport:
    return InstallReport(
        name=verified.name,
        version=verified.version,
        digest=verified.digest,
        unsigned=verified.unsigned,
        active=False,
        size_bytes=installed.size_bytes,
        written_bytes=written,
        variants=installed.chosen,
        measured=installed.measured,
        problems=problems,
    )
