"""An intake on a real ledger, queue and facts, and deliveries in GitHub's words, signed as GitHub signs."""

from __future__ import annotations

import hmac
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.apps.triage.connections import Connection, connect
from holdfast.apps.triage.intake import Arrival, Intake, Outcome, Shelves
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.signatures import Delivery
from holdfast.apps.triage.writeback_job import QUEUE, WriteBack, unpack_write_back
from holdfast.jobs.limits import QueueLimits
from holdfast.jobs.queue import Jobs, Moments
from holdfast.settings.flows import Connection as Terms
from tests.apps.triage.office import Office, open_office

SECRET = "a secret that is long enough"
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAYLOADS = Path(__file__).parents[2] / "vectors" / "webhooks"


def issue(number: int = 1, action: str = "opened", *, by: str = "ann", **changes: Any) -> bytes:
    """A delivery of GitHub about issue `number`; a change named `label` is the label it is about, others its fields."""
    whole = json.loads((PAYLOADS / "github" / "issues.opened.payload.json").read_bytes())
    whole["action"], whole["sender"]["login"] = action, by
    if "label" in changes:
        whole["label"] = {"name": changes.pop("label")}
    if "labels" in changes:
        changes["labels"] = [{"name": one} for one in changes["labels"]]
    whole["issue"] |= {"number": number, "pull_request": None, **changes}
    return json.dumps(whole).encode()


@dataclass
class Counter:
    """Where deliveries are handed in."""

    office: Office
    jobs: Jobs
    intake: Intake
    directory: Path
    connections: dict[str, Connection] = field(default_factory=dict)

    def connect(self, name: str = "forge", **terms: Any) -> Connection:
        (self.directory / "secret").write_text(SECRET)
        given = {"dialect": "github", "secret_files": ("secret",), "base_url": "https://api.example", **terms}
        connection = connect(name, Terms(**given), self.directory)
        self.connections[name] = connection
        return connection

    def hand_in(self, body: bytes, *, name: str = "forge", headers: Mapping[str, str] | None = None) -> Outcome:
        connection = self.connections.get(name) or self.connect(name)
        given = headers if headers is not None else {"x-hub-signature-256": signed(body)}
        return self.intake.take(connection, self.delivery(given, body), self.arrival())

    def delivery(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        clock = self.office.desk.clock
        return Delivery(headers, body, clock.wall_at().timestamp() if clock.wall_trusted() else None, 300.0)

    def arrival(self) -> Arrival:
        now_s = self.office.desk.clock.monotonic_s()
        return Arrival(deadline_s=now_s + 1.0, started_s=now_s, request_id="req-1")

    def orders(self) -> list[WriteBack]:
        """Take every write-back off the queue."""
        orders = []
        while (lease := self.jobs.lease(QUEUE)) is not None:
            orders.append(unpack_write_back(lease.job.payload))
        return orders


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()


def open_counter(directory: Path, policy: Policy, *, max_waiting: int = 1000, **how: Any) -> Counter:
    """Build one on `directory`, or open the one that is there."""
    office = open_office(directory, policy, **how)
    desk = office.desk
    jobs = Jobs(
        desk.database,
        desk.vault,
        moments=Moments(age=desk.facts, clock=desk.clock),
        limits={QUEUE: QueueLimits(max_waiting=max_waiting)},
        rng=random.Random(7),
    )
    shelves = Shelves(desk.database, desk.journal, desk.facts, desk.vault, jobs, desk.clock)
    intake = Intake(office.app, shelves, snapshot_for=lambda _ticket, _team: office.view)
    return Counter(office, jobs, intake, directory)
