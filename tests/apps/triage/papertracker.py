"""A tracker on paper: it keeps tasks in a file, speaks Tasking.Space's exchange, and fails as it is told.

It stands where the gate stands, so that a test decides what happens between any two steps of a write-back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from holdfast.apps.triage.sightings import Sightings
from holdfast.apps.triage.tracker import Tracker, Turn
from holdfast.apps.triage.writeback import Books, WriteBacks
from holdfast.apps.triage.writeback_job import QUEUE, unpack_write_back
from holdfast.exchange import Incoming, Outgoing
from holdfast.job import Lease, Outcome
from holdfast.measure import Measures
from holdfast.outbound.refusals import ExchangeUncertain
from tests.apps.triage.counter import STANDARD, Counter

JUDGED = ("priority", "labels")


def nothing(_task: dict[str, Any]) -> None:
    """Between read and write nobody does anything."""


@dataclass
class PaperTracker:
    """See the module. `fails` are statuses, `cut` (applied, no answer), `deaf` (a yes, and nothing
    done) or errors, one for each write to come."""

    path: Path
    conditional: bool = True
    fails: list[int | str | Exception] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    meanwhile: Callable[[dict[str, Any]], None] = nothing
    """What a person does to the task just before the next write arrives."""
    afterwards: Callable[[dict[str, Any]], None] = nothing
    """What a person does to the task just after a write, before its answer is made."""
    keys: list[str] = field(default_factory=list)

    def tasks(self) -> dict[str, dict[str, Any]]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def put(self, task: dict[str, Any]) -> None:
        kept = self.tasks()
        version = kept.get(task["id"], {}).get("version", 0) + 1
        kept[task["id"]] = {**task, "version": version, "updated_at": f"2026-03-01T12:00:{version:02d}Z"}
        self.path.write_text(json.dumps(kept))

    def task(self, task_id: str = "T-1") -> dict[str, Any]:
        return self.tasks()[task_id]

    def send(self, request: Outgoing, *, deadline_s: float) -> Incoming:
        del deadline_s
        task_id = unquote(urlsplit(request.url).path.rpartition("/")[2])
        if task_id == "tasks":
            return _reply(200, {"tasks": list(self.tasks().values())})
        if request.method == "PATCH":
            return self._write(task_id, request)
        task = self.tasks().get(task_id)
        return _reply(404, {}) if task is None else self._shown(task)

    def _write(self, task_id: str, request: Outgoing) -> Incoming:
        self.meanwhile, act = nothing, self.meanwhile
        changed = self.task(task_id)
        act(changed)
        if changed != self.task(task_id):
            self.put(changed)
        task = self.task(task_id)
        self.keys.append(request.headers["Idempotency-Key"])
        fault = self.fails.pop(0) if self.fails else None
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, int):
            return _reply(fault, {"error": "told to"}, self.headers)
        if self.conditional and request.headers.get("If-Match") != _etag(task):
            return _reply(412, {})
        wanted = {**task, **json.loads(request.body)} if fault != "deaf" else task
        if wanted != task:
            self.put({**wanted, "writes": task.get("writes", 0) + 1})
        later = self.task(task_id)
        self.afterwards(later)
        if later != self.task(task_id):
            self.put(later)
        if fault == "cut":
            raise ExchangeUncertain("tracker: expected an answer, found the connection cut")
        return self._shown(self.task(task_id))

    def _shown(self, task: dict[str, Any]) -> Incoming:
        return _reply(200, task, {"etag": _etag(task)} if self.conditional else {})


@dataclass
class WriteDesk:
    """A node's write-backs, and the tracker they go to."""

    counter: Counter
    paper: PaperTracker
    write_backs: WriteBacks
    tracker: Tracker

    def new(self, title: str = "Payment service is down", **judged: Any) -> None:
        """A task is made, and its delivery taken in."""
        self.paper.put({"id": "T-1", "title": title, "labels": [], **judged})
        self.hear()

    def hear(self) -> None:
        """Take in the task as it is now, as if its delivery came."""
        connection = self.counter.connections["desk"]
        turn = Turn(connection, self.counter.arrival().deadline_s)
        self.counter.intake.take_listed(connection, self.tracker.read("T-1", turn), self.counter.arrival())

    def lease(self) -> Lease:
        lease = self.counter.jobs.lease(QUEUE)
        assert lease is not None
        return lease

    def run(self, lease: Lease | None = None) -> Outcome:
        """Run one job, as a lane does."""
        held = lease or self.lease()
        asked = unpack_write_back(held.job.payload)
        outcome = self.write_backs.run(held, asked, self.counter.connections["desk"])
        self.counter.jobs.finish(held, outcome)
        return outcome

    def later(self, seconds: float = 3600.0) -> None:
        """Let time pass, so that what waits is due."""
        self.counter.office.desk.clock.monotonic += seconds


def write_desk(counter: Counter, paper: PaperTracker, **terms: Any) -> WriteDesk:
    (counter.directory / "standard").write_text(STANDARD)
    (counter.directory / "token").write_text("token-of-the-node")
    given = {"secret_files": ("standard",), "token_file": "token", "base_url": "https://tasks.example/api", **terms}
    counter.connect("desk", dialect="tasking-space", **given)
    desk, tracker = counter.office.desk, Tracker(paper)
    sightings = Sightings(desk.facts, desk.vault)
    books = Books(desk.journal, counter.office.app.archive, desk.facts, sightings, counter.jobs, Measures())
    return WriteDesk(counter, paper, WriteBacks(tracker, books), tracker)


def _etag(task: dict[str, Any]) -> str:
    return f'"{task["version"]}"'


def _reply(status: int, value: Any, headers: dict[str, str] | None = None) -> Incoming:
    return Incoming(status=status, headers=headers or {}, body=json.dumps(value).encode())
