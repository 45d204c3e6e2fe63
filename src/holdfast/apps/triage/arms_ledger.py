"""The tickets of an experiment, read back from the ledger: what each arm said, and what people said after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from holdfast.apps.triage.arms import Judged
from holdfast.apps.triage.decision import Decision, Override, Priority
from holdfast.apps.triage.experiments import ARMS, CANDIDATE, CONTROL, SHADOW, Arm, Experiment, ShadowRecord, arm_name
from holdfast.apps.triage.records import DECISION, OVERRIDE, unpack_decision, unpack_override
from holdfast.apps.triage.reprocess import Verdict
from holdfast.apps.triage.shadow import unpack_shadow
from holdfast.ledger.journal import Journal
from holdfast.ledger.query import Entry

__all__ = ["Gathered", "gather"]

T = TypeVar("T")

_KINDS = (DECISION, OVERRIDE, SHADOW)
_AT_ONCE = 1_000
_MOST_TASKS = 20_000  # the newest; a thousand draws of more take a minute on a small board


@dataclass(slots=True)
class Gathered:
    """What was found."""

    rows: list[Judged]
    pairs: list[tuple[Priority, Priority]]
    tasks: int
    truncated: bool


@dataclass(slots=True)
class _Reading:
    experiment: Experiment
    decided: dict[str, tuple[Arm, Decision]] = field(default_factory=dict)
    """By task: the last word of its arm."""
    shadowed: dict[str, ShadowRecord] = field(default_factory=dict)
    overrides: dict[str, Override] = field(default_factory=dict)
    """By decision."""
    truncated: bool = False

    def take(self, entry: Entry) -> None:
        """Keep what is of the experiment."""
        if entry.payload is None:
            return  # erased: a person's wish comes before our figures
        if entry.header.kind == OVERRIDE:
            record = unpack_override(entry.payload)
            self.overrides[record.decision_id] = record.override
        elif entry.header.kind == SHADOW:
            shadow = unpack_shadow(entry.payload)
            if shadow.experiment == self.experiment.name:
                self._keep(self.shadowed, shadow.task_id, shadow)
        elif self.experiment.mode == "ab":
            decision = unpack_decision(entry.payload).decision
            arm = next((arm for arm in ARMS if decision.arm == arm_name(self.experiment.name, arm)), None)
            if arm is not None:
                self._keep(self.decided, decision.task_id, (arm, decision))

    def _keep(self, table: dict[str, T], task_id: str, value: T) -> None:
        table.pop(task_id, None)
        table[task_id] = value
        if len(table) > _MOST_TASKS:
            table.pop(next(iter(table)))
            self.truncated = True


def gather(journal: Journal, experiment: Experiment) -> Gathered:
    """Read the whole time of the experiment; a task counts once, with the last word on it."""
    reading = _Reading(experiment)
    after, end = experiment.after, experiment.through
    while True:
        ahead = journal.follow(after, kinds=_KINDS, limit=_AT_ONCE)
        for entry in ahead.entries:
            # A person may speak after the end: overrides count for as long as there are any.
            if end is None or entry.header.sequence <= end or entry.header.kind == OVERRIDE:
                reading.take(entry)
        if ahead.through <= after or ahead.through >= ahead.last:
            break
        after = ahead.through
    rows = [_decided(arm, decision, reading.overrides) for arm, decision in reading.decided.values()]
    for shadow in reading.shadowed.values():
        rows += _shadowed(shadow, reading.overrides.get(shadow.control.decision_id))
    pairs = [(one.control.priority, one.candidate.priority) for one in reading.shadowed.values()]
    return Gathered(rows, pairs, len(reading.decided) + len(reading.shadowed), reading.truncated)


def _decided(arm: Arm, decision: Decision, overrides: dict[str, Override]) -> Judged:
    override = overrides.get(decision.decision_id)
    return Judged(
        arm=arm,
        score=decision.score,
        priority=decision.priority,
        route=decision.route.label,
        person_priority=override.priority if override is not None else None,
        overridden=override is not None,
    )


def _shadowed(shadow: ShadowRecord, override: Override | None) -> list[Judged]:
    return [
        _said(CONTROL, shadow.control, override, overridden=override is not None),
        _said(CANDIDATE, shadow.candidate, override, overridden=_would_be(shadow, override)),
    ]


def _said(arm: Arm, verdict: Verdict, override: Override | None, *, overridden: bool | None) -> Judged:
    return Judged(
        arm=arm,
        score=verdict.score,
        priority=verdict.priority,
        route=verdict.route,
        person_priority=override.priority if override is not None else None,
        overridden=overridden,
    )


def _would_be(shadow: ShadowRecord, override: Override | None) -> bool | None:
    """Whether a person would have corrected the candidate; None where nobody can know."""
    said, told = shadow.candidate, shadow.control
    if override is None:
        return False if (said.priority, said.route) == (told.priority, told.route) else None
    wrong_priority = override.priority is not None and override.priority is not said.priority
    wrong_route = override.route is not None and override.route != said.route
    return wrong_priority or wrong_route
