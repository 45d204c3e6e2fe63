"""Tiers: which answerers a node has, in which order they are tried, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

__all__ = ["TIERS", "Reason", "Route", "Signal", "Step", "Tier", "Transition"]


class Tier(StrEnum):
    """One level of answering; every tier answers the same request in the same shape."""

    FULL = "full"
    SMALL = "small"
    RULES = "rules"


TIERS: tuple[Tier, ...] = (Tier.FULL, Tier.SMALL, Tier.RULES)
"""From the best answer to the one that is always there."""


class Reason(StrEnum):
    """Why a tier was skipped, left or came back."""

    STARTING = "starting"
    RECOVERED = "recovered"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    NOT_READY = "not_ready"
    CRASH_LOOP = "crash_loop"
    OUT_OF_MEMORY = "out_of_memory"
    OVERLOADED = "overloaded"
    DEADLINE = "deadline"
    TEMPERATURE = "temperature"
    MEMORY_PRESSURE = "memory_pressure"
    UNVERIFIED = "unverified"
    NO_PACKAGE = "no_package"
    NOT_IN_PACKAGE = "not_in_package"
    UNLOADED_IDLE = "unloaded_idle"
    PINNED = "pinned"


class Signal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measured fact about this node."""

    kind: Literal["temperature_c", "available_bytes", "queue_depth", "latency_ms"]
    value: float
    taken_at_s: float
    """Monotonic: comparable within one boot only."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One tier on a route: to be tried, or skipped for a reason."""

    tier: Tier
    skipped: Reason | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The tiers of one request, best first, each to be tried or skipped with its reason."""

    steps: tuple[Step, ...]

    @property
    def to_try(self) -> tuple[Tier, ...]:
        """The tiers that are not skipped, in order."""
        return tuple(step.tier for step in self.steps if step.skipped is None)


class Transition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The node's best available tier changed; kept so that people can ask why later."""

    package: str
    before: Tier
    after: Tier
    reason: Reason
    at: str
    """RFC 3339, UTC, as the node believed it."""
    temperature_c: float | None = None
    available_bytes: int | None = None
    queue_depth: int = 0
    latency_ms: float | None = None
