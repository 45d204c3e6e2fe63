"""Arms compared: what each way to score did over the tickets of an experiment, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from holdfast.apps.triage.decision import NEEDS_TRIAGE, Priority
from holdfast.apps.triage.experiments import ARMS, Arm
from holdfast.report.bootstrap import Interval, difference, interval

__all__ = ["ArmFigures", "Comparison", "Judged", "compare"]

_FEW = 30  # below it an interval says more about luck than about the arm


@dataclass(frozen=True, slots=True)
class Judged:
    """One arm's word on one task, and a person's, where there is one."""

    arm: Arm
    score: float
    priority: Priority
    route: str
    stands: Priority
    """The priority in the end: a person's, or the one in force that people let stand."""
    corrected: bool = False
    """A person corrected the decision in force."""
    wrong: bool = False
    """Priority or route are not those in the end."""


class ArmFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one arm did; every figure with its 95 % interval, null where there is nothing to compute it from."""

    arm: Arm
    decisions: int
    judged: int
    """Of them, those that a person corrected."""
    priorities: dict[Priority, int]
    p0_share: Interval | None
    mean_score: Interval | None
    needs_triage_share: Interval | None
    override_rate: Interval | None
    agreement: Interval | None
    """Share of tasks to which it gave the priority that stands in the end."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Both arms, and the candidate minus the control."""

    arms: tuple[ArmFigures, ...]
    differences: dict[str, Interval]
    """Figure -> candidate minus control. One whose interval excludes 0 is unlikely to be luck."""
    same_priority: Interval | None
    """In shadow: share of tickets to which both gave the same priority."""
    notes: tuple[str, ...]


_FIGURES: dict[str, Callable[[Judged], float]] = {
    "p0_share": lambda one: float(one.priority is Priority.P0),
    "mean_score": lambda one: one.score,
    "needs_triage_share": lambda one: float(one.route == NEEDS_TRIAGE),
    "override_rate": lambda one: float(one.wrong),
    "agreement": lambda one: float(one.priority is one.stands),
}


def compare(
    rows: Sequence[Judged], pairs: Sequence[tuple[Priority, Priority]], *, rng: np.random.Generator
) -> Comparison:
    """Figures of both arms; `pairs` are the priorities both gave one ticket, in shadow."""
    values = {arm: _values([one for one in rows if one.arm == arm]) for arm in ARMS}
    control, candidate = (values[arm] for arm in ARMS)
    both = [name for name in _FIGURES if control[name] and candidate[name]]
    return Comparison(
        arms=tuple(_figures(arm, [one for one in rows if one.arm == arm], values[arm], rng=rng) for arm in ARMS),
        differences={name: difference(control[name], candidate[name], statistic=_mean, rng=rng) for name in both},
        same_priority=_interval([float(one is other) for one, other in pairs], rng),
        notes=tuple(_notes(rows, shadow=bool(pairs))),
    )


def _values(rows: Sequence[Judged]) -> dict[str, list[float]]:
    return {name: [figure(one) for one in rows] for name, figure in _FIGURES.items()}


def _figures(
    arm: Arm, rows: Sequence[Judged], values: dict[str, list[float]], *, rng: np.random.Generator
) -> ArmFigures:
    found = {name: _interval(values[name], rng) for name in _FIGURES}
    return ArmFigures(
        arm=arm,
        decisions=len(rows),
        judged=sum(one.corrected for one in rows),
        priorities={priority: sum(one.priority is priority for one in rows) for priority in Priority},
        p0_share=found["p0_share"],
        mean_score=found["mean_score"],
        needs_triage_share=found["needs_triage_share"],
        override_rate=found["override_rate"],
        agreement=found["agreement"],
    )


def _interval(values: Sequence[float], rng: np.random.Generator) -> Interval | None:
    return interval(values, _mean, rng=rng) if values else None


def _mean(sample: np.ndarray) -> float:
    return float(sample.mean())


def _notes(rows: Sequence[Judged], *, shadow: bool) -> list[str]:
    notes = []
    for arm in ARMS:
        mine = [one for one in rows if one.arm == arm]
        if len(mine) < _FEW:
            notes.append(f"{arm}: {len(mine)} tickets are few; wait for {_FEW} before you trust an interval")
    if not any(one.corrected for one in rows):
        notes.append("nobody has corrected any of it yet: agreement says only that people let it stand")
    elif shadow:
        notes.append("people saw the control only: where they let it stand, a candidate that differs counts as wrong")
    return notes
