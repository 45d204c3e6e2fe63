"""A job in a process of its own: whatever becomes of that process, the node has an outcome and a log."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from holdfast.job import Again, Dead, Done, Job, JobState, Lease, Outcome
from holdfast.jobs import JobsQuery, QueueLimits, isolated
from holdfast.jobs.isolated import Isolated, Isolation
from tests.jobs.desk import QUEUE, Desk
from tests.node.workshop import eventually


@pytest.fixture(autouse=True)
def _tests_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**isolated._ENVIRONMENT, "PYTHONPATH": str(Path(__file__).parents[2])}
    monkeypatch.setattr(isolated, "_ENVIRONMENT", environment)


def _run(chore: str, limits: Isolation | None = None) -> Outcome:
    job = Job(
        id=1, queue=QUEUE, kind="chore", payload=b"hello", key="k", priority=0, state=JobState.LEASED,
        attempts=1, age_s=0.0, due_in_s=0.0,
    )  # fmt: skip
    until_s = time.clock_gettime(time.CLOCK_BOOTTIME) + 60.0
    return Isolated(f"tests.jobs.chores:{chore}", limits)(Lease(job, token=1, until_s=until_s))


def test_a_job_done_elsewhere_gives_its_outcome_and_printing_does_not_disturb_it() -> None:
    assert _run("echo") == Done(note="hello")
    assert _run("give_up") == Dead("k will never work")


def test_a_segmentation_fault_ends_only_that_process_and_its_last_words_are_kept() -> None:
    outcome = _run("segfault")
    assert isinstance(outcome, Again)
    assert "SIGSEGV" in outcome.reason
    assert "about to fall" in outcome.log


def test_a_job_that_eats_memory_is_ended_at_its_limit() -> None:
    outcome = _run("eat_memory", Isolation(memory_bytes=128 << 20))
    assert isinstance(outcome, Again)
    assert "128 MiB" in outcome.reason


def test_a_job_that_hangs_is_ended_in_time_with_all_it_started() -> None:
    outcome = _run("hang", Isolation(time_s=2.0))
    assert isinstance(outcome, Again)
    assert "longer than 2 s" in outcome.reason
    grandchild = int(outcome.log.split()[1])
    assert eventually(lambda: not _runs(grandchild))


def _runs(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_of_a_flood_of_lines_the_end_is_kept() -> None:
    outcome = _run("chatter")
    assert isinstance(outcome, Again)
    assert len(outcome.log) <= 8_000
    assert "the last words" in outcome.log


def test_a_process_that_leaves_without_an_outcome_failed() -> None:
    outcome = _run("leave")
    assert isinstance(outcome, Again)
    assert "status 3" in outcome.reason


def test_nothing_of_the_nodes_environment_reaches_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_NODE", "1")
    outcome = _run("show_environment")
    assert isinstance(outcome, Done)
    assert "SECRET_OF_THE_NODE" not in outcome.note


def test_a_poison_job_is_a_dead_letter_with_its_log_after_n_runs(tmp_path: Path) -> None:
    desk = Desk(tmp_path, QueueLimits(max_attempts=2, backoff_s=0.001))
    desk.clock.monotonic = time.clock_gettime(time.CLOCK_BOOTTIME)
    desk.add("poison")
    for _ in range(2):
        lease = desk.lease()
        desk.jobs.finish(lease, Isolated("tests.jobs.chores:segfault")(lease))
        desk.clock.monotonic += 1.0
    (job,) = desk.jobs.list(JobsQuery(state=JobState.DEAD))
    assert (job.attempts, "SIGSEGV" in job.reason, "about to fall" in job.log) == (2, True, True)
    desk.database.close()
