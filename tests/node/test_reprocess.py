"""What a lower tier answered is scored again, exactly once, when the best tier is back."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.node.offline import run_verb
from holdfast.settings.loading import Sources, load
from tests.node.test_lifecycle import holdfast
from tests.served import Served, Start, eventually, starting
from tests.tiny_package import write_tiny
from tests.trackers.control import connection, tracker

UNSIGNED = "[trust]\nallow_unsigned = true\n"
CHANGES, STAYS = "Printer out of toner", "the database is down"
"""The tiny package's two tiers put the first into different bands, the second into the same."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a package that has both tiers, to be copied."""
    folder = tmp_path_factory.mktemp("installed")
    nodes = starting(folder)
    node = next(nodes)(UNSIGNED)
    assert holdfast(node, "package", "install", str(write_tiny(folder / "tiny.tar").path)).returncode == 0
    next(nodes, None)
    return node.data


@pytest.fixture
def resting(start: Start, installed: Path) -> Served:
    """A node with both tiers that does not run: a command has no workers, so SMALL answers it."""
    node = start(UNSIGNED)
    node.stop()
    shutil.rmtree(node.data)
    shutil.copytree(installed, node.data)
    return node


def command(node: Served, verb: str, **arguments: object) -> Any:
    """What a command does on the data directory of a node that does not run."""
    return run_verb(load(Sources((node.config,), flags={"data.directory": str(node.data)})), verb, arguments)


def score(node: Served, task: str, title: str = CHANGES, **more: object) -> dict[str, Any]:
    return command(node, "triage.score", ticket={"id": task, "title": title, "reprocess": True, **more})


def events(node: Served) -> list[dict[str, Any]]:
    shown = holdfast(node, "ledger", "show", "--kind", "reprocess", "--json")
    return json.loads(shown.stdout)["entries"]


def decisions(node: Served, task: str) -> list[dict[str, Any]]:
    page = node.ask("GET", f"/v1/triage/decisions?task_id={task}").json()["decisions"]
    return [one["decision"] for one in page]


def job_states(node: Served) -> list[str]:
    listed = node.ask("GET", "/v1/node/jobs").json()["jobs"]
    return [one["state"] for one in listed if one["queue"] == "reprocess"]


def settled(node: Served) -> bool:
    return eventually(lambda: set(job_states(node)) == {"done"}, within_s=15)


def test_a_degraded_answer_is_made_again_once_with_old_and_new_in_the_event(resting: Served) -> None:
    old = score(resting, "T-1")
    assert (old["served_by"]["tier"], old["served_by"]["degraded"]) == ("small", True)
    for _ in range(2):  # the second start finds nothing left to do
        resting.start()
        assert settled(resting)
        new, told = decisions(resting, "T-1")[0], event_of(resting, old["decision_id"])
        (event,) = events(resting)
        resting.stop()
    assert (new["served_by"]["tier"], new["at"]) == ("full", old["at"])
    assert (event["header"]["band"], event["header"]["tier"]) == (new["priority"], "full")
    assert old["priority"] != new["priority"]
    assert told["new"]["decision_id"] == new["decision_id"]
    assert (told["old"]["decision_id"], told["old"]["tier"]) == (old["decision_id"], "small")
    assert (told["new"]["tier"], told["band_changed"], told["written_back"]) == ("full", True, False)


def test_who_did_not_ask_and_who_was_answered_by_the_best_tier_is_not_scored_again(resting: Served) -> None:
    score(resting, "T-1", reprocess=False)
    resting.start()
    assert eventually(lambda: b"full" in resting.ask("GET", "/readyz").body)
    body = {"id": "T-2", "title": CHANGES, "reprocess": True}
    assert resting.post("/v1/triage/score", body).json()["served_by"]["degraded"] is False
    assert resting.post("/v1/triage/score:batch", {"tickets": [body]}).status == 200
    assert job_states(resting) == []


def test_a_ticket_erased_or_scored_anew_meanwhile_is_left_alone(resting: Served) -> None:
    score(resting, "T-gone")
    score(resting, "T-edited")
    score(resting, "T-edited", title="another title", reprocess=False)
    assert command(resting, "ledger.erase", subject="T-gone")["entries"] > 0
    resting.start()
    assert settled(resting)
    assert events(resting) == []
    assert len(decisions(resting, "T-edited")) == 2


def test_where_no_package_is_left_nothing_waits_for_one(resting: Served) -> None:
    score(resting, "T-1")
    shutil.rmtree(resting.data / "packages")
    resting.start()
    assert settled(resting)
    assert (events(resting), len(decisions(resting, "T-1"))) == ([], 1)


def test_nodes_killed_on_the_way_make_it_again_exactly_once(resting: Served) -> None:
    tasks = [f"T-{n}" for n in range(3)]
    for task in tasks:
        score(resting, task)
    for pause_s in (0.45, 0.55):
        resting.start()
        time.sleep(pause_s)  # into the loading, the waiting, or the first of the jobs
        resting.stop(signal.SIGKILL)
    resting.start()
    assert settled(resting)
    assert len(events(resting)) == len(tasks)
    assert {task: len(decisions(resting, task)) for task in tasks} == dict.fromkeys(tasks, 2)


def test_a_tracker_hears_of_another_band_and_of_nothing_else(start: Start, tmp_path: Path) -> None:
    with tracker("generic") as fake:
        node = start(UNSIGNED + "[runtime]\nhang_s = 20\n" + connection(fake, tmp_path))
        assert holdfast(node, "package", "install", str(write_tiny(tmp_path / "tiny.tar").path)).returncode == 0
        with stopped_worker(node):
            numbers = [fake.create(title) for title in (CHANGES, STAYS)]
            told = [fake.delivery(number).to(node) for number in numbers]
        assert [one.status for one in told] == [202, 202]
        assert settled(node)
        assert eventually(lambda: [fake.writes(one)[1] for one in numbers] == [2, 1], within_s=10)
        written = [event_of(node, one.json()["decision_id"])["written_back"] for one in told]
    assert written == [True, False]


@contextmanager
def stopped_worker(node: Served) -> Iterator[None]:
    """While its worker hangs, the full tier is asked in vain."""
    tasks = Path(f"/proc/{node.process.pid}/task").iterdir()
    (worker,) = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def event_of(node: Served, decision_id: str) -> dict[str, Any]:
    return node.ask("GET", f"/v1/triage/decisions/{decision_id}/reprocess").json()


@pytest.mark.faults
def test_nodes_killed_fifty_times_on_the_way_make_it_again_exactly_once(resting: Served) -> None:
    tasks = [f"T-{n}" for n in range(40)]
    for task in tasks:
        score(resting, task)
    rng = random.Random(11)
    for _ in range(50):
        resting.start()
        time.sleep(rng.uniform(0.3, 0.9))
        resting.stop(signal.SIGKILL)
    resting.start()
    assert settled(resting)
    assert len(events(resting)) == len(tasks)
    assert {task: len(decisions(resting, task)) for task in tasks} == dict.fromkeys(tasks, 2)
