"""A desk: a node, a fake tracker, and the connection between them."""

from __future__ import annotations

import http.client
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.served import Answer, Served, eventually
from tests.trackers.control import Delivery, FakeTracker, connection, tracker

__all__ = ["PATIENT", "Desk", "Sent", "Storm", "desk", "send_until_taken", "settled", "tally"]

PATIENT = """
[outbound]
requests_per_minute = 1000000
mib_per_day = 100000

[queues.write-back]
lanes = 4
max_attempts = 100
backoff_s = 0.05
backoff_most_s = 0.5
"""
"""No budget in the way, and a queue that is quick to try again."""


@dataclass
class Desk:
    """One node and one tracker; the connection's name is `desk`."""

    node: Served
    fake: FakeTracker

    def deliver(self, number: int) -> Answer:
        """Send the webhook about the task's latest change."""
        return self.fake.delivery(number).to(self.node)

    def new(self, title: str = "Production database is down", description: str = "Nobody can pay.", **more: Any) -> int:
        """A person makes a task, and the tracker tells the node."""
        number = self.fake.create(title, description, **more)
        answer = self.deliver(number)
        assert answer.status in {200, 202}, answer.body
        return number

    def written(self, number: int, *, within_s: float = 10.0) -> bool:
        """Whether the node's write arrives in time."""
        return eventually(lambda: self.fake.writes(number)[1] > 0, within_s=within_s)

    def queue(self, name: str = "write-back") -> dict[str, Any]:
        """How the node says the queue is."""
        queues = self.node.ask("GET", "/v1/node/queue").json()["jobs"]
        return next(one for one in queues if one["queue"] == name)

    def idle(self, *, within_s: float = 30.0) -> bool:
        """Whether no write-back is left to be done in time."""
        return eventually(lambda: _is_idle(self.queue()), within_s=within_s)


def _is_idle(queue: dict[str, Any]) -> bool:
    return queue.get("ready", 0) == 0 and queue.get("leased", 0) == 0


@contextmanager
def desk(
    directory: Path, name: str = "tasking-space", *options: str, more: str = PATIENT, **settings: object
) -> Iterator[Desk]:
    """Run a tracker and a node that is connected to it; `settings` are the connection's."""
    with tracker(name, *options) as fake:
        fake.know_labels("Hardware", "Access", *(f"priority/P{i}" for i in range(4)))
        node = Served(directory / "node", connection(fake, directory, **settings) + more)
        try:
            yield Desk(node, fake)
        finally:
            node.stop()


@dataclass(frozen=True)
class Sent:
    """A delivery that was taken in the end."""

    status: int
    attempts: int
    took_s: float
    """The attempt that was answered."""


def send_until_taken(delivery: Delivery, ports: list[int], *, within_s: float = 120.0) -> Sent:
    """Redeliver as a tracker does until a node takes it."""
    end, sent = time.monotonic() + within_s, 0
    while time.monotonic() < end:
        started = time.monotonic()
        status = _post(ports[sent % len(ports)], delivery)
        sent += 1
        if 200 <= status < 300:
            return Sent(status, sent, time.monotonic() - started)
        assert status in {0, 429, 502, 503}, status
        time.sleep(0.02)
    raise AssertionError(f"task {delivery.number} was not taken in {within_s} s")


def _post(port: int, delivery: Delivery) -> int:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        link.request("POST", "/v1/hooks/desk", delivery.body, delivery.headers)
        response = link.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return 0
    else:
        return response.status
    finally:
        link.close()


def settled(fake: FakeTracker, count: int, *, within_s: float) -> dict[str, Any]:
    """The tracker's state once `count` tasks were written, or when time is up."""
    end = time.monotonic() + within_s
    state = fake.state()
    while len(state["effective_writes"]) < count and time.monotonic() < end:
        time.sleep(0.2)
        state = fake.state()
    return state


@dataclass
class Storm:
    """Many deliveries from many callers, and a node that is killed now and then."""

    desk: Desk
    deliveries: list[Delivery]
    rng: random.Random
    taken: list[Sent] = field(default_factory=list)

    def run(self, *, callers: int, kills: int) -> None:
        """Deliver all; kill the node `kills` times while they come and are written."""
        done = threading.Event()
        killer = threading.Thread(target=self._kill, args=(kills, done))
        killer.start()
        ports = [self.desk.node.port]
        with ThreadPoolExecutor(callers) as pool:
            self.taken = list(pool.map(lambda one: send_until_taken(one, ports), self.deliveries))
        done.set()
        killer.join()

    def _kill(self, kills: int, done: threading.Event) -> None:
        node = self.desk.node
        longest_s = 0.3 + len(self.deliveries) / 10_000  # a short storm is hit while it lasts, too
        for _ in range(kills):
            done.wait(self.rng.uniform(0.1, longest_s))
            node.stop(signal.SIGKILL)
            node.start()


def tally(state: dict[str, Any]) -> str:
    """The counts, for the log of a long run."""
    raw = sum(state["raw_writes"].values())
    return json.dumps({"raw": raw, "faults": state["faults"], "calls": state["calls"]})
