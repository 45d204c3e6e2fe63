"""Chooses, from what examining each variant on this machine showed, which one serves each tier.

Pure. A tier is served by the fastest variant that answers rightly, fits into memory and costs no quality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.errors import Refused
from holdfast.manifest import Manifest, Measured, Variant
from holdfast.store.layout import PackageRefused
from holdfast.tier import TIERS, Tier

__all__ = ["ExaminationFailed", "Examined", "InstallLimits", "OverMemory", "UnknownVariant", "choose"]

_MIB = 1 << 20


class ExaminationFailed(PackageRefused):
    """A package that does not answer here as it did where it was built."""


class UnknownVariant(PackageRefused):
    """The operator pinned a variant that the package does not have."""


class OverMemory(Refused):
    """A package that measured above the memory budget of this node."""

    def __init__(self, message: str, *, fitting: tuple[str, ...]) -> None:
        super().__init__(message)
        self.fitting = fitting


@dataclass(frozen=True, slots=True)
class InstallLimits:
    """What the operator set for the packages of this node."""

    memory_budget_bytes: int = 512 << 20
    """Of one model worker, at its peak."""
    highest: Tier = Tier.FULL
    """Tiers above it are not served, so their variants are not examined."""
    pinned: Mapping[str, str] = field(default_factory=dict)
    """Package name -> the variant that must serve its tier; a package without one gets the best."""
    worst_accuracy_delta: float = -0.02
    """Lowest quality, against the tier's first variant as its builder measured it, that speed may buy."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What examining one variant on this machine showed."""

    variant: str
    measured: Measured | None = None
    """Null when it did not get that far."""
    problem: str = ""
    """Why it must not serve: wrong vectors, a health check that deviates, a worker that would not start."""


def choose(manifest: Manifest, examined: Sequence[Examined], limits: InstallLimits) -> dict[str, str]:
    """Return tier -> variant for every tier the package has up to `limits.highest`.

    Raises UnknownVariant; ExaminationFailed when no variant of a tier answers rightly; OverMemory, naming what fits,
    when those that do need more than the budget.
    """
    pinned = limits.pinned.get(manifest.name, "")
    if pinned and pinned not in {variant.name for variant in manifest.variants}:
        known = ", ".join(variant.name for variant in manifest.variants)
        raise UnknownVariant(f"packages.{manifest.name}.variant: expected one of {known}, found {pinned!r}")
    by_name = {one.variant: one for one in examined}
    wanted = TIERS[TIERS.index(limits.highest) :]
    tiers = [tier for tier in wanted if any(variant.tier is tier for variant in manifest.variants)]
    return {tier.value: _choose_one(manifest, tier, by_name, limits).name for tier in tiers}


def _choose_one(manifest: Manifest, tier: Tier, examined: Mapping[str, Examined], limits: InstallLimits) -> Variant:
    variants = [variant for variant in manifest.variants if variant.tier is tier]
    pinned = [variant for variant in variants if variant.name == limits.pinned.get(manifest.name)]
    candidates = pinned or variants
    healthy = [v for v in candidates if (seen := examined.get(v.name)) is not None and not seen.problem]
    if not healthy:
        problems = "; ".join(f"{v.name}: {_problem(examined.get(v.name))}" for v in candidates)
        raise ExaminationFailed(f"{manifest.name} {manifest.version}: no variant of tier {tier} works here: {problems}")
    fitting = [v for v in healthy if _peak(examined[v.name]) <= limits.memory_budget_bytes]
    if not fitting:
        raise _over_memory(manifest, healthy, examined, limits)
    good = [v for v in fitting if _delta(v) >= limits.worst_accuracy_delta] or fitting
    return min(good, key=lambda v: _p50_ms(examined[v.name]))


def _over_memory(
    manifest: Manifest, healthy: Sequence[Variant], examined: Mapping[str, Examined], limits: InstallLimits
) -> OverMemory:
    smallest = min(healthy, key=lambda v: _peak(examined[v.name]))
    peak, budget = _peak(examined[smallest.name]), limits.memory_budget_bytes
    fitting = tuple(v for v in manifest.variants if _fits(examined.get(v.name), budget))
    others = ", ".join(f"{v.name} (tier {v.tier}, {_peak(examined[v.name]) / _MIB:.0f} MiB)" for v in fitting)
    advice = f"what fits: {others}; " if others else "no variant of it fits; "
    setting = _setting(manifest.name, smallest, fitting)
    return OverMemory(
        f"{manifest.name} {manifest.version}: variant {smallest.name} of tier {smallest.tier} takes "
        f"{peak / _MIB:.0f} MiB, expected at most {budget / _MIB:.0f} MiB, {(peak - budget) / _MIB:.0f} MiB too much; "
        f"{advice}{setting}raise runtime.package_memory_mib to {-(-peak // _MIB)}",
        fitting=tuple(v.name for v in fitting),
    )


def _setting(name: str, refused: Variant, fitting: Sequence[Variant]) -> str:
    """Say which setting takes the first variant that fits, if there is one."""
    if not fitting:
        return ""
    if fitting[0].tier is refused.tier:
        return f'set packages.{name}.variant = "{fitting[0].name}", or '
    return f'set tiers.highest = "{fitting[0].tier}", or '


def _fits(seen: Examined | None, budget: int) -> bool:
    return seen is not None and not seen.problem and _peak(seen) <= budget


def _peak(seen: Examined) -> int:
    return seen.measured.peak_rss_bytes if seen.measured else 0


def _p50_ms(seen: Examined) -> float:
    return seen.measured.p50_ms if seen.measured else 0.0


def _delta(variant: Variant) -> float:
    return variant.measured.accuracy_delta if variant.measured else 0.0


def _problem(seen: Examined | None) -> str:
    return seen.problem if seen else "not examined"
