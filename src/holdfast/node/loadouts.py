"""From a verified package in memory to the engines that answer with it."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.clock import Clock
from holdfast.manifest import Manifest, Variant
from holdfast.measure import Measures
from holdfast.node.active import Loadout
from holdfast.node.limits import tolerant_values, worker_limits
from holdfast.runtime.engine import Engine
from holdfast.runtime.full_engine import FullEngine, FullLimits
from holdfast.runtime.linear_engine import LinearEngine
from holdfast.runtime.pool import WorkerPool
from holdfast.runtime.rules_engine import RulesEngine, rules_heads
from holdfast.runtime.rules_table import BUILTIN_TABLE
from holdfast.runtime.sealed import seal_model
from holdfast.settings.tree import Settings
from holdfast.store.shelf import LoadedPackage
from holdfast.tier import TIERS, Reason, Tier

__all__ = ["Workshop", "loadout_of"]


@dataclass(frozen=True, slots=True)
class Workshop:
    """What engines are built with."""

    settings: Settings
    clock: Clock
    measures: Measures
    workers: bool = True
    """False: no process is started, so FULL is absent; for commands that run without a node."""


def loadout_of(package: LoadedPackage, workshop: Workshop) -> Loadout:
    """Build the engines of `package`, RULES among them. Raises what the engines raise for files that do not fit."""
    manifest = package.manifest
    engines: dict[Tier, Engine] = {Tier.RULES: RulesEngine(BUILTIN_TABLE, rules_heads(manifest.heads))}
    absent: dict[Tier, Reason] = {}
    wanted = TIERS[TIERS.index(Tier(workshop.settings.tiers.highest)) :]
    if Tier.SMALL in wanted:
        engines[Tier.SMALL] = LinearEngine(manifest, package.files)
    pool: WorkerPool | None = None
    variant = _full_variant(package, workshop.settings)
    if Tier.FULL in wanted and variant is not None and workshop.workers:
        model = seal_model(manifest, variant, package.files)
        pool = WorkerPool(
            manifest.name,
            model,
            limits=worker_limits(workshop.settings),
            clock=workshop.clock,
            measures=workshop.measures,
        )
        engines[Tier.FULL] = FullEngine(
            manifest,
            package.files,
            pool,
            limits=_full_limits(workshop.settings, manifest),
            measures=workshop.measures,
        )
    else:
        absent[Tier.FULL] = Reason.NOT_IN_PACKAGE if variant is None else Reason.NOT_READY
    if Tier.SMALL not in engines:
        absent[Tier.SMALL] = Reason.PINNED
    return Loadout(
        name=manifest.name,
        version=manifest.version,
        digest=package.digest,
        unsigned=not package.installed.signers,
        heads=manifest.heads,
        engines=engines,
        absent=absent,
        shortfall=(Reason.UNVERIFIED,) if package.fallen_from is not None else (),
        manifest=manifest,
        pool=pool,
        reference=bytes(package.files.get(manifest.reference, b"")),
    )


def _full_variant(package: LoadedPackage, settings: Settings) -> Variant | None:
    """The variant pinned in settings, else the one that measured best at install, else the package's first."""
    variants = [variant for variant in package.manifest.variants if variant.tier is Tier.FULL]
    chosen = settings.packages.get(package.manifest.name)
    for name in (chosen.variant if chosen else "", package.installed.chosen.get(Tier.FULL, "")):
        found = next((variant for variant in variants if variant.name == name), None)
        if found is not None:
            return found
    return variants[0] if variants else None


def _full_limits(settings: Settings, manifest: Manifest) -> FullLimits:
    """How the full tier spends its work: the operator's word, else the package's default."""
    values, _ = tolerant_values(settings, manifest)
    return FullLimits(cascade=bool(values.get("cascade", False)), cached_answers=settings.runtime.cache_texts)
