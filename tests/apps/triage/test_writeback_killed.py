"""SIGKILL between any two statements of a write-back, and the next run: one effective write, one ledger entry, done."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter as Tally
from pathlib import Path

import pytest

from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.writeback_job import QUEUE
from holdfast.apps.triage.writeback_record import WRITE_BACK, unpack_write_back_record
from holdfast.job import JobState
from holdfast.jobs import JobsQuery
from holdfast.ledger.query import Query
from tests.apps.triage.counter import open_counter
from tests.apps.triage.papertracker import PaperTracker, WriteDesk, write_desk

REPOSITORY = Path(__file__).parents[3]


def _come_back(directory: Path, policy: Policy) -> WriteDesk:
    """Open the node again as its lanes do, and run what there is to run."""
    desk = write_desk(open_counter(directory, policy), PaperTracker(directory / "tasks.json"))
    desk.counter.jobs.release_all()
    while (lease := desk.counter.jobs.lease(QUEUE)) is not None:
        desk.run(lease)
    return desk


def _verdict(directory: Path, policy: Policy) -> str:
    """What the ledger says became of it, once it is sure that the task was written once and the job is done."""
    desk = _come_back(directory, policy)
    ledger = desk.counter.office.desk.journal
    entries = ledger.list(Query(kinds=(WRITE_BACK,))).entries
    assert ledger.verify().ok
    assert desk.paper.task()["writes"] == 1
    assert [one.state for one in desk.counter.jobs.list(JobsQuery())] == [JobState.DONE]
    (payload,) = [one.payload for one in entries]
    desk.counter.office.desk.close()
    assert payload is not None
    return unpack_write_back_record(payload).outcome


def _kill_and_check(root: Path, policy: Policy, kills: int) -> Tally[str]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.apps.triage.killing_writes", str(root), str(kills)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.splitlines()) == kills
    return Tally(_verdict(root / str(number), policy) for number in range(kills))


def test_killed_before_each_statement_in_turn_the_task_is_written_once(tmp_path: Path, policy: Policy) -> None:
    verdicts = _kill_and_check(tmp_path, policy, 40)
    assert set(verdicts) == {"written", "found"}


@pytest.mark.faults
def test_killed_200_times_the_task_is_written_once(tmp_path: Path, policy: Policy) -> None:
    verdicts = _kill_and_check(tmp_path, policy, 200)
    assert set(verdicts) == {"written", "found"}
