"""What answers now, as immutable values: a loadout of engines, and the snapshot that a request is answered with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from holdfast import __version__
from holdfast.apps.triage.scoring import Lens, Policy, read_lens
from holdfast.digest import Digest
from holdfast.inference import Serving
from holdfast.manifest import Head, Manifest
from holdfast.node.limits import tolerant_values
from holdfast.runtime.engine import Engine, EngineSet
from holdfast.runtime.rules_engine import BUILTIN_HEADS, RulesEngine, RulesHead
from holdfast.runtime.rules_table import BUILTIN_TABLE, table_digest
from holdfast.settings.tree import Settings
from holdfast.tier import TIERS, Reason, Tier

if TYPE_CHECKING:
    # Only the type: the pool costs 30 ms of a cold start in which RULES already answers.
    from holdfast.runtime.pool import WorkerPool

__all__ = ["BUILTIN", "Active", "Loadout", "activated", "builtin_loadout"]

BUILTIN = "builtin"
"""The name of what answers without a package."""


@dataclass(frozen=True, slots=True)
class Loadout:
    """The engines of one package, or of none. It outlives changes of settings and goes when the package does."""

    name: str
    version: str
    digest: Digest
    unsigned: bool
    heads: Sequence[Head | RulesHead]
    engines: Mapping[Tier, Engine]
    absent: Mapping[Tier, Reason] = field(default_factory=dict)
    shortfall: tuple[Reason, ...] = ()
    manifest: Manifest | None = None
    pool: WorkerPool | None = None
    """The workers of FULL; the node steps and closes them."""
    reference: bytes = b""
    """The package's reference file, which drift is measured against; empty without a package."""


@dataclass(frozen=True, slots=True)
class Active:
    """One loadout under one generation of settings: swapped whole, and a request sees one of them only."""

    serving: Serving
    engines: EngineSet
    lens: Lens
    policy: Policy
    loadout: Loadout
    team: str = ""
    """Whose tickets it answers; empty for those of no team."""
    arm: str = ""
    """Of which experiment, and which arm: `EXPERIMENT/control`, `EXPERIMENT/candidate`; empty outside of any."""
    override_fault: str = ""
    """Why the operator's overrides of the package are not in force; empty when they are."""


def builtin_loadout(reason: Reason) -> Loadout:
    """RULES alone, from the table in the wheel; `reason` says why no package answers."""
    return Loadout(
        name=BUILTIN,
        version=__version__,
        digest=table_digest(BUILTIN_TABLE),
        unsigned=False,
        heads=BUILTIN_HEADS,
        engines={Tier.RULES: RulesEngine(BUILTIN_TABLE)},
        absent=dict.fromkeys((Tier.FULL, Tier.SMALL), reason),
        shortfall=() if reason is Reason.NO_PACKAGE else (reason,),
    )


def activated(loadout: Loadout, policy: Policy, settings: Settings, *, generation: int) -> Active:
    """Return the snapshot of `loadout` under these settings."""
    serving = Serving(
        package=loadout.name,
        version=loadout.version,
        digest=loadout.digest,
        unsigned=loadout.unsigned,
        rules_digest=policy.rules.digest,
        settings_generation=generation,
    )
    engines = EngineSet(
        engines=loadout.engines,
        configured=_configured(loadout, Tier(settings.tiers.highest)),
        absent=loadout.absent,
        shortfall=loadout.shortfall,
    )
    lens, fault = read_lens(loadout.heads), ""
    if loadout.manifest is not None:
        values, fault = tolerant_values(settings, loadout.manifest)
        confidence = values.get("route.minimum_confidence")
        lens = lens if confidence is None else replace(lens, minimum_confidence=float(confidence))
    return Active(serving, engines, lens, policy, loadout, override_fault=fault)


def _configured(loadout: Loadout, highest: Tier) -> Tier:
    """The best tier that is wanted and that the package declares: one without an encoder is not degraded for ever."""
    wanted = TIERS[TIERS.index(highest) :]
    return next(tier for tier in wanted if loadout.absent.get(tier) is not Reason.NOT_IN_PACKAGE)
