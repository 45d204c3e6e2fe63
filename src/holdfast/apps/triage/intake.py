"""Intake: what a tracker's delivery means, and the one unit of work that it becomes.

    signature -> seen before? -> decode -> own echo? -> judged by a person? -> changed since it was scored? -> score

Seen-id, decision, sighting and write-back job are durable together or not at all. A person's judgement becomes an
override of the last decision, under the same seen-id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as dc_replace
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from holdfast.apps.triage.app import Call, TriageApp
from holdfast.apps.triage.archive import Correction, DecisionUnreadable, Heard, NoSuchDecision
from holdfast.apps.triage.connections import Connection, tracker_route
from holdfast.apps.triage.decision import Decision
from holdfast.apps.triage.dialect import MalformedEvent, UnreadableEvent
from holdfast.apps.triage.drafting import Snapshot
from holdfast.apps.triage.judging import Sighting, is_older, judged_by_a_person
from holdfast.apps.triage.records import OVERRIDE, unpack_decision, unpack_override
from holdfast.apps.triage.reprocess import QUEUE as REPROCESS
from holdfast.apps.triage.reprocess import Rescore, rescore_job, worth_it
from holdfast.apps.triage.sightings import Sightings
from holdfast.apps.triage.signatures import Delivery, prove
from holdfast.apps.triage.task import Event, EventKind, Ignored, Task
from holdfast.apps.triage.ticket import Ticket, check_ticket
from holdfast.apps.triage.turns import Turns
from holdfast.apps.triage.writeback_job import WriteBack, write_back_job
from holdfast.apps.triage.writing import Judgement
from holdfast.apps.triage.written import recall_written
from holdfast.clock import Clock
from holdfast.database import Database, Transaction
from holdfast.errors import HumanNeeded, Unavailable
from holdfast.facts import Facts, Seen
from holdfast.job import NewJob
from holdfast.ledger.journal import Journal, KeyReused
from holdfast.nesting import deeper_than
from holdfast.vault import Vault

__all__ = ["Arrival", "ConnectionUnready", "Intake", "NotKept", "Outcome", "Overruled", "Shelves", "Taken"]

_MOST_ID = 256  # what a ticket's id may have
_COUNTS = "delivered"
_NOTHING = 0  # stands for the ledger entry of a delivery that led to none


class ConnectionUnready(HumanNeeded):
    """The connection's secrets cannot be read: nothing that arrives on it can be believed."""


class NotKept(Unavailable):
    """The decision could not be made durable, nor the job that would have written it back."""


class Queueing(Protocol):
    """Where jobs go: `jobs.Jobs`."""

    def enqueue(self, transaction: Transaction, job: NewJob) -> int | None:
        """Add `job` in the caller's unit of work; None when its key is known."""

    def has_room(self, transaction: Transaction, queue: str) -> bool:
        """Say whether `queue` takes another job in this unit of work."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """What intake reads and writes."""

    database: Database
    journal: Journal
    facts: Facts
    vault: Vault
    jobs: Queueing
    clock: Clock


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a delivery came and how long its sender waits."""

    deadline_s: float
    started_s: float
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """Decisions that are durable, for the tasks of the delivery."""

    decisions: tuple[Decision, ...]
    replayed: bool = False
    """They were before this delivery."""


@dataclass(frozen=True, slots=True)
class Overruled:
    """A person's judgement, recorded."""

    decision: Decision
    replayed: bool = False


Outcome = Taken | Overruled | Ignored


@dataclass(frozen=True, slots=True)
class _Use:
    """What recognises a delivery when it comes again."""

    key: str
    body_sha256: bytes
    event_id: str


