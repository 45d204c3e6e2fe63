"""Accuracy as people see it: how often a decision's priority was let stand, over time and by package. Pure.

It is folded from ledger headers alone, which outlive every payload: a decision's header names its package and band, an
override's the same task and the band the person chose. A decision nobody touched counts as let stand, whether somebody
looked at it or not: it is an upper bound, and the number of judged decisions is told beside it.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, TypeAlias

import msgspec

from holdfast.record import Header

__all__ = ["AccuracyReport", "AccuracyRow", "Fold", "Period", "wilson"]

Period: TypeAlias = Literal["day", "week", "month", "all"]

_DECISION, _OVERRIDE = "decision", "override"
_MOST_OPEN = 50_000  # tasks whose override is still waited for: about 10 MB
_Z = 1.959964  # of a 95 % interval

_Key: TypeAlias = tuple[str, str, str]  # package digest, team, day
_Task: TypeAlias = tuple[str, str]  # team, subject: two teams may call different tasks the same


class AccuracyRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One package of one team in one period."""

    package: str
    version: str
    digest: str
    team: str
    since: str
    """First day of the period (UTC)."""
    decisions: int
    judged: int
    """Decisions a person corrected or confirmed."""
    changed: int
    """Those whose priority the person changed."""
    accuracy: float
    """Share of decisions that were let stand."""
    low: float
    high: float
    """95 % interval."""
    changes: dict[str, int]
    """`P0>P2`: how many the node called P0 and a person P2."""


class AccuracyReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every row, the latest period first."""

    period: Period
    rows: tuple[AccuracyRow, ...]
    unattributed: int
    """Overrides of decisions that are not among the last 50,000 tasks."""
    through: int
    """Sequence of the last ledger entry that counts here."""


@dataclass(slots=True)
class _Cell:
    decisions: int = 0
    judged: int = 0
    changes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Open:
    """The latest decision on a task."""

    key: _Key
    band: str
    said: str | None = None
    """The band a person chose last; None: nobody judged yet."""


class Fold:
    """Takes headers in order. Belongs to whoever holds its lock."""

    def __init__(self) -> None:
        self._cells: dict[_Key, _Cell] = {}
        self._open: OrderedDict[_Task, _Open] = OrderedDict()
        self._unattributed = 0
        self.through = 0

    def take(self, headers: Iterable[Header]) -> None:
        """Count what they say."""
        for header in headers:
            self.through = header.sequence
            if header.subject_hmac is None:
                continue
            if header.kind == _DECISION and header.band is not None:
                self._decided(header, (header.team or "", header.subject_hmac), header.band)
            elif header.kind == _OVERRIDE:
                self._judged((header.team or "", header.subject_hmac), header.band)

    def report(self, period: Period, *, names: Mapping[str, tuple[str, str]]) -> AccuracyReport:
        """What was counted, by period. names: package digest -> name and version, as far as they are known."""
        merged: dict[_Key, _Cell] = {}
        for (digest, team, day), cell in self._cells.items():
            into = merged.setdefault((digest, team, _start(day, period)), _Cell())
            into.decisions += cell.decisions
            into.judged += cell.judged
            into.changes += cell.changes
        ordered = sorted(merged.items(), key=lambda item: (item[0][2], item[1].decisions), reverse=True)
        rows = tuple(_row(key, cell, names) for key, cell in ordered)
        return AccuracyReport(period=period, rows=rows, unattributed=self._unattributed, through=self.through)

    def latest(self, days: int) -> dict[str, tuple[int, int]]:
        """Package digest -> decisions and changed ones, over the `days` up to the latest decision."""
        newest = max((day for _, _, day in self._cells), default="")
        if not newest:
            return {}
        first = (date.fromisoformat(newest) - timedelta(days=days - 1)).isoformat()
        found: dict[str, tuple[int, int]] = {}
        for (digest, _, day), cell in self._cells.items():
            if day >= first:
                decisions, changed = found.get(digest, (0, 0))
                found[digest] = decisions + cell.decisions, changed + cell.changes.total()
        return found

    def _decided(self, header: Header, task: _Task, band: str) -> None:
        key = (header.package or "", header.team or "", header.recorded_at[:10])
        self._cells.setdefault(key, _Cell()).decisions += 1
        self._open[task] = _Open(key, band)
        self._open.move_to_end(task)
        if len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)

    def _judged(self, task: _Task, band: str | None) -> None:
        found = self._open.get(task)
        if found is None:
            self._unattributed += 1
            return
        cell = self._cells[found.key]
        if found.said is None:
            cell.judged += 1
        elif found.said != found.band:  # the last word counts
            cell.changes[f"{found.band}>{found.said}"] -= 1
        found.said = band or found.band  # without a band only the route was corrected
        if found.said != found.band:
            cell.changes[f"{found.band}>{found.said}"] += 1


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share.

    Source: Wilson 1927; it stays inside [0, 1] and has width also when all or none hit.
    """
    if not total:
        return 0.0, 1.0
    share, spread = hits / total, _Z * _Z / total
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _row(key: _Key, cell: _Cell, names: Mapping[str, tuple[str, str]]) -> AccuracyRow:
    digest, team, since = key
    changed = cell.changes.total()
    low, high = wilson(cell.decisions - changed, cell.decisions)
    package, version = names.get(digest, ("", ""))
    return AccuracyRow(
        package=package,
        version=version,
        digest=digest,
        team=team,
        since=since,
        decisions=cell.decisions,
        judged=cell.judged,
        changed=changed,
        accuracy=round(1 - changed / cell.decisions, 6),
        low=round(low, 6),
        high=round(high, 6),
        changes={change: count for change, count in sorted(cell.changes.items()) if count},
    )


def _start(day: str, period: Period) -> str:
    if period == "all":
        return ""
    if period == "month":
        return day[:8] + "01"
    if period == "week":
        at = date.fromisoformat(day)
        return (at - timedelta(days=at.weekday())).isoformat()
    return day
