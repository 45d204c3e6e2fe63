"""Reprocessing on this node: waits until the best tier is free, then decides once more, in one unit with the event."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from holdfast.apps.triage.app import Call, Extra, StillDegraded
from holdfast.apps.triage.archive import DecisionQuery, DecisionUnreadable, NoSuchDecision
from holdfast.apps.triage.connections import tracker_route
from holdfast.apps.triage.decision import Decision
from holdfast.apps.triage.records import DecisionRecord
from holdfast.apps.triage.reprocess import (
    KIND,
    Rescore,
    reprocess_draft,
    rescore_job,
    unpack_rescore,
    worth_it,
)
from holdfast.apps.triage.sightings import Sightings
from holdfast.apps.triage.writeback_job import WriteBack, write_back_job
from holdfast.finding import Finding
from holdfast.job import Again, Dead, Done, Lease, NewJob, Outcome
from holdfast.node.active import Active
from holdfast.record import Draft
from holdfast.tier import Reason, Tier

if TYPE_CHECKING:
    from holdfast.database import Transaction
    from holdfast.node.node import Node

__all__ = ["Reprocess"]

_LOOK_EVERY_S = 0.25
_WAIT_S = 30.0  # well within a lease; each longer wait is a lease and two commits, so an hour costs 120 of each
_PAUSE_S = 5.0
_DEADLINE_S = 10.0  # nobody waits for it: the full tier may take its time


@dataclass(frozen=True, slots=True)
class _Case:
    """A decision that is to be made again, and what would make it."""

    order: Rescore
    record: DecisionRecord
    active: Active


class Reprocess:
    """Holds no state: what waits is in the queue."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def start(self) -> None:
        """Take the jobs of its kind."""
        self._node.parts.lanes.offer(KIND, self.run)

    def stop(self) -> None:
        """Nothing to end: the lanes do."""

    def reconfigure(self) -> None:
        """Nothing is kept of the settings."""

    def findings(self) -> tuple[Finding, ...]:
        """The queue has its own."""
        return ()

    def extra_for(self, wanted: Sequence[bool]) -> Extra | None:
        """What enqueues the degraded ones among decisions for which it is `wanted`, with them; None when none is."""
        if not any(wanted):
            return None
        enqueue = self._node.state.jobs.enqueue

        def extra(transaction: Transaction, decisions: Sequence[Decision]) -> None:
            for decision, is_wanted in zip(decisions, wanted, strict=True):
                if is_wanted and worth_it(decision):
                    enqueue(transaction, rescore_job(Rescore(decision_id=decision.decision_id)))

        return extra

    def run(self, lease: Lease) -> Outcome:
        """Do one job; waits for the best tier on this lane, which is nobody else's."""
        try:
            order = unpack_rescore(lease.job.payload)
            record = self._node.archive.record(order.decision_id)
        except (msgspec.DecodeError, NoSuchDecision) as error:
            return Dead(str(error))
        except DecisionUnreadable:
            return Done("the decision was erased")
        end_s = time.monotonic() + _WAIT_S
        while (active := self._best(record)) is None:
            if self._has_no_better(record):
                return Done("no package is installed, so the built-in rules are the best there is")
            if self._node.parts.lanes.stopping.wait(_LOOK_EVERY_S) or time.monotonic() > end_s:
                return Again("the full tier is not back", after_s=_PAUSE_S, counts=False)
        return self._decide(_Case(order, record, active), lease)

    def _best(self, record: DecisionRecord) -> Active | None:
        """What answers the ticket now, if its best tier is free."""
        active = self._node.active_for(record.read_ticket(), record.decision.team)
        if active.loadout.manifest is None:
            return None  # a package was degraded then: it will be back, or another
        best = active.engines.configured
        return active if best is not Tier.FULL or self._node.full_is_free(active) else None

    def _has_no_better(self, record: DecisionRecord) -> bool:
        """Say whether the built-in rules are what the node is to answer with, not what it fell to."""
        active = self._node.active_for(record.read_ticket(), record.decision.team)
        return active.loadout.absent.get(Tier.FULL) is Reason.NO_PACKAGE

    def _decide(self, case: _Case, lease: Lease) -> Outcome:
        node, first = self._node, case.record.decision
        latest = node.archive.page(DecisionQuery(task_id=first.task_id, team=first.team, limit=1)).decisions
        if latest and latest[0].decision is not None and latest[0].decision.decision_id != first.decision_id:
            return Done("the task was scored again since")
        now_s = node.state.clock.monotonic_s()
        call = Call(
            deadline_s=now_s + _DEADLINE_S,
            started_s=now_s,
            request_id=f"reprocess-{lease.job.id}",
            extra=self._closing(case, lease),
        )
        try:
            scored = node.triage.score_again(case.record, case.active, call, told=self._telling(case))
        except StillDegraded as error:
            return Again(str(error), after_s=_PAUSE_S, counts=False)
        if not scored.decision.recorded:
            return Again("the ledger takes no entry", after_s=_PAUSE_S, counts=False)
        node.log.info("reprocessed", old=first.decision_id, new=scored.decision.decision_id)
        return Done(f"{first.priority} by {first.served_by.tier}, now {scored.decision.priority}")

    def _telling(self, case: _Case) -> Callable[[Decision], Draft]:
        return lambda again: reprocess_draft(case.record.decision, again, written_back=self._is_written(case, again))

    def _closing(self, case: _Case, lease: Lease) -> Extra:
        """The end of the job, and the write-back of a changed band, in the unit that records the decision."""
        jobs = self._node.state.jobs
        override = self._node.archive.decision(case.order.decision_id).override
        overruled = override is not None and override.priority is not None

        def extra(transaction: Transaction, decisions: Sequence[Decision]) -> None:
            (again,) = decisions
            jobs.complete_in(transaction, lease)
            self._sight(case, again, transaction)
            if self._is_written(case, again):
                jobs.enqueue(transaction, _write_back(case.order, again, overruled=overruled))

        return extra

    def _is_written(self, case: _Case, again: Decision) -> bool:
        """Whether the tracker is told: only of another band; that a person's word stands is the writer's business."""
        connection = self._node.parts.hooks.connections.get(case.order.connection)
        return connection is not None and connection.writes and again.priority is not case.record.decision.priority

    def _sight(self, case: _Case, again: Decision, transaction: Transaction) -> None:
        """Have the task's sighting name the new decision, and expect the label its write-back puts there."""
        name, state = case.order.connection, self._node.state
        connection = self._node.parts.hooks.connections.get(name)
        sightings = Sightings(state.facts, state.vault)
        seen = sightings.last(name, again.task_id, transaction) if connection is not None else None
        if connection is None or seen is None or seen.decision_id != case.record.decision.decision_id:
            return
        word = tracker_route(connection, again.route.label)
        echoes = (*seen.echoes, word) if word and word not in seen.echoes else seen.echoes
        fresh = msgspec.structs.replace(seen, decision_id=again.decision_id, echoes=echoes)
        sightings.keep(transaction, name, again.task_id, fresh)


def _write_back(order: Rescore, again: Decision, *, overruled: bool) -> NewJob:
    return write_back_job(
        WriteBack(
            connection=order.connection,
            task_id=again.task_id,
            decision_id=again.decision_id,
            revision=f"{order.revision}:again",
            overruled=overruled,
        )
    )