class Intake:
    """Takes deliveries. `_turns` keeps one thread at a time on a delivery and on a task; nothing else is shared."""

    def __init__(self, triage: TriageApp, shelves: Shelves, *, snapshot_for: Callable[[Ticket, str], Snapshot]) -> None:
        self._triage, self._shelves, self._snapshot_for = triage, shelves, snapshot_for
        self._sightings = Sightings(shelves.facts, shelves.vault)
        self._turns = Turns(shelves.clock)

    def take(self, connection: Connection, delivery: Delivery, arrival: Arrival) -> Outcome:
        """Take one delivery.

        Raises ConnectionUnready, SignatureRefused, KeyReused (a signed id with another body), MalformedEvent,
        InvalidTicket, NotKept, InWork, QueueFull, and what `Journal.append` raises.
        """
        if not connection.secrets.texts:
            raise ConnectionUnready(f"connection {connection.name}: {connection.fault}")
        proof = prove(delivery, connection.dialect.scheme, connection.secrets)
        if deeper_than(delivery.body, delivery.depth):
            raise UnreadableEvent(f"delivery: expected JSON nested at most {delivery.depth} deep, found deeper")
        digest = hashlib.sha256(delivery.body)
        event_id = proof.signed_id or digest.hexdigest()
        use = _Use(f"hook:{connection.name}:{event_id}", digest.digest(), event_id)
        with self._turns.turn(frozenset({use.key}), deadline_s=arrival.deadline_s):
            if (first := self._delivered(use)) is not None:
                return first
            event = connection.dialect.decode(delivery.headers, delivery.body, connection.place)
            outcome = event if isinstance(event, Ignored) else self._act(connection, event, use, arrival)
            if proof.signed_id:
                self._remember(use, outcome)
            return outcome

    def take_listed(self, connection: Connection, task: Task, arrival: Arrival) -> Outcome:
        """Take a task that was found by asking the tracker, as if its delivery had come. Raises as `take` does."""
        mark = self._sightings.seal(task).hex()
        use = _Use(f"hook:{connection.name}:task:{task.id}:{task.revision}:{mark}", bytes.fromhex(mark), mark)
        event = Event(kind=EventKind.EDITED, tasks=(task,), name="listed")
        with self._turns.turn(frozenset({use.key}), deadline_s=arrival.deadline_s):
            return self._delivered(use) or self._act(connection, event, use, arrival)

    def _act(self, connection: Connection, event: Event, use: _Use, arrival: Arrival) -> Outcome:
        if event.kind is not EventKind.CREATED and connection.place.is_ours(event.by):
            return Ignored(f"{event.name} by {event.by}: our own write-back")
        if event.kind is not EventKind.JUDGED and any(task.closed for task in event.tasks):
            return Ignored(f"{event.name}: the task is closed")
        names = frozenset(f"{connection.name}\0{task.id}" for task in event.tasks)
        with self._turns.turn(names, deadline_s=arrival.deadline_s):
            seen = [self._sightings.last(connection.name, task.id) for task in event.tasks]
            if event.kind is EventKind.JUDGED and seen[0] is None:
                return Ignored(f"{event.name}: judged before it was scored here")
            late = [s for task, s in zip(event.tasks, seen, strict=True) if s is not None and is_older(task, s)]
            if late and event.kind is not EventKind.JUDGED:
                return Ignored(f"{event.name}: older than what was scored as {late[0].decision_id}")
            fresh = [one for one in zip(event.tasks, seen, strict=True) if not late and not self._is_known(*one)]
            if event.kind is EventKind.JUDGED or not fresh:
                known = self._known(connection, event, seen, use=use)
                if not fresh or event.tasks[0].closed or not isinstance(known, Ignored):
                    return known
            return self._score(connection, fresh, use, arrival)

    def _is_known(self, task: Task, seen: Sighting | None) -> bool:
        return seen is not None and (not task.whole or self._sightings.is_unchanged(task, seen))

    def _known(self, connection: Connection, event: Event, seen: Sequence[Sighting | None], *, use: _Use) -> Outcome:
        """What is said of tasks that were scored before: overruled, the first decisions, or that there is no news."""
        known = [one for one in seen if one is not None]
        try:
            decisions = tuple(self._triage.archive.decision(one.decision_id) for one in known)
        except (NoSuchDecision, DecisionUnreadable):
            return Ignored(f"{event.name}: no news since a decision that can no longer be read")
        if event.kind is EventKind.CREATED:
            return Taken(decisions, replayed=True)
        written = recall_written(self._shelves.facts, connection.name, event.tasks[0].id)
        judged = judged_by_a_person(connection, event, decisions[0], seen=known[0], written=written)
        if judged is None:
            return Ignored(f"{event.name}: nothing that is scored has changed since {known[0].decision_id}")
        return self._overrule(decisions[0], judged, event, use)

    def _overrule(self, decision: Decision, judged: Judgement, event: Event, use: _Use) -> Overruled:
        before = decision.override  # the last correction is the whole of it: what was chosen earlier stays chosen
        correction = Correction(
            priority=judged.priority or (before.priority if before is not None else None),
            route=judged.route or (before.route if before is not None else None),
            reason=judged.reason,
        )
        heard = Heard(
            by=event.by or "somebody in the tracker",
            at=event.at,
            idempotency_key=use.key,
            body_sha256=use.body_sha256,
        )
        return Overruled(self._triage.archive.hear(decision.decision_id, correction, heard))

    def _score(
        self, connection: Connection, fresh: Sequence[tuple[Task, Sighting | None]], use: _Use, arrival: Arrival
    ) -> Taken:
        fresh = [(task, self._as_judged(before)) for task, before in fresh]
        tickets = [_ticket(task, connection) for task, _ in fresh]
        asked = [(ticket, self._snapshot_for(ticket, connection.terms.team)) for ticket in tickets]
        call = Call(
            deadline_s=arrival.deadline_s,
            started_s=arrival.started_s,
            request_id=arrival.request_id,
            idempotency_key=use.key,
            body_sha256=use.body_sha256,
            extra=partial(self._bind, connection, fresh, use),
        )
        scored = self._triage.score_mixed(asked, call)
        decisions = tuple(one.decision for one in scored)
        if connection.writes and not all(one.recorded for one in decisions):
            raise NotKept("the ledger takes no entry now, so nothing can be written back; send it again")
        return Taken(decisions, replayed=scored[0].replayed)

    def _as_judged(self, before: Sighting | None) -> Sighting | None:
        """Return the sighting with whether a person has corrected its decision by now."""
        if before is None or before.overruled:
            return before
        with suppress(NoSuchDecision, DecisionUnreadable):
            override = self._triage.archive.decision(before.decision_id).override
            return replace(before, overruled=override is not None and override.priority is not None)
        return before

    def _bind(
        self,
        connection: Connection,
        fresh: Sequence[tuple[Task, Sighting | None]],
        use: _Use,
        transaction: Transaction,
        decisions: Sequence[Decision],
    ) -> None:
        """Run within the unit of work that records `decisions`."""
        if len(decisions) > 1:
            self._shelves.facts.note(_COUNTS, use.key, b"%d" % len(decisions), transaction)
        for (task, before), decision in zip(fresh, decisions, strict=True):
            word = tracker_route(connection, decision.route.label)
            echoes = tuple(sorted({word, *(before.echoes if before is not None else ())} - {""}))
            sighting = Sighting(
                decision_id=decision.decision_id,
                seal=self._sightings.seal(task, echoes),
                revision=task.revision,
                raw_priority=task.standing.raw_priority,
                route=task.standing.route,
                echoes=echoes[-8:],
                overruled=before is not None and before.overruled,
            )
            self._sightings.keep(transaction, connection.name, task.id, sighting)
            if connection.writes:
                self._shelves.jobs.enqueue(transaction, _job(connection, task, decision, before=before, use=use))
            # A node that is without its best tier for long must still take tickets: then this one is not made again.
            if (
                connection.terms.reprocess
                and worth_it(decision)
                and self._shelves.jobs.has_room(transaction, REPROCESS)
            ):
                revision = task.revision or use.event_id
                order = Rescore(decision_id=decision.decision_id, connection=connection.name, revision=revision)
                self._shelves.jobs.enqueue(transaction, rescore_job(order))

    def _remember(self, use: _Use, outcome: Outcome) -> None:
        """Keep a signed id that came to nothing new: it must not come again with another body."""
        sequence = _NOTHING
        if isinstance(outcome, Taken):
            entry = self._shelves.journal.find(outcome.decisions[0].decision_id)
            sequence = entry.header.sequence if entry is not None else _NOTHING
        facts = self._shelves.facts

        def unit(transaction: Transaction) -> None:
            if facts.recall(transaction, use.key) is None:
                facts.remember(transaction, use.key, sequence=sequence, body_sha256=use.body_sha256)

        if isinstance(outcome, Ignored) or outcome.replayed:
            with suppress(Unavailable):  # the disk takes nothing: the sender only asked to be heard, and was
                self._shelves.database.commit(unit)

    def _delivered(self, use: _Use) -> Outcome | None:
        """What the first delivery of this came to, or None. Raises KeyReused."""
        seen: Seen | None = self._shelves.database.read(lambda t: self._shelves.facts.recall(t, use.key))
        if seen is None:
            return None
        if seen.body_sha256 != use.body_sha256:
            raise KeyReused("this signed id was delivered before with another body; the first one counts")
        if seen.sequence == _NOTHING:
            return Ignored("delivered before, and ignored then")
        count = int(self._shelves.facts.noted(_COUNTS, use.key) or b"1")
        entries = [self._shelves.journal.entry(one) for one in range(seen.sequence - count + 1, seen.sequence + 1)]
        payloads = [one.payload for one in entries if one is not None and one.payload is not None]
        last = entries[-1]
        if last is None or len(payloads) < count:
            return Ignored("delivered before; what was decided then can no longer be read")
        if last.header.kind == OVERRIDE:
            decision_id = unpack_override(payloads[0]).decision_id
            return Overruled(self._triage.archive.decision(decision_id), replayed=True)
        return Taken(tuple(unpack_decision(one).decision for one in payloads), replayed=True)


def _ticket(task: Task, connection: Connection) -> Ticket:
    if not 0 < len(task.id) <= _MOST_ID:
        raise MalformedEvent(f"task: expected an id of 1 to {_MOST_ID} characters, found {len(task.id)}")
    about = {"connection": connection.name}
    if task.standing.raw_priority:
        about["tracker_priority"] = task.standing.raw_priority[:_MOST_ID]
    ticket = dc_replace(task, metadata={**task.metadata, **about}).ticket()
    check_ticket(ticket)
    return ticket


def _job(connection: Connection, task: Task, decision: Decision, *, before: Sighting | None, use: _Use) -> NewJob:
    revision = task.revision or use.event_id
    if before is not None and before.revision == task.revision:
        # A tracker's clock ticks in seconds: a second change within one is another write.
        revision = f"{task.revision}+{use.event_id}"
    return write_back_job(
        WriteBack(
            connection=connection.name,
            task_id=task.id,
            decision_id=decision.decision_id,
            revision=revision,
            overruled=before is not None and before.overruled,
        )
    )
