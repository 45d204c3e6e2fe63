"""SIGKILL between any two statements of the unit that takes a delivery leaves all of it or nothing."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter as Tally
from pathlib import Path

import pytest

from holdfast.apps.triage.intake import Taken
from holdfast.apps.triage.records import DECISION
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.sightings import Sightings
from holdfast.ledger.query import Query
from tests.apps.triage.counter import Counter, issue, open_counter

REPOSITORY = Path(__file__).parents[3]
TASK = "Codertocat/Hello-World#1"


def _left_behind(counter: Counter) -> tuple[int, int, int, int]:
    """How many seen ids, decisions, sightings and jobs there are; journal's verdict is asked on the way."""
    desk = counter.office.desk
    seen = desk.database.read(lambda t: t.rows("SELECT count(*) FROM seen_keys"))[0][0]
    jobs = desk.database.read(lambda t: t.rows("SELECT count(*) FROM jobs"))[0][0]
    decisions = len(desk.journal.list(Query(kinds=(DECISION,))).entries)
    sighting = Sightings(desk.facts, desk.vault).last("forge", TASK)
    assert desk.journal.verify().ok
    return seen, decisions, int(sighting is not None), jobs


def _kill_and_check(root: Path, policy: Policy, kills: int) -> Tally[tuple[int, int, int, int]]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.apps.triage.killing", str(root), str(kills)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.splitlines()) == kills
    verdicts: Tally[tuple[int, int, int, int]] = Tally()
    for number in range(kills):
        counter = open_counter(root / str(number), policy)
        verdicts[_left_behind(counter)] += 1
        again = counter.hand_in(issue())
        after = _left_behind(counter)
        counter.office.desk.close()
        assert isinstance(again, Taken)
        assert after == (1, 1, 1, 1)
    return verdicts


def test_killed_before_each_statement_in_turn_all_of_it_is_there_or_nothing(tmp_path: Path, policy: Policy) -> None:
    verdicts = _kill_and_check(tmp_path, policy, 40)
    assert set(verdicts) == {(0, 0, 0, 0), (1, 1, 1, 1)}


@pytest.mark.faults
def test_killed_200_times_all_of_it_is_there_or_nothing(tmp_path: Path, policy: Policy) -> None:
    verdicts = _kill_and_check(tmp_path, policy, 200)
    assert set(verdicts) == {(0, 0, 0, 0), (1, 1, 1, 1)}
