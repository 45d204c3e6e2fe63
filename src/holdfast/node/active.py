"""What answers now, as immutable values: a loadout of engines, and the snapshot that a request is answered with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast import __version__
from holdfast.apps.triage.scoring import Lens, Policy, read_lens
from holdfast.digest import Digest
from holdfast.inference import Serving
from holdfast.manifest import Head, Manifest
from holdfast.runtime.engine import Engine, EngineSet
from holdfast.runtime.rules_engine import BUILTIN_HEADS, RulesEngine, RulesHead
from holdfast.runtime.rules_table import BUILTIN_TABLE, table_digest
from holdfast.tier import Reason, Tier

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


@dataclass(frozen=True, slots=True)
class Active:
    """One loadout under one generation of settings: swapped whole, and a request sees one of them only."""

    serving: Serving
    engines: EngineSet
    lens: Lens
    policy: Policy
    loadout: Loadout


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


def activated(loadout: Loadout, policy: Policy, *, configured: Tier, generation: int) -> Active:
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
        engines=loadout.engines, configured=configured, absent=loadout.absent, shortfall=loadout.shortfall
    )
    return Active(serving, engines, read_lens(loadout.heads), policy, loadout)
