"""Write-back: one job from its order to the tracker and the ledger, with one effective write however often it runs."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from holdfast.apps.triage.archive import Archive, Correction, DecisionUnreadable, Heard, NoSuchDecision
from holdfast.apps.triage.connections import Connection, tracker_route, tracker_word
from holdfast.apps.triage.decision import Decision
from holdfast.apps.triage.dialect import TrackerRefused
from holdfast.apps.triage.marks import mark_key
from holdfast.apps.triage.sightings import Sightings
from holdfast.apps.triage.task import Mark, Task, Values
from holdfast.apps.triage.telling import values_of
from holdfast.apps.triage.tracker import Changed, TokenRefused, Tracker, Turn, outcome_of
from holdfast.apps.triage.writeback_job import WriteBack
from holdfast.apps.triage.writeback_record import WriteBackRecord, write_back_draft
from holdfast.apps.triage.writing import Judgement, Keep, Order, Said, Verdict, Write, Written, Yield, decide
from holdfast.apps.triage.written import intend, keep_said, recall_written
from holdfast.database import Transaction
from holdfast.errors import HoldfastError
from holdfast.facts import Facts
from holdfast.job import Again, Dead, Done, Lease, Outcome
from holdfast.jobs import Jobs
from holdfast.ledger.journal import Journal
from holdfast.measure import Measures
from holdfast.outbound.refusals import LinkDown, OverBudget, TlsRefused

__all__ = ["Books", "WriteBacks", "write_key"]

_MOST_READS = 4  # of one run: somebody who edits without pause gets the tracker to themselves until the next
_SPARE_S = 2.0  # of the lease, for the ledger
_BUSY_S = 0.25
_SUPERSEDED = "a newer decision says otherwise, and is written in its own time"
_IN_THE_TRACKER = "in the tracker"
"""Who judged, where only the task as it stands says that somebody did."""


@dataclass(frozen=True, slots=True)
class Books:
    """Where the node keeps what it said."""

    journal: Journal
    archive: Archive
    facts: Facts
    sightings: Sightings
    jobs: Jobs
    measures: Measures


@dataclass(frozen=True, slots=True)
class _Errand:
    """One run of one job."""

    lease: Lease
    turn: Turn
    order: Order
    decision: Decision
    values: Values
    wished_route: str
    task_id: str

    @property
    def name(self) -> str:
        return self.turn.connection.name

    @property
    def key(self) -> str:
        """What the tracker gets; the write without the refused route has another one, since its body differs.

        The part of it that a mark shows is the same.
        """
        key = self.order.key
        begins = len(mark_key(key))
        return key if self.values.route == self.wished_route else key[:begins] + key[: begins - 1 : -1]


class WriteBacks:
    """Does write-back jobs, on any number of threads. `_lock` guards the tasks that are being written."""

    def __init__(self, tracker: Tracker, books: Books) -> None:
        self._tracker, self._books = tracker, books
        self._lock = threading.Lock()
        self._busy: set[tuple[str, str]] = set()

    def run(self, lease: Lease, asked: WriteBack, connection: Connection) -> Outcome:
        """Do the job of `lease`. When another run has it by now, nothing is written down."""
        try:
            errand = self._errand(lease, asked, connection)
        except (NoSuchDecision, DecisionUnreadable) as error:
            return Dead(str(error))
        with self._alone(errand) as alone:
            if not alone:
                return Again("another write of the task is under way", after_s=_BUSY_S, counts=False)
            outcome = Done(_SUPERSEDED) if self._superseded(errand) else self._run(errand)
        if not isinstance(outcome, Done):
            self._count(errand, "dead" if isinstance(outcome, Dead) else "again")
        return outcome

    def _errand(self, lease: Lease, asked: WriteBack, connection: Connection) -> _Errand:
        decision = self._books.archive.decision(asked.decision_id)
        route, band = tracker_route(connection, decision.route.label), decision.priority
        entry = self._books.journal.find(asked.decision_id)
        known = recall_written(self._books.facts, connection.name, asked.task_id)
        order = Order(
            key=write_key(connection, asked.task_id, asked.revision),
            sequence=entry.header.sequence if entry is not None else 0,
            revision=asked.revision,
            word=tracker_word(connection, band),
            overruled=asked.overruled or (known.said is not None and self._overruled(known.said.decision_id)),
        )
        return _Errand(
            lease=lease,
            turn=Turn(connection, lease.until_s - _SPARE_S),
            order=order,
            decision=decision,
            values=values_of(decision, route),
            wished_route=route,
            task_id=asked.task_id,
        )

    def _run(self, errand: _Errand) -> Outcome:
        outcome: Outcome = Again("somebody changed the task each time between read and write")
        for _ in range(_MOST_READS):
            try:
                return self._once(errand)
            except Changed:
                continue
            except TrackerRefused as error:
                if not errand.values.route:
                    return outcome_of(error)
                # Perhaps it has no such group. It is read again first: a peer may have written meanwhile.
                errand = replace(errand, values=replace(errand.values, route=""))
            except HoldfastError as error:
                return outcome_of(error)
        return outcome

    def _once(self, errand: _Errand) -> Outcome:
        """Read, decide, and do it. Raises Changed."""
        task = self._tracker.read(errand.task_id, errand.turn)
        known = recall_written(self._books.facts, errand.name, errand.task_id)
        verdict = decide(task, errand.values, known, errand.order)
        if isinstance(verdict, Yield) and verdict.judged.priority is not None:
            verdict = self._named(errand, task, known, verdict)
        if isinstance(verdict, Write):
            if verdict.judged is not None:
                self._hear(errand, verdict.judged, None)
            return self._write(errand, task, verdict.values)
        if isinstance(verdict, Yield):
            return self._leave(errand, verdict.judged)
        if verdict.applied is not None:
            return self._settle(errand, verdict.applied, task, "found")
        self._count(errand, "kept")
        return Done(verdict.reason)

    def _named(self, errand: _Errand, task: Task, known: Written, verdict: Yield) -> Verdict:
        """Ask the tracker who judged, where it can say: a peer's write bears no mark there, but our account's name."""
        deeds, place = self._tracker.witness(task, errand.turn), errand.turn.connection.place
        standing = task.standing
        deed = deeds.get(place.label_prefix + standing.raw_priority)
        if deed is None or standing.priority is None:
            return verdict
        if not place.is_ours(deed.by):
            return Yield(replace(verdict.judged, by=deed.by, at=deed.at))
        if not task.revision or not errand.order.revision.startswith(task.revision):
            return Keep("another node has written since")
        routed = deeds.get(standing.route)
        route = standing.route if routed is not None and place.is_ours(routed.by) else ""
        mark = Mark(decision_id="", priority=standing.priority, route=route, key="")
        return decide(replace(task, standing=replace(standing, mark=mark)), errand.values, known, errand.order)

    def _write(self, errand: _Errand, task: Task, values: Values) -> Outcome:
        known = recall_written(self._books.facts, errand.name, errand.task_id)
        said = Said(
            decision_id=values.decision_id,
            sequence=errand.order.sequence,
            priority=values.priority,
            route=values.route,
            raw_priority=errand.order.word,
            key=errand.order.key,
            revision=task.revision,
        )
        intend(self._books.facts, errand.name, errand.task_id, msgspec.structs.replace(known, intended=said))
        try:
            after = self._tracker.write(task, values, errand.turn, key=errand.key)
        except (TrackerRefused, TokenRefused, LinkDown, TlsRefused, OverBudget):
            intend(self._books.facts, errand.name, errand.task_id, known)  # it was surely not applied
            raise
        if after is None:
            with suppress(HoldfastError):  # it only tells the tracker's word for the priority: the write itself is done
                after = self._tracker.read(errand.task_id, errand.turn)
        if after is not None and not after.standing.raw_priority and after.revision == task.revision:
            return Again(f"{errand.name} took the write and shows nothing of it: expected a label for {said.priority}")
        return self._settle(errand, said, after, "written")

    def _settle(
        self, errand: _Errand, stands: Said | Mark, after: Task | None, outcome: Literal["written", "found"]
    ) -> Outcome:
        """Keep what was said, tell the ledger, and end the job: all or none of it."""
        # What it shows after the write may be a person's already: then its word is not ours.
        ours = after is not None and after.standing.priority == stands.priority
        said = Said(
            decision_id=stands.decision_id,
            sequence=errand.order.sequence,
            priority=stands.priority,
            route=stands.route,
            raw_priority=after.standing.raw_priority if after is not None and ours else errand.order.word,
            key=errand.order.key,
            revision=after.revision if after is not None and ours else "",
        )
        keep = keep_said(self._books.facts, errand.name, errand.task_id, said)
        record = WriteBackRecord(
            connection=errand.name,
            task_id=errand.task_id,
            decision_id=errand.decision.decision_id,
            outcome=outcome,
            priority=said.priority,
            route=said.route,
            reason=errand.values.reason,
            by=errand.turn.connection.place.account,
        )
        return self._record(errand, record, keep)

    def _leave(self, errand: _Errand, judged: Judgement) -> Outcome:
        """Leave the task to the person who judged it, and record what they chose."""
        if judged.priority is not None or judged.route:
            self._hear(errand, judged, errand.lease)
            self._count(errand, "left")
            return Done(judged.reason)
        record = WriteBackRecord(
            connection=errand.name,
            task_id=errand.task_id,
            decision_id=errand.decision.decision_id,
            outcome="left",
            priority=None,
            reason=judged.reason,
        )
        return self._record(errand, record, lambda _: None, note=judged.reason)

    def _record(
        self, errand: _Errand, record: WriteBackRecord, keep: Callable[[Transaction], None], *, note: str = ""
    ) -> Outcome:
        def unit(transaction: Transaction) -> None:
            self._books.jobs.complete_in(transaction, errand.lease)
            keep(transaction)

        proof = self._books.journal.append(write_back_draft(record, errand.decision), extra=unit)
        if not proof.recorded:
            return Again(
                "the ledger takes no entry now; the task is read again before anything is written", counts=False
            )
        self._count(errand, record.outcome)
        return Done(note or f"{record.outcome}: {record.priority}")

    def _hear(self, errand: _Errand, judged: Judgement, lease: Lease | None) -> None:
        """Record a person's judgement as an override, unless it is known; ends the job of `lease` with it."""
        decision, jobs = errand.decision, self._books.jobs
        known = decision.override
        priority, route = judged.priority, judged.route or None
        if known is not None:  # the last correction is the whole of it: what was chosen earlier stays chosen
            priority, route = priority or known.priority, route or known.route
            if (priority, route) == (known.priority, known.route):
                return
        wanted = Correction(priority=priority, route=route, reason=judged.reason)
        extra = (lambda transaction: jobs.complete_in(transaction, lease)) if lease is not None else None
        self._books.archive.hear(
            decision.decision_id, wanted, Heard(by=judged.by or _IN_THE_TRACKER, at=judged.at, extra=extra)
        )

    def _count(self, errand: _Errand, result: str) -> None:
        self._books.measures.add("write_backs_total", errand.name, result)

    def _superseded(self, errand: _Errand) -> bool:
        """Say whether this node has judged the task anew since, and otherwise: that decision has a job of its own.

        Without this an older job that had to wait could write over a newer one that found its word there already.
        """
        seen = self._books.sightings.last(errand.name, errand.task_id)
        if seen is None or seen.decision_id == errand.decision.decision_id:
            return False
        entry = self._books.journal.find(seen.decision_id)
        with suppress(NoSuchDecision, DecisionUnreadable):
            latest = self._books.archive.decision(seen.decision_id)
            newer = entry is not None and entry.header.sequence > errand.order.sequence
            return newer and latest.priority != errand.decision.priority
        return False

    def _overruled(self, decision_id: str) -> bool:
        """Say whether a person corrected the priority of that decision; False where nobody can read it any more."""
        with suppress(NoSuchDecision, DecisionUnreadable):
            override = self._books.archive.decision(decision_id).override
            return override is not None and override.priority is not None
        return False

    @contextmanager
    def _alone(self, errand: _Errand) -> Iterator[bool]:
        """Say whether no other lane writes the same task now: two that read before either wrote would both write."""
        mine = (errand.name, errand.task_id)
        with self._lock:
            alone = mine not in self._busy
            self._busy |= {mine}
        try:
            yield alone
        finally:
            if alone:
                with self._lock:
                    self._busy -= {mine}


def write_key(connection: Connection, task_id: str, revision: str) -> str:
    """The idempotency key of a write: both nodes of a pair, which share the connection's secret, make the same one."""
    secrets = connection.secrets.texts
    own = hmac.digest(secrets[0] if secrets else connection.place.token.encode(), b"holdfast write-back", "sha256")
    return hmac.new(own, f"{task_id}\0{revision}".encode(), "sha256").hexdigest()
