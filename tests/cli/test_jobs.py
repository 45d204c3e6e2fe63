"""`holdfast jobs` on a data directory that no node runs on: what it prints, does, records, and how it exits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.cli.main import main
from holdfast.job import Dead, NewJob
from tests.node.workshop import node_at

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command where two jobs are dead and one waits."""
    with node_at(tmp_path / "state") as node:
        jobs, database = node.state.jobs, node.state.database
        for key in ("write-back:desk:A-1:1", "write-back:desk:A-2:1"):
            job = NewJob(queue="write-back", kind="write-back", payload=b"canary", key=key)
            database.commit(lambda t, j=job: jobs.enqueue(t, j))
            lease = jobs.lease("write-back")
            assert lease is not None
            jobs.finish(lease, Dead("404: the tracker knows no such task"))
        waiting = NewJob(queue="reprocess", kind="reprocess", payload=b"", key="reprocess:A-3", delay_s=3600.0)
        database.commit(lambda t: jobs.enqueue(t, waiting))

    def runs(*arguments: str) -> tuple[int, str]:
        code = main(["--data", str(tmp_path / "state"), *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return runs


def test_dead_letters_are_listed_with_their_reason_and_without_what_they_carry(run: Run) -> None:
    code, printed = run("jobs", "list", "--state", "dead")
    assert code == 0
    assert printed.count("404: the tracker knows no such task") == 2
    assert "canary" not in printed + run("jobs", "list", "--json")[1]


def test_a_long_list_is_read_page_by_page(run: Run) -> None:
    first = json.loads(run("jobs", "list", "--limit", "2", "--json")[1])
    rest = json.loads(run("jobs", "list", "--before", str(first["next_before"]), "--json")[1])
    assert [job["id"] for job in first["jobs"] + rest["jobs"]] == [3, 2, 1]
    assert rest["next_before"] is None


def test_queues_are_shown_with_depth_and_dead_letters(run: Run) -> None:
    shown = {one["queue"]: one for one in json.loads(run("jobs", "queues", "--json")[1])["queues"]}
    assert shown["write-back"]["dead"] == 2
    assert (shown["reprocess"]["ready"], shown["reprocess"]["waiting"]) == (1, 1)
    assert "write-back" in run("jobs", "queues")[1]


def test_a_retried_dead_letter_is_ready_again_and_the_ledger_says_so(run: Run) -> None:
    assert "1 job to be tried again" in run("jobs", "retry", "1")[1]
    assert (
        json.loads(run("jobs", "list", "--state", "ready", "--queue", "write-back", "--json")[1])["jobs"][0]["id"] == 1
    )
    assert "jobs" in run("ledger", "show")[1]


def test_every_dead_letter_of_a_queue_can_be_retried_at_once(run: Run) -> None:
    assert "2 jobs to be tried again" in run("jobs", "retry", "--queue", "write-back")[1]


def test_purged_dead_letters_are_gone_and_others_stay(run: Run) -> None:
    assert "2 jobs deleted" in run("jobs", "purge", "--queue", "write-back", "--yes")[1]
    assert [job["id"] for job in json.loads(run("jobs", "list", "--json")[1])["jobs"]] == [3]


def test_what_is_too_young_is_not_purged(run: Run) -> None:
    assert "0 jobs deleted" in run("jobs", "purge", "--queue", "write-back", "--older-days", "1", "--yes")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("retry", "99"), 65, "expected one that is dead or waits"),
        (("retry",), 64, "--queue"),
        (("purge", "--queue", "nope", "--yes"), 65, "expected one of write-back"),
        (("list", "--state", "odd"), 64, "ready"),
    ],
)
def test_a_mistake_ends_in_one_line_that_says_what_was_expected(
    run: Run, arguments: tuple[str, ...], code: int, says: str
) -> None:
    found, printed = run("jobs", *arguments)
    assert found == code
    assert says in printed
    assert len(printed.strip().splitlines()) == 1
