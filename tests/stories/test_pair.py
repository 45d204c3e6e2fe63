"""Two nodes behind a balancer, one killed: each task is written back exactly once, without a lease between them."""

from __future__ import annotations

import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.served import Served, eventually
from tests.stories.balancer import Balancer, balancer
from tests.stories.desk import PATIENT, Desk, send_until_taken, settled
from tests.trackers.control import FakeTracker, connection, tracker


def _kill_when(seen: Balancer, node: Served, after: int) -> threading.Thread:
    """Kill it for good once the balancer has passed on `after` answers."""

    def wait() -> None:
        while sum(seen.answered.values()) < after:
            threading.Event().wait(0.005)
        node.stop(signal.SIGKILL)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def _pair(directory: Path, *, tasks: int, idempotent: str, dialect: str = "tasking-space") -> dict[str, Any]:
    with tracker(dialect, "--idempotent", idempotent) as fake:
        settings = connection(fake, directory) + PATIENT
        nodes = [Served(directory / name, settings) for name in ("one", "two")]
        try:
            return _storm(fake, nodes, tasks)
        finally:
            for node in nodes:
                node.stop()


def _storm(fake: FakeTracker, nodes: list[Served], tasks: int) -> dict[str, Any]:
    numbers = fake.create_many([{"title": f"Cannot log in {i}", "description": "since noon"} for i in range(tasks)])
    deliveries = fake.deliveries(numbers)
    twice = random.Random(5).sample(deliveries, tasks // 10)  # a tracker that redelivers although it was answered
    with balancer(*(node.port for node in nodes)) as front:
        killer = _kill_when(front, nodes[0], tasks // 2)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: send_until_taken(one, [front.port]), [*deliveries, *twice]))
        killer.join()
        assert min(front.answered.values()) > tasks // 10
    nodes[0].start()  # it comes back, with what it had taken and not yet written
    return settled(fake, tasks, within_s=60 + tasks / 20)


@pytest.mark.parametrize("idempotent", ["yes", "no"])
def test_of_two_nodes_one_is_killed_and_each_task_is_written_once(tmp_path: Path, idempotent: str) -> None:
    state = _pair(tmp_path, tasks=100, idempotent=idempotent)
    assert set(state["effective_writes"].values()) == {1}
    assert (len(state["effective_writes"]), state["overruled"]) == (100, [])


@pytest.mark.parametrize(("idempotent", "conditional"), [("yes", "no"), ("no", "yes")])
def test_where_both_nodes_take_every_delivery_at_once_each_task_is_written_once(
    tmp_path: Path, idempotent: str, conditional: str
) -> None:
    """Either the key or the condition is enough, however the reads and writes of the two fall."""
    with tracker("tasking-space", "--idempotent", idempotent, "--conditional", conditional) as fake:
        settings = connection(fake, tmp_path) + PATIENT
        nodes = [Served(tmp_path / name, settings) for name in ("one", "two")]
        try:
            numbers = fake.create_many([{"title": f"Cannot log in {i}", "description": ""} for i in range(60)])
            each_twice = [(one, [node.port]) for one in fake.deliveries(numbers) for node in nodes]
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda each: send_until_taken(*each), each_twice))
            settled(fake, 60, within_s=30)
            assert all(Desk(node, fake).idle() for node in nodes)
            state = fake.state()
        finally:
            for node in nodes:
                node.stop()
    assert set(state["effective_writes"].values()) == {1}


@pytest.mark.faults
@pytest.mark.parametrize("idempotent", ["yes", "no"])
def test_a_thousand_webhooks_over_a_pair_of_which_one_is_killed(tmp_path: Path, idempotent: str) -> None:
    state = _pair(tmp_path, tasks=1000, idempotent=idempotent)
    assert set(state["effective_writes"].values()) == {1}
    assert (len(state["effective_writes"]), state["overruled"]) == (1000, [])


@pytest.mark.faults
@pytest.mark.parametrize("dialect", ["github", "jira"])
def test_a_pair_with_a_tracker_that_has_neither_keys_nor_conditions(tmp_path: Path, dialect: str) -> None:
    state = _pair(tmp_path, tasks=300, idempotent="own", dialect=dialect)
    assert set(state["effective_writes"].values()) == {1}
    assert (len(state["effective_writes"]), state["overruled"]) == (300, [])


@pytest.mark.parametrize("dialect", ["github", "tasking-space"])
def test_an_edit_that_the_other_node_hears_of_is_written_and_nobody_is_said_to_have_judged(
    tmp_path: Path, dialect: str
) -> None:
    with tracker(dialect) as fake:
        fake.know_labels(*(f"priority/P{i}" for i in range(4)))
        settings = connection(fake, tmp_path) + PATIENT
        one, two = (Served(tmp_path / name, settings) for name in ("one", "two"))
        try:
            number = fake.create("Printer is out of toner", "Third floor.")
            assert fake.delivery(number).to(one).status == 202
            assert eventually(lambda: fake.writes(number)[1] == 1)
            title = "Critical outage, production down, data loss, security breach, everybody affected"
            fake.edit(number, by="emily", title=title, description=f"{title}. URGENT, urgent: emergency!")
            assert fake.delivery(number).to(two).status == 202
            assert eventually(lambda: fake.writes(number)[1] == 2)
            found = two.ask("GET", "/v1/triage/decisions").json()["decisions"]
            assert [entry["decision"]["override"] for entry in found] == [None]
        finally:
            one.stop()
            two.stop()
