"""The router: which tiers one request tries, in which order, and why the others are skipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.runtime.engine import Condition
from holdfast.tier import TIERS, Reason, Route, Step, Tier

__all__ = ["ATTEMPT_SHARE", "Standing", "attempt_s", "blocked", "route"]

ATTEMPT_SHARE = 0.6
"""One attempt gets at most this share of what remains, so that a tier that hangs leaves time for the one below."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything about the tiers that the route of one request depends on."""

    conditions: Mapping[Tier, Condition]
    """By tier that has an engine; RULES always has one."""
    absent: Mapping[Tier, Reason]
    configured: Tier
    pressure: Reason | None = None
    """Heat or lack of memory: FULL rests."""


def attempt_s(remaining_s: float) -> float:
    """Seconds that one attempt may take when the request has `remaining_s` left."""
    return max(0.0, remaining_s) * ATTEMPT_SHARE


def route(standing: Standing, remaining_s: float) -> Route:
    """Tiers from the best, each to be tried or skipped with its reason; the last, RULES, is always to be tried."""
    return Route(steps=tuple(Step(tier=tier, skipped=_why_not(tier, standing, remaining_s)) for tier in TIERS))


def blocked(tier: Tier, standing: Standing) -> Reason | None:
    """Why `tier` could not answer any request now, however long it might wait; null when it could."""
    if tier is Tier.RULES:
        return None
    if TIERS.index(tier) < TIERS.index(standing.configured):
        return Reason.PINNED
    condition = standing.conditions.get(tier)
    if condition is None:
        return standing.absent.get(tier, Reason.NOT_IN_PACKAGE)
    if tier is Tier.FULL and standing.pressure is not None:
        return standing.pressure
    return condition.refuses


def _why_not(tier: Tier, standing: Standing, remaining_s: float) -> Reason | None:
    if tier is Tier.RULES:
        return None
    return blocked(tier, standing) or standing.conditions[tier].late(attempt_s(remaining_s))
