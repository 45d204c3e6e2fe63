"""Release: what trust must have said about a package before a node may activate it."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.digest import Digest

__all__ = ["Verified"]


@dataclass(frozen=True, slots=True)
class Verified:
    """Proof that a package may be activated on this node. Only `holdfast.trust.verify` makes one; a test holds that."""

    name: str
    version: str
    digest: Digest
    signers: tuple[str, ...]
    """Key ids of who signed it; empty: nobody, and the operator allowed that."""

    @property
    def unsigned(self) -> bool:
        """Say whether nobody signed it: shown as `unsigned` wherever the package is named."""
        return not self.signers
