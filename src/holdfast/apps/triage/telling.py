"""Telling: a decision in the words a tracker shows to people. Pure."""

from __future__ import annotations

from holdfast.apps.triage.decision import Contribution, Decision
from holdfast.apps.triage.task import Values

__all__ = ["values_of"]

_NAMED = 3  # contributions in the one sentence
_MOST_LINES = 12
_MOST_LINE = 200


def values_of(decision: Decision, route: str) -> Values:
    """Return what to say of `decision`; `route` is the tracker's own word for it, or empty."""
    return Values(
        decision_id=decision.decision_id,
        score=decision.score,
        priority=decision.priority,
        route=route,
        reason=_reason(decision),
        explanation="\n".join(line[:_MOST_LINE] for line in _lines(decision)),
    )


def _reason(decision: Decision) -> str:
    if decision.override is not None:
        return f"{decision.priority}: chosen by {decision.override.by or 'a person'}"
    heaviest = sorted(decision.contributions, key=lambda one: -abs(one.points))[:_NAMED]
    because = ", ".join(f"{one.name} {one.points:+.1f}" for one in heaviest if one.points)
    return f"{decision.priority}, score {decision.score:g}" + (f": {because}" if because else "")


def _lines(decision: Decision) -> list[str]:
    by = decision.served_by
    package = f"{by.package} {by.version}"
    lines = [f"{decision.priority}, score {decision.score:g} of 100, by {by.tier.value} of {package} at {decision.at}"]
    lines += [_line(one) for one in decision.contributions[:_MOST_LINES]]
    if decision.route.label:
        lines.append(f"route {decision.route.label}, confidence {decision.route.confidence:.2f}")
    if by.degraded:
        lines.append(f"answered by a lower tier than usual: {', '.join(by.reasons)}")
    return lines


def _line(one: Contribution) -> str:
    return f"{one.points:+.1f} {one.name}: {' '.join(one.source.split())}"
