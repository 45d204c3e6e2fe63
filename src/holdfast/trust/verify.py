"""Decides whether a package may be installed and activated on this node: the only maker of `Verified`."""

from __future__ import annotations

from typing import Protocol

from holdfast.digest import Digest
from holdfast.errors import Refused
from holdfast.manifest import Manifest
from holdfast.release import Verified

__all__ = ["Admissible", "UnsignedPackage", "admit_local"]


class UnsignedPackage(Refused):
    """A package nobody signed, on a node that does not allow that."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"{name} {version}: expected a signature, found none; unsigned packages are accepted only with "
            "trust.allow_unsigned = true"
        )


class Admissible(Protocol):
    """An intact package: its manifest is the one its digest stands for."""

    @property
    def manifest(self) -> Manifest:
        """What the package says of itself."""

    @property
    def digest(self) -> Digest:
        """Of the manifest's bytes."""


def admit_local(package: Admissible, *, allow_unsigned: bool) -> Verified:
    """Admit a package that came from the operator's hands, without signatures. Raises UnsignedPackage."""
    manifest = package.manifest
    if not allow_unsigned:
        raise UnsignedPackage(manifest.name, manifest.version)
    return Verified(name=manifest.name, version=manifest.version, digest=package.digest, signers=())
