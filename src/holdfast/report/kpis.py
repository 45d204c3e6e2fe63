"""Key figures of a pilot: what the node's work changed, before against after, with intervals; pure but for a generator.

A figure that the records cannot give is left out by name, with what it would take: nothing is guessed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from holdfast.report.accuracy import wilson
from holdfast.report.bootstrap import Interval, difference, interval
from holdfast.report.handled import Handled

__all__ = ["Kpi", "Stretch", "TierShare", "kpis", "tier_shares"]

_LEAST = 5  # tasks; the median of fewer says nothing, and neither does an interval around it


class Kpi(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One figure before and after."""

    name: str
    title: str
    unit: Literal["s", "ratio"]
    better: Literal["lower", "higher", "neither"]
    before: Interval | None
    before_tasks: int
    after: Interval | None
    after_tasks: int
    change: Interval | None
    """After minus before; None without both."""
    missing: str = ""
    """What it would take to compute what is not there."""


class TierShare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tier: its share of the time as the best that could answer, and of the answers."""

    tier: str
    time_ratio: float | None
    """None where no change of tier is on record."""
    answers: int
    answer_ratio: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """From this instant on, this tier was the best that could answer."""

    at_s: float
    tier: str


@dataclass(frozen=True, slots=True)
class _Figure:
    """How one figure is taken from a task; None where the task does not bear on it."""

    name: str
    title: str
    unit: Literal["s", "ratio"]
    better: Literal["lower", "higher", "neither"]
    of: Callable[[Handled], float | None]
    needs: str


def _span(task: Handled, end_s: float | None) -> float | None:
    """Seconds from opening to `end_s`; one that ends before it began is two clocks that disagree, and no figure."""
    if task.opened_s is None or end_s is None or end_s < task.opened_s:
        return None
    return end_s - task.opened_s


def _false_p0(task: Handled) -> float | None:
    if task.priority != "P0" or task.final_priority is None:
        return None
    return float(task.final_priority != "P0")


def _in_time(task: Handled) -> float | None:
    if task.deadline_s is None or task.resolved_s is None:
        return None
    return float(task.resolved_s <= task.deadline_s)


def _overridden(task: Handled) -> float | None:
    return None if task.overridden is None else float(task.overridden)


_FIGURES = (
    _Figure(
        "time_to_triage",
        "Time to triage (median)",
        "s",
        "lower",
        lambda task: _span(task, task.triaged_s),
        "when tasks were opened (`created_at`) and first given a priority (history column `triaged`)",
    ),
    _Figure(
        "time_to_told",
        "Time until the tracker shows it (median)",
        "s",
        "lower",
        lambda task: _span(task, task.told_s),
        "when tasks were opened, and a connection that is written back to",
    ),
    _Figure(
        "first_ack",
        "Time to first acknowledgement (median)",
        "s",
        "lower",
        lambda task: _span(task, task.acked_s),
        "when a person first acted on each task (history column `acked`): the node does not see that",
    ),
    _Figure(
        "false_p0_rate",
        "False P0 (share of P0 that did not stay P0)",
        "ratio",
        "lower",
        _false_p0,
        "tasks that were P0 first, and how they ended (history columns `priority` and `final_priority`)",
    ),
    _Figure(
        "sla_adherence",
        "SLA adherence (share resolved by its deadline)",
        "ratio",
        "higher",
        _in_time,
        "deadlines, and when tasks were resolved (history columns `deadline` and `resolved`)",
    ),
    _Figure(
        "override_rate",
        "Override rate (share of decisions people corrected)",
        "ratio",
        "lower",
        _overridden,
        "decisions of the node: before it there was nothing to override",
    ),
    _Figure(
        "p0_share",
        "Share of P0",
        "ratio",
        "neither",
        lambda task: None if task.priority is None else float(task.priority == "P0"),
        "the priority tasks were first given (history column `priority`)",
    ),
)


def kpis(before: Sequence[Handled], after: Sequence[Handled], *, rng: np.random.Generator) -> tuple[Kpi, ...]:
    """Return every figure of two sets of tasks: 95 % intervals, of shares by Wilson, of the rest by bootstrap."""
    return tuple(_kpi(figure, before, after, rng=rng) for figure in _FIGURES)


def _kpi(figure: _Figure, before: Sequence[Handled], after: Sequence[Handled], *, rng: np.random.Generator) -> Kpi:
    early, late = _values(figure, before), _values(figure, after)
    statistic = np.mean if figure.unit == "ratio" else np.median
    enough = len(early) >= _LEAST and len(late) >= _LEAST
    sides = [side for side, values in (("before", early), ("after", late)) if len(values) < _LEAST]
    return Kpi(
        name=figure.name,
        title=figure.title,
        unit=figure.unit,
        better=figure.better,
        before=_interval(figure, early, rng),
        before_tasks=len(early),
        after=_interval(figure, late, rng),
        after_tasks=len(late),
        change=difference(early, late, statistic=statistic, rng=rng) if enough else None,
        missing=f"{' and '.join(sides)}: needs {figure.needs}, of {_LEAST} tasks at least" if sides else "",
    )


def _values(figure: _Figure, tasks: Sequence[Handled]) -> list[float]:
    return [value for task in tasks if (value := figure.of(task)) is not None]


def _interval(figure: _Figure, values: Sequence[float], rng: np.random.Generator) -> Interval | None:
    if len(values) < _LEAST:
        return None
    if figure.unit == "ratio":  # the bootstrap of a share that is 0 or 1 has no width
        low, high = wilson(round(sum(values)), len(values))
        return Interval(low=low, estimate=float(np.mean(values)), high=high)
    return interval(values, np.median, rng=rng)


def tier_shares(
    tasks: Sequence[Handled], stretches: Sequence[Stretch], *, since_s: float, until_s: float
) -> tuple[TierShare, ...]:
    """How long each tier was the best, and how often it answered. stretches: every known change, oldest first."""
    answers = Counter(task.tier for task in tasks if task.tier is not None)
    spent = _time_by_tier(stretches, since_s, until_s) if stretches else {}
    total = sum(spent.values())
    return tuple(
        TierShare(
            tier=tier,
            time_ratio=round(spent.get(tier, 0.0) / total, 6) if total else None,
            answers=answers[tier],
            answer_ratio=round(answers[tier] / max(answers.total(), 1), 6),
        )
        for tier in ("full", "small", "rules")
    )


def _time_by_tier(stretches: Sequence[Stretch], since_s: float, until_s: float) -> dict[str, float]:
    """Seconds of the window from the first change on record; while the node did not run the tier before it counts."""
    spent: dict[str, float] = defaultdict(float)
    ends_s = [one.at_s for one in stretches[1:]] + [until_s]
    for stretch, end_s in zip(stretches, ends_s, strict=True):
        spent[stretch.tier] += max(min(end_s, until_s) - max(stretch.at_s, since_s), 0.0)
    return spent
