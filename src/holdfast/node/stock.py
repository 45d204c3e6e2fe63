"""Stock: loadouts besides that of `triage.package`, for teams and experiments; one per package, whoever uses it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from holdfast.digest import Digest
from holdfast.node.active import Loadout, builtin_loadout
from holdfast.store.install import parse_target
from holdfast.store.shelf import NoGoodPackage
from holdfast.tier import Reason

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["Stock"]


class Stock:
    """Used under the node's refresh lock only: whole refreshes come one after the other."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._held: dict[Digest, Loadout] = {}

    def loadout(self, target: str) -> tuple[Loadout, str]:
        """The engines of `NAME` (its active version) or `NAME@VERSION`, and why it is RULES alone; empty if it is not.

        A package that cannot be had is never replaced by another team's.
        """
        try:
            return self._found(target), ""
        except Exception as error:  # noqa: BLE001  # rim: whatever is wrong with one package, the others are served
            self._node.measures.add("swallowed_errors_total", "stock")
            self._node.log.failure("no-good-package", package=target, detail=str(error)[:300])
            return builtin_loadout(Reason.UNVERIFIED), str(error)

    def keep(self, used: Iterable[Loadout]) -> None:
        """Give up what nobody uses any more, once requests that hold it have ended."""
        wanted = {loadout.digest for loadout in used}
        for digest in [one for one in self._held if one not in wanted]:
            gone = self._held.pop(digest)
            if gone.pool is not None:
                self._node.retire(gone.pool)

    def _found(self, target: str) -> Loadout:
        digest = self._digest(target)
        default = self._node.active.loadout
        if default.digest == digest:
            return default
        if digest not in self._held:
            loadout = self._built(target)
            self._held[loadout.digest] = loadout
            return loadout
        return self._held[digest]

    def _digest(self, target: str) -> Digest:
        store = self._node.state.store
        if "@" in target:
            return store.version(*parse_target(target)).digest
        active = store.slots(target).active
        if active is None:
            raise NoGoodPackage(f"{target}: expected an active version, found none; `holdfast package activate` one")
        return active

    def _built(self, target: str) -> Loadout:
        from holdfast.node.healthy import examined, healthy_loadout  # noqa: PLC0415  # numpy: 0.1 s of a cold start

        node = self._node
        if "@" in target:
            package = node.state.store.read(node.state.store.version(*parse_target(target)))
            node.admit(package)
            loadout = examined(package, node.workshop())
        else:
            loadout = healthy_loadout(node.state.store, target, admit=node.admit, workshop=node.workshop())
        if loadout.pool is not None:
            node.employ(loadout.pool)
        return loadout
