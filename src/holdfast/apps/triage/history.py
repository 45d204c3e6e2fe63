"""What-if: past tickets as they would be scored now, held against what was made of them then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from holdfast.apps.triage.decision import NEEDS_TRIAGE, Priority
from holdfast.apps.triage.preview import Preview
from holdfast.report.bootstrap import Interval, interval
from holdfast.tier import Tier

__all__ = ["Changed", "HistoryReport", "Then", "report_history"]

_MOST_SHOWN = 20
_UNTOLD = ""


@dataclass(frozen=True, slots=True)
class Then:
    """What was made of a ticket then: a band, or another word of the file's; empty where it does not tell."""

    priority: str
    route: str


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket that would have another priority."""

    task_id: str
    then: str
    now: Priority
    score: float


class HistoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the node would have done with a history."""

    tickets: int
    faults: tuple[str, ...]
    priorities: dict[Priority, int]
    tiers: dict[Tier, int]
    degraded: int
    """Answered by a lower tier than the configured one: their figures are not those of a healthy node."""
    needs_triage: int
    then: dict[str, dict[Priority, int]]
    """Priority then -> priority now -> tickets."""
    told: int
    """Tickets whose priority then is a band, or a label of the package's."""
    same_priority: Interval | None
    """Share of them; null when there is none."""
    routed: int
    """Tickets that had a route then."""
    same_route: Interval | None
    """Share of them."""
    changed: tuple[Changed, ...]
    """The largest changes of priority, at most 20."""


def report_history(
    then: Sequence[Then], now: Sequence[Preview], bands: Mapping[str, Priority], *, rng: np.random.Generator
) -> HistoryReport:
    """Sum up. `bands`: the package's own labels of urgency and the band each belongs to, compared without case."""
    known = {label.casefold(): band for label, band in bands.items()} | {one.value.casefold(): one for one in Priority}
    both = [(was, said) for was, said in zip(then, now, strict=True) if not said.fault]
    table: dict[str, dict[Priority, int]] = {}
    for was, said in both:
        row = table.setdefault(was.priority or _UNTOLD, dict.fromkeys(Priority, 0))
        row[said.priority] += 1
    told = [(band, said) for was, said in both if (band := known.get(was.priority.casefold())) is not None]
    routed = [(was.route, said) for was, said in both if was.route]
    return HistoryReport(
        tickets=len(both),
        faults=tuple(f"{one.task_id}: {one.fault}" for one in now if one.fault),
        priorities={band: sum(said.priority is band for _, said in both) for band in Priority},
        tiers={tier: count for tier in Tier if (count := sum(said.tier is tier for _, said in both))},
        degraded=sum(said.degraded for _, said in both),
        needs_triage=sum(said.route == NEEDS_TRIAGE for _, said in both),
        then=table,
        told=len(told),
        same_priority=_share([band is said.priority for band, said in told], rng),
        routed=len(routed),
        same_route=_share([route.casefold() == said.route.casefold() for route, said in routed], rng),
        changed=_largest(told),
    )


def _share(hits: Sequence[bool], rng: np.random.Generator) -> Interval | None:
    return interval([float(one) for one in hits], lambda sample: float(sample.mean()), rng=rng) if hits else None


def _largest(told: Sequence[tuple[Priority, Preview]]) -> tuple[Changed, ...]:
    order = list(Priority)
    moved = [(abs(order.index(band) - order.index(said.priority)), band, said) for band, said in told]
    largest = sorted((one for one in moved if one[0]), key=lambda one: (-one[0], -one[2].score, one[2].task_id))
    return tuple(
        Changed(task_id=said.task_id, then=band.value, now=said.priority, score=said.score)
        for _, band, said in largest[:_MOST_SHOWN]
    )
