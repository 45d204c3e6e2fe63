"""Pressure: whether heat or lack of memory keeps FULL at rest, with hysteresis and a cool-down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast.tier import Reason, Signal

__all__ = ["Pressure", "PressureLimits", "advance"]

_STALE_S = 60.0  # a sensor that stopped answering says nothing about now


@dataclass(frozen=True, slots=True)
class PressureLimits:
    """Where pressure begins and ends. Beginning and end lie apart, so that a value on the edge does not flap."""

    hot_c: float = 80.0
    """A Raspberry Pi 5 throttles itself at 85."""
    cooled_c: float = 72.0
    scarce_bytes: int = 96 << 20
    """Available memory below this: the worker's own 100 MB are worth more to the machine than its answers."""
    ample_bytes: int = 256 << 20
    """More than `scarce_bytes` and a worker together, else bringing it back would cause what sent it away."""
    cooldown_s: float = 60.0
    """At most one change in this time."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """The state: why FULL rests (null: it does not), and since when."""

    reason: Reason | None = None
    since_s: float = -math.inf


def advance(now: Pressure, signals: Sequence[Signal], *, limits: PressureLimits, at_s: float) -> Pressure:
    """The state after these signals; the same object when nothing changed."""
    if at_s - now.since_s < limits.cooldown_s:
        return now
    fresh: dict[str, float] = {signal.kind: signal.value for signal in signals if at_s - signal.taken_at_s <= _STALE_S}
    reason = _beginning(fresh, limits) if now.reason is None else _lasting(now.reason, fresh, limits)
    return now if reason == now.reason else Pressure(reason, at_s)


def _beginning(fresh: Mapping[str, float], limits: PressureLimits) -> Reason | None:
    if fresh.get("temperature_c", -math.inf) >= limits.hot_c:
        return Reason.TEMPERATURE
    if fresh.get("available_bytes", math.inf) < limits.scarce_bytes:
        return Reason.MEMORY_PRESSURE
    return None


def _lasting(reason: Reason, fresh: Mapping[str, float], limits: PressureLimits) -> Reason | None:
    """Stay until both are well clear: leaving one pressure straight into the other would be a change for nothing."""
    warm = fresh.get("temperature_c", -math.inf) > limits.cooled_c
    tight = fresh.get("available_bytes", math.inf) < limits.ample_bytes
    return reason if warm or tight else None
