"""The history of tiers: when the best available tier of a package changed, why, and how the node was at that moment."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.answer.router import Standing, blocked
from holdfast.clock import Clock
from holdfast.measure import Measures
from holdfast.runtime.engine import Condition
from holdfast.tier import TIERS, Reason, Signal, Tier, Transition

__all__ = ["TierHistory"]

_KEPT = 1000  # a node that nobody drains keeps the newest and a bounded amount of memory


@dataclass(slots=True)
class _Package:
    best: Tier = Tier.RULES
    reached: set[Tier] = field(default_factory=set)
    overloaded_at_s: float | None = None


class TierHistory:
    """One lock guards the packages and the transitions nobody has drained yet."""

    def __init__(self, clock: Clock, measures: Measures, *, overload_quiet_s: float) -> None:
        self._clock, self._measures, self._overload_quiet_s = clock, measures, overload_quiet_s
        self._lock = threading.Lock()
        self._packages: dict[str, _Package] = {}
        self._transitions: deque[Transition] = deque(maxlen=_KEPT)

    def overloaded(self, package: str) -> None:
        """FULL just turned a request of `package` away because of its queue."""
        with self._lock:
            self._packages.setdefault(package, _Package()).overloaded_at_s = self._clock.monotonic_s()

    def observe(self, package: str, standing: Standing, signals: Sequence[Signal]) -> None:
        """Compare the best tier of `package` with the last one seen, and keep the difference."""
        with self._lock:
            state = self._packages.setdefault(package, _Package())
            why_not = {tier: self._why_not(tier, standing, state) for tier in TIERS}
            best = next(tier for tier in TIERS if why_not[tier] is None)
            if best is state.best:
                return
            reason = why_not[state.best] or (Reason.RECOVERED if best in state.reached else Reason.STARTING)
            condition = standing.conditions.get(Tier.FULL, Condition())
            self._transitions.append(
                Transition(
                    package=package,
                    before=state.best,
                    after=best,
                    reason=reason,
                    at=self._clock.wall_at().isoformat(),
                    temperature_c=_latest(signals, "temperature_c"),
                    available_bytes=_whole(_latest(signals, "available_bytes")),
                    queue_depth=condition.depth,
                    latency_ms=round((condition.wait_s + condition.service_s) * 1e3, 3),
                )
            )
            self._measures.add("tier_transitions_total", package, state.best, best, reason)
            state.best = best
            state.reached.add(best)

    def drain(self) -> tuple[Transition, ...]:
        """Take everything kept since the last call, oldest first."""
        with self._lock:
            taken = tuple(self._transitions)
            self._transitions.clear()
        return taken

    def best_tier(self, package: str) -> Tier:
        """The best tier of `package` when it was last observed."""
        with self._lock:
            state = self._packages.get(package)
            return Tier.RULES if state is None else state.best

    def _why_not(self, tier: Tier, standing: Standing, state: _Package) -> Reason | None:
        reason = blocked(tier, standing)
        if tier is Tier.FULL and reason is None:
            reason = standing.conditions[tier].lacks
        if reason is Reason.OVERLOADED:  # a full queue empties in milliseconds: only its quiet period ends the state
            state.overloaded_at_s = self._clock.monotonic_s()
        elif reason is not None or tier is not Tier.FULL:
            return reason
        at_s = state.overloaded_at_s
        quiet = at_s is None or self._clock.monotonic_s() - at_s >= self._overload_quiet_s
        return None if quiet else Reason.OVERLOADED


def _latest(signals: Sequence[Signal], kind: str) -> float | None:
    return next((signal.value for signal in reversed(signals) if signal.kind == kind), None)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
