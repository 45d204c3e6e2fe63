"""The tickets of an experiment, read back from the ledger: what each arm said, and what people said after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from holdfast.apps.triage.arms import Judged
from holdfast.apps.triage.decision import Decision, Override, Priority
from holdfast.apps.triage.experiments import ARMS, CANDIDATE, CONTROL, SHADOW, Arm, Experiment, ShadowRecord, arm_name
from holdfast.apps.triage.records import DECISION, OVERRIDE, unpack_decision, unpack_override
from holdfast.apps.triage.reprocess import Verdict, verdict_of
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
    return _judged(arm, verdict_of(decision), verdict_of(decision), override)


def _shadowed(shadow: ShadowRecord, override: Override | None) -> list[Judged]:
    told = {CONTROL: shadow.control, CANDIDATE: shadow.candidate}
    return [_judged(arm, told[arm], shadow.control, override) for arm in ARMS]


def _judged(arm: Arm, said: Verdict, in_force: Verdict, override: Override | None) -> Judged:
    """What an arm said, held against what stands in the end: a person's word, else the one in force."""
    stands, route = in_force.priority, in_force.route
    if override is not None:
        stands, route = override.priority or stands, override.route or route
    return Judged(
        arm=arm,
        score=said.score,
        priority=said.priority,
        route=said.route,
        stands=stands,
        corrected=override is not None,
        wrong=(said.priority, said.route) != (stands, route),
    )
