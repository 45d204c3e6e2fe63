"""The writer: the jobs that write decisions back, and the asking for tasks that were missed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from holdfast.apps.triage.backfill import KIND as BACKFILL
from holdfast.apps.triage.backfill import Backfill, BackfillOrder, backfill_job, unpack_backfill
from holdfast.apps.triage.connections import Connection
from holdfast.apps.triage.intake import Arrival
from holdfast.apps.triage.sightings import Sightings
from holdfast.apps.triage.task import Ignored, Task
from holdfast.apps.triage.tracker import Tracker, Turn, outcome_of
from holdfast.apps.triage.writeback import Books, WriteBacks
from holdfast.apps.triage.writeback_job import KIND as WRITE_BACK
from holdfast.apps.triage.writeback_job import unpack_write_back
from holdfast.database import Transaction
from holdfast.errors import HoldfastError, Unavailable
from holdfast.finding import Finding, Severity
from holdfast.job import Again, Dead, Done, Lease, NewJob, Outcome
from holdfast.node.loop import Loop

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["Writer"]

_LOOK_S = 1.0
_SCORE_S = 5.0  # nobody waits for a task that was missed
_SPARE_S = 2.0
_GONE_S = 300.0  # a connection may be back after the next reload


class Writer:
    """Owns the kinds `write-back` and `backfill`. `_lock` guards what is known to be wrong and when was asked last."""

    def __init__(self, node: Node) -> None:
        self._node, state = node, node.state
        self._tracker = tracker = Tracker(node.outbound)
        sightings = Sightings(state.facts, state.vault)
        books = Books(state.journal, node.archive, state.facts, sightings, state.jobs, node.measures)
        self._write_backs = WriteBacks(tracker, books)
        self._backfill = Backfill(tracker, state.facts, sightings, state.clock)
        self._lock = threading.Lock()
        self._unasked: dict[str, str] = {}
        self._asked_s: dict[str, float] = {}
        self._loop = Loop("backfill", self._ask, every_s=_LOOK_S, seen=(node.measures, node.log))

    def start(self) -> None:
        """Take its kinds of jobs, and begin to ask for what was missed."""
        self._node.parts.lanes.offer(WRITE_BACK, self._write)
        self._node.parts.lanes.offer(BACKFILL, self._missed)
        self._begin()
        self._loop.start()

    def stop(self) -> None:
        """Ask no more; jobs end with their lanes."""
        self._loop.stop()

    def reconfigure(self) -> None:
        """Forget what was wrong: settings or files may have mended it. Everything is asked anew."""
        with self._lock:
            self._unasked, self._asked_s = {}, {}
        self._begin()

    def findings(self) -> tuple[Finding, ...]:
        """Trackers that do not take our token, and those that cannot be asked what was missed."""
        with self._lock:
            unasked = dict(self._unasked)
        return (*_tokens_refused(dict(self._tracker.refused)), *_never_asked(unasked))

    def _begin(self) -> None:
        with suppress(Unavailable):  # the disk is full or failing: the first round notes the instant, too
            for name in self._node.parts.hooks.connections:
                self._backfill.begin(name)

    def _write(self, lease: Lease) -> Outcome:
        try:
            asked = unpack_write_back(lease.job.payload)
        except msgspec.DecodeError as error:
            return Dead(f"the order was written by another version: {error}")
        connection = self._connection(asked.connection)
        if isinstance(connection, Again):
            return connection
        if not connection.writes:
            return Done(f"connection {connection.name} writes nothing any more")
        return self._write_backs.run(lease, asked, connection)

    def _missed(self, lease: Lease) -> Outcome:
        try:
            order = unpack_backfill(lease.job.payload)
        except msgspec.DecodeError as error:
            return Dead(f"the order was written by another version: {error}")
        connection = self._connection(order.connection)
        if isinstance(connection, Again):
            return Done(connection.reason)  # the next round asks again
        if order.round != self._backfill.progress(order.connection).round:
            return Done("asked since")
        turn = Turn(connection, lease.until_s - _SPARE_S)
        try:
            count, whole = self._backfill.run(connection, turn, self._take)
        except HoldfastError as error:
            return Again(outcome_of(error).reason, counts=False)
        self._node.log.info("missed-tasks", connection=connection.name, taken=count)
        return Done(f"{count} tasks") if whole else Again("more to come", after_s=0.0, counts=False)

    def _take(self, connection: Connection, task: Task) -> bool:
        now_s = self._node.state.clock.monotonic_s()
        arrival = Arrival(now_s + _SCORE_S, now_s)
        outcome = self._node.parts.hooks.take_listed(connection, task, arrival=arrival)
        return not isinstance(outcome, Ignored) and not outcome.replayed

    def _connection(self, name: str) -> Connection | Again:
        found = self._node.parts.hooks.connections.get(name)
        if found is None:
            return Again(f"no connection {name} is configured", after_s=_GONE_S, counts=False)
        return Again(found.fault, after_s=_GONE_S, counts=False) if found.fault else found

    def _ask(self) -> None:
        now_s = self._node.state.clock.monotonic_s()
        for name, connection in self._node.parts.hooks.connections.items():
            every_s = float(connection.terms.backfill_every_s)
            with self._lock:
                due = now_s - self._asked_s.get(name, float("-inf")) >= every_s
                if due:
                    self._asked_s[name] = now_s
            if due and self._may_ask(connection):
                round_ = self._backfill.progress(name).round
                job = backfill_job(BackfillOrder(connection=name, round=round_), day=self._node.state.facts.age_days())
                self._node.state.database.commit(partial(self._enqueue, job))

    def _enqueue(self, job: NewJob, transaction: Transaction) -> None:
        self._node.state.jobs.enqueue(transaction, job)

    def _may_ask(self, connection: Connection) -> bool:
        """Say whether the tracker can be asked; remember why not."""
        able = connection.dialect.ability.lists and connection.terms.backfill_days > 0
        if not able or not connection.place.base_url or connection.fault:
            return False
        try:
            connection.dialect.list_request("1970-01-01T00:00:00Z", "", connection.place)
        except HoldfastError as error:
            with self._lock:
                self._unasked[connection.name] = str(error)
            return False
        return True


def _tokens_refused(refused: Mapping[str, str]) -> Iterator[Finding]:
    for name, said in refused.items():
        yield Finding(
            name="tracker-token-refused",
            severity=Severity.CRITICAL,
            sentence=f"The tracker of connection {name} does not take our token, so nothing is written back: {said}.",
            next_step="Put a token that may read and write its tasks into its token_file, then reload.",
            component="writer",
        )


def _never_asked(unasked: Mapping[str, str]) -> Iterator[Finding]:
    for name, why in unasked.items():
        yield Finding(
            name="missed-tasks-not-asked",
            severity=Severity.NOTICE,
            sentence=f"Connection {name} is never asked for tasks missed while the node was down: {why}.",
            next_step="Set its project, or backfill_days = 0.",
            component="writer",
        )
