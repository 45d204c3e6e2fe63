"""Examining a package on this machine before it may serve: known answers, time and memory, variant by variant."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.errors import HoldfastError
from holdfast.manifest import Variant
from holdfast.node.node import Node
from holdfast.runtime.trialrun import measure_variant
from holdfast.store.choice import Examined
from holdfast.store.install import Examine
from holdfast.store.shelf import LoadedPackage

__all__ = ["examiner"]

_MIB = 1 << 20


def examiner(node: Node) -> Examine:
    """Return the function that the store's install calls to have variants examined on this node."""

    def examine(package: LoadedPackage, names: Sequence[str]) -> Sequence[Examined]:
        by_name = {variant.name: variant for variant in package.manifest.variants}
        return [_examined(node, package, by_name[name]) for name in names]

    return examine


def _examined(node: Node, package: LoadedPackage, variant: Variant) -> Examined:
    try:
        measured = measure_variant(
            package.manifest,
            variant,
            package.files,
            clock=node.state.clock,
            memory_cap_bytes=node.loaded.settings.runtime.worker_memory_mib * _MIB,
        )
    except HoldfastError as error:
        return Examined(variant.name, problem=str(error))
    return Examined(variant.name, measured)
