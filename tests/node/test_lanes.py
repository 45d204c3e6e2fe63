"""Lanes: a job starts at once, no queue waits for another, and no run can end a lane."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.database import DiskFull
from holdfast.errors import InvalidInput
from holdfast.job import Again, Dead, Done, JobState, Lease, NewJob, Outcome
from holdfast.jobs import JobsQuery
from holdfast.node import lanes
from holdfast.node.node import Node
from tests.node.workshop import eventually, node_at


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with node_at(tmp_path / "data") as built:
        yield built


def _add(node: Node, key: str, *, queue: str = "write-back", kind: str = "note") -> None:
    job = NewJob(queue=queue, kind=kind, payload=b"", key=key)
    node.state.database.commit(lambda t: node.state.jobs.enqueue(t, job))


def _states(node: Node) -> list[JobState]:
    return [job.state for job in node.state.jobs.list(JobsQuery())]


def test_a_new_job_starts_within_milliseconds_not_at_the_next_look(node: Node) -> None:
    began = threading.Event()
    node.parts.lanes.offer("note", lambda _: began.set() or Done())  # type: ignore[func-returns-value]
    node.parts.lanes.start()
    time.sleep(0.3)  # every lane has found nothing and sleeps
    started_s = time.monotonic()
    _add(node, "a")
    assert began.wait(5.0)
    assert time.monotonic() - started_s < 1.0
    assert eventually(lambda: _states(node) == [JobState.DONE])


def test_a_queue_whose_lanes_all_hang_keeps_no_other_waiting(node: Node) -> None:
    hang, others = threading.Event(), threading.Event()
    node.parts.lanes.offer("hang", lambda _: (hang.wait(30.0) and Done()) or Dead("hung"))
    node.parts.lanes.offer("note", lambda _: others.set() or Done())  # type: ignore[func-returns-value]
    node.parts.lanes.start()
    for number in range(4):
        _add(node, f"hang {number}", kind="hang")
    _add(node, "free", queue="reprocess")
    assert others.wait(5.0)
    hang.set()


def test_a_run_that_raises_is_tried_again_and_its_lane_lives(node: Node) -> None:
    runs: list[int] = []

    def fail_once(lease: Lease) -> Outcome:
        runs.append(lease.job.attempts)
        if len(runs) == 1:
            raise ZeroDivisionError
        return Done()

    node.parts.lanes.offer("note", fail_once)
    node.parts.lanes.start()
    _add(node, "a")
    assert eventually(lambda: _states(node) == [JobState.DONE])
    assert runs == [1, 2]


def test_a_disk_that_takes_no_record_is_no_fault_of_the_job(node: Node) -> None:
    runs: list[int] = []

    def refused_twice(lease: Lease) -> Outcome:
        runs.append(lease.job.attempts)
        if len(runs) < 3:
            raise DiskFull("no room", retry_after_s=0.05)
        return Done()

    node.parts.lanes.offer("note", refused_twice)
    node.parts.lanes.start()
    _add(node, "a")
    assert eventually(lambda: _states(node) == [JobState.DONE])
    assert runs == [1, 1, 1]


def test_a_job_of_a_kind_nobody_offers_waits_and_says_so(node: Node) -> None:
    node.parts.lanes.start()
    _add(node, "a", kind="unheard-of")
    assert eventually(lambda: bool(node.state.jobs.list(JobsQuery())[0].reason))
    assert "unheard-of" in node.state.jobs.list(JobsQuery())[0].reason


def test_work_left_by_a_node_that_died_is_taken_up_at_the_start(node: Node) -> None:
    _add(node, "a")
    assert node.state.jobs.lease("write-back") is not None
    node.parts.lanes.offer("note", lambda _: Done())
    node.parts.lanes.start()
    assert eventually(lambda: _states(node) == [JobState.DONE])


def test_a_stop_waits_for_a_run_that_ends_soon(node: Node) -> None:
    began = threading.Event()

    def slow(_: Lease) -> Outcome:
        began.set()
        time.sleep(0.3)
        return Done()

    node.parts.lanes.offer("note", slow)
    node.parts.lanes.start()
    _add(node, "a")
    assert began.wait(5.0)
    node.parts.lanes.stop()
    assert _states(node) == [JobState.DONE]


def test_a_stop_does_not_wait_for_a_run_that_hangs_and_the_next_process_runs_it(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_DRAIN_S", 0.3)
    began, released = threading.Event(), threading.Event()

    def hang(_: Lease) -> Outcome:
        began.set()
        return Done() if released.wait(30.0) else Dead("hung")

    node.parts.lanes.offer("note", hang)
    node.parts.lanes.start()
    _add(node, "a")
    assert began.wait(5.0)
    started_s = time.monotonic()
    node.parts.lanes.stop()
    assert time.monotonic() - started_s < 3.0
    assert node.state.jobs.release_all() == 1
    released.set()


def test_dead_letters_are_a_finding_and_a_metric(node: Node) -> None:
    node.parts.lanes.offer("note", lambda _: Dead("no such task"))
    node.parts.lanes.start()
    _add(node, "a")
    assert eventually(lambda: any(finding.name == "dead-letters" for finding in node.parts.lanes.findings()))
    assert node.measures.numbers()["queue_jobs"]["write-back", "dead"] == 1.0


def test_more_lanes_after_a_reload_work_at_once(tmp_path: Path) -> None:
    with node_at(tmp_path / "data", "[queues.write-back]\nlanes = 1\n") as node:
        both = threading.Barrier(2, timeout=10.0)
        node.parts.lanes.offer("meet", lambda _: (both.wait() >= 0 and Done()) or Dead("alone"))
        node.parts.lanes.start()
        (tmp_path / "data" / "holdfast.toml").write_text("[queues.write-back]\nlanes = 2\n")
        assert node.reload().needs_restart == ()
        _add(node, "a", kind="meet")
        _add(node, "b", kind="meet")
        assert eventually(lambda: _states(node) == [JobState.DONE] * 2)


def test_settings_of_a_queue_no_node_has_are_refused_by_name(tmp_path: Path) -> None:
    with (
        pytest.raises(InvalidInput, match=r"queues\.writeback"),
        node_at(tmp_path / "d", "[queues.writeback]\nlanes = 1\n"),
    ):
        pass


def test_a_backlog_of_a_thousand_jobs_leaves_the_wait_in_other_queues_unchanged(node: Node) -> None:
    waits_s: list[float] = []
    enough = threading.Event()
    node.parts.lanes.offer("slow", lambda _: Done() if enough.wait(0.01) else Again("next", after_s=0.0, counts=False))
    node.parts.lanes.offer("note", lambda lease: waits_s.append(lease.job.age_s) or Done())  # type: ignore[func-returns-value]
    jobs = [NewJob(queue="write-back", kind="slow", payload=b"", key=f"slow {n}") for n in range(1000)]
    node.state.database.commit(lambda t: [node.state.jobs.enqueue(t, job) for job in jobs])
    node.parts.lanes.start()
    for number in range(20):
        _add(node, f"quick {number}", queue="reprocess")
        assert eventually(lambda n=number: len(waits_s) > n)  # type: ignore[misc]
    enough.set()
    assert sorted(waits_s)[10] < 0.25
