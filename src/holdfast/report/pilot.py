"""The pilot report: what some days of the node's work did for a team, told from local records only; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from holdfast.report.handled import Handled
from holdfast.report.kpis import Kpi, Stretch, TierShare, kpis, tier_shares

__all__ = ["PilotReport", "Records", "pilot_report"]

SEED = 14
"""Of the bootstrap: equal records give equal reports."""


class PilotReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    since: str
    until: str
    team: str | None
    tasks: int
    """Tasks the node decided in that time; the first decision on each counts."""
    decisions: int
    history_tasks: int
    """Of the history file, opened before `since`: what the node's work is compared with."""
    joined_tasks: int
    """Of the node's tasks, found in the history file by their id."""
    unknown_tasks: int
    """Of the history file, opened in that time, that the node never saw."""
    erased: int
    """Decisions whose record retention or an erasure took: counted, but not in any figure."""
    packages: dict[str, int]
    """`name version` -> decisions."""
    kpis: tuple[Kpi, ...]
    tiers: tuple[TierShare, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Records:
    """What a report is made from."""

    since: str
    until: str
    since_s: float
    until_s: float
    decided: Sequence[Handled]
    """Every decision of the window, oldest first."""
    history: Sequence[Handled]
    """Rows of the tracker's export; may be empty."""
    stretches: Sequence[Stretch]
    packages: dict[str, int]
    erased: int = 0
    team: str | None = None


def pilot_report(records: Records) -> PilotReport:
    """Put the records together."""
    known = {row.task_id: row for row in records.history}
    first: dict[tuple[str, str], Handled] = {}
    for decided in records.decided:
        name = decided.team, decided.task_id
        first[name] = _earlier(first.get(name), decided)
    after = [_joined(task, known.get(task.task_id)) for task in first.values()]
    before = [row for row in records.history if row.opened_s is not None and row.opened_s < records.since_s]
    within = [
        row for row in records.history if row.opened_s is not None and records.since_s <= row.opened_s < records.until_s
    ]
    seen = {task.task_id for task in after}
    found = kpis(before, after, rng=np.random.default_rng(SEED))
    return PilotReport(
        since=records.since,
        until=records.until,
        team=records.team,
        tasks=len(after),
        decisions=len(records.decided) + records.erased,
        history_tasks=len(before),
        joined_tasks=sum(task.task_id in known for task in after),
        unknown_tasks=sum(row.task_id not in seen for row in within),
        erased=records.erased,
        packages=records.packages,
        kpis=found,
        tiers=tier_shares(records.decided, records.stretches, since_s=records.since_s, until_s=records.until_s),
        notes=_notes(records, found),
    )


def _earlier(first: Handled | None, later: Handled) -> Handled:
    """The first decision on a task, with how it ended: by a person's last word, else by the node's."""
    if first is None:
        return later
    corrected = bool(first.overridden) or bool(later.overridden)
    ended = first if first.overridden and not later.overridden else later
    return msgspec.structs.replace(
        first,
        told_s=first.told_s or later.told_s,
        overridden=corrected,
        final_priority=ended.final_priority,
    )


def _joined(task: Handled, known: Handled | None) -> Handled:
    """Add what only the tracker knows."""
    if known is None:
        return task
    return msgspec.structs.replace(
        task,
        opened_s=task.opened_s if task.opened_s is not None else known.opened_s,
        acked_s=known.acked_s,
        resolved_s=known.resolved_s,
        deadline_s=task.deadline_s if task.deadline_s is not None else known.deadline_s,
        final_priority=known.final_priority or task.final_priority,
    )


def _notes(records: Records, found: Sequence[Kpi]) -> tuple[str, ...]:
    notes = []
    if not records.history:
        notes.append(
            "No history was given (--history FILE), so there is no before: every figure stands alone, and whatever "
            "only the tracker knows (acknowledgements, resolutions) is missing."
        )
    if records.erased:
        notes.append(f"{records.erased} decisions can no longer be read; they count as decisions and in no figure.")
    if any(one.name == "override_rate" and one.after is not None for one in found):
        notes.append("A decision nobody corrected counts as right, whether somebody looked at it or not.")
    notes.append("Before and after are different weeks: season, staffing and the mix of tickets may differ too.")
    return tuple(notes)
