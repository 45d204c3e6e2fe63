"""A write-back job, run and run again: one effective write, people first, and every failure named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.apps.triage.archive import Correction
from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.writeback import write_key
from holdfast.apps.triage.writeback_job import QUEUE, unpack_write_back
from holdfast.apps.triage.writeback_record import WRITE_BACK, unpack_write_back_record
from holdfast.apps.triage.writing import Said
from holdfast.apps.triage.written import recall_written
from holdfast.errors import Unavailable
from holdfast.job import Again, Dead, Done, JobState
from holdfast.jobs import JobsQuery, LeaseLost
from holdfast.ledger.query import Query
from holdfast.outbound.refusals import LinkDown, NotAllowed, OverBudget, TlsRefused
from tests.apps.triage.counter import Counter, open_counter
from tests.apps.triage.papertracker import PaperTracker, WriteDesk, write_desk

Desk = Callable[..., WriteDesk]


@pytest.fixture
def opens(tmp_path: Path, policy: Policy) -> Iterator[Desk]:
    """Opens nodes that share one tracker, each in a directory of its own."""
    counters: list[Counter] = []
    paper = PaperTracker(tmp_path / "tasks.json")

    def opening(name: str = "one", **terms: Any) -> WriteDesk:
        (tmp_path / name).mkdir()
        counters.append(open_counter(tmp_path / name, policy))
        return write_desk(counters[-1], paper, **terms)

    yield opening
    for counter in counters:
        counter.office.desk.close()


@pytest.fixture
def desk(opens: Desk) -> WriteDesk:
    return opens()


def _outcomes(desk: WriteDesk) -> list[str]:
    entries = desk.counter.office.desk.journal.list(Query(kinds=(WRITE_BACK,))).entries
    return [unpack_write_back_record(one.payload).outcome for one in entries if one.payload is not None]


def _overrides(desk: WriteDesk) -> list[tuple[Priority | None, str]]:
    page = desk.counter.office.desk.journal.list(Query(kinds=("decision",), subject="T-1"))
    archive = desk.counter.office.app.archive
    found = [archive.decision(_decision_id(one.payload)).override for one in page.entries if one.payload is not None]
    return [(one.priority, one.by) for one in found if one is not None]


def _decision_id(payload: bytes) -> str:
    start = payload.index(b"dec_")
    return payload[start : start + 30].decode()


def _said(desk: WriteDesk) -> Said:
    said = recall_written(desk.counter.office.desk.facts, "desk", "T-1").said
    assert said is not None
    return said


def _state(desk: WriteDesk) -> list[JobState]:
    return [one.state for one in desk.counter.jobs.list(JobsQuery())]


def test_a_decision_is_written_once_and_the_ledger_says_so(desk: WriteDesk) -> None:
    desk.new()
    assert isinstance(desk.run(), Done)
    task = desk.paper.task()
    assert (task["writes"], task["priority"], task["priority_score"] > 0) == (1, _said(desk).priority, True)
    assert (_outcomes(desk), _state(desk)) == (["written"], [JobState.DONE])


def test_a_write_whose_answer_was_cut_is_found_and_not_repeated(desk: WriteDesk) -> None:
    desk.new()
    desk.paper.fails = ["cut"]
    assert isinstance(desk.run(), Again)
    desk.later()
    assert isinstance(desk.run(), Done)
    assert (desk.paper.task()["writes"], len(desk.paper.keys), _outcomes(desk)) == (1, 1, ["found"])


def test_a_run_that_lost_its_lease_writes_nothing_down_and_the_next_one_finds_its_write(desk: WriteDesk) -> None:
    desk.new()
    desk.paper.meanwhile = lambda _: desk.counter.jobs.release_all() and None
    with pytest.raises(LeaseLost):
        desk.run()
    assert _outcomes(desk) == []
    assert isinstance(desk.run(), Done)
    assert (desk.paper.task()["writes"], _outcomes(desk)) == (1, ["found"])


def test_what_a_person_chose_before_the_write_stays_and_is_an_override(desk: WriteDesk) -> None:
    desk.new()
    desk.paper.put({**desk.paper.task(), "priority": "P0"})
    assert isinstance(desk.run(), Done)
    assert (desk.paper.task()["priority"], desk.paper.keys) == ("P0", [])
    assert _overrides(desk) == [(Priority.P0, "in the tracker")]


def test_what_a_person_chose_between_read_and_write_stays(desk: WriteDesk) -> None:
    desk.new()
    desk.paper.meanwhile = lambda task: task.update(priority="P0")
    assert isinstance(desk.run(), Done)
    assert (desk.paper.task()["priority"], desk.paper.task().get("writes", 0)) == ("P0", 0)
    assert _overrides(desk) == [(Priority.P0, "in the tracker")]


def test_what_a_person_chose_right_after_the_write_is_not_taken_for_ours(desk: WriteDesk) -> None:
    desk.new("Printer")
    desk.paper.afterwards = lambda task: task.update(priority="P0", explanation="")
    desk.run()
    desk.paper.put({**desk.paper.task(), "title": "Payment service is down for everybody"})
    desk.hear()
    assert isinstance(desk.run(), Done)
    assert (desk.paper.task()["priority"], desk.paper.task()["writes"]) == ("P0", 1)


def test_a_label_that_a_person_put_on_between_read_and_write_stays(desk: WriteDesk) -> None:
    desk.new()
    desk.paper.meanwhile = lambda task: task.update(labels=["vip"])
    assert isinstance(desk.run(), Done)
    assert "vip" in desk.paper.task()["labels"]
    assert desk.paper.task()["writes"] == 1


def test_a_route_label_that_a_person_took_away_does_not_come_back(opens: Desk) -> None:
    desk = opens(routes={"needs-triage": "Inbox"})
    desk.new("Printer")
    desk.run()
    route = _said(desk).route
    desk.paper.put({**desk.paper.task(), "labels": [], "title": "Payment service is down for everybody, critical"})
    desk.hear()
    assert isinstance(desk.run(), Done)
    assert route
    assert (desk.paper.task()["writes"], desk.paper.task()["labels"]) == (2, [])


def test_an_older_order_that_comes_late_changes_nothing(desk: WriteDesk) -> None:
    desk.new("Printer")
    first = desk.lease()
    desk.paper.put({**desk.paper.task(), "title": "Payment service is down for everybody, critical"})
    desk.hear()
    desk.run()
    newest = desk.paper.task()
    assert isinstance(desk.run(first), Done)
    assert desk.paper.task() == newest


@pytest.mark.parametrize("edits", [1, 2])
def test_what_a_person_chose_stays_though_it_looks_like_nobodys_choice(opens: Desk, edits: int) -> None:
    """Their word is also the one that the tracker shows where nobody has chosen, and nothing was written yet."""
    desk = opens(unset_priorities=("normal",))
    desk.new("Printer", priority="normal")
    chosen = Correction(priority=Priority.P0, reason="chosen in the tracker")
    desk.counter.office.app.archive.correct(unpack_write_back(desk.lease().job.payload).decision_id, chosen, by="ann")
    for number in range(edits):
        desk.paper.put({**desk.paper.task(), "title": f"Payment service is down, {number}"})
        desk.hear()
    while (lease := desk.counter.jobs.lease(QUEUE)) is not None:
        assert isinstance(desk.run(lease), Done)
    assert (desk.paper.task()["priority"], desk.paper.keys) == ("normal", [])


def test_a_write_that_the_tracker_took_and_passed_over_is_no_success(desk: WriteDesk) -> None:
    """As Gitea does with labels it does not have."""
    desk.new()
    desk.paper.fails = ["deaf"]
    outcome = desk.run()
    assert isinstance(outcome, Again)
    assert (outcome.counts, "shows nothing of it" in outcome.reason, _outcomes(desk)) == (True, True, [])
    desk.later()
    assert isinstance(desk.run(), Done)
    assert (desk.paper.task()["writes"], _outcomes(desk)) == (1, ["written"])


def test_while_one_lane_writes_a_task_another_leaves_it(desk: WriteDesk) -> None:
    desk.new("Printer")
    first = desk.lease()
    desk.paper.put({**desk.paper.task(), "title": "Printer on the second floor"})
    desk.hear()
    seen: list[object] = []
    desk.paper.meanwhile = lambda _: seen.append(desk.run())
    assert isinstance(desk.run(first), Done)
    assert seen == [Again("another write of the task is under way", after_s=0.25, counts=False)]


def test_an_older_decision_is_not_written_over_a_newer_one_that_says_otherwise(desk: WriteDesk) -> None:
    desk.new("Printer")
    first = desk.lease()
    desk.paper.put({**desk.paper.task(), "title": "Payment service is down for everybody, critical"})
    desk.hear()
    assert "newer decision" in desk.run(first).note
    assert "writes" not in desk.paper.task()
    desk.run()
    assert (desk.paper.task()["writes"], desk.paper.task()["priority"]) == (1, "P2")


def test_two_nodes_of_a_pair_write_a_task_once_under_one_key(opens: Desk) -> None:
    one, two = opens("one"), opens("two")
    one.new()
    two.hear()
    assert isinstance(one.run(), Done)
    assert isinstance(two.run(), Done)
    assert (one.paper.task()["writes"], _overrides(two), _outcomes(two)) == (1, [], ["found"])


def test_two_nodes_that_read_before_either_wrote_write_once(opens: Desk) -> None:
    one, two = opens("one"), opens("two")
    one.new()
    two.hear()
    one.paper.meanwhile = lambda _: two.run() and None
    assert isinstance(one.run(), Done)
    assert (one.paper.task()["writes"], set(one.paper.keys), _overrides(one)) == (1, {one.paper.keys[0]}, [])


def test_a_peer_that_judged_differently_is_no_person(opens: Desk) -> None:
    one, two = opens("one"), opens("two")
    two.counter.office.small.shift = 0.8
    one.new()
    two.hear()
    one.run()
    assert isinstance(two.run(), Done)
    assert (one.paper.task()["writes"], one.paper.task()["priority"], _overrides(two)) == (1, _said(one).priority, [])
    assert _said(two).priority == _said(one).priority


def test_the_key_depends_on_the_shared_secret_the_task_and_its_revision(opens: Desk) -> None:
    one, two = (opens(name).counter.connections["desk"] for name in ("one", "two"))
    assert write_key(one, "T-1", "r1") == write_key(two, "T-1", "r1")
    assert len({write_key(one, task, revision) for task in ("T-1", "T-2") for revision in ("r1", "r2")}) == 4


def test_a_route_the_tracker_will_not_have_does_not_cost_the_priority(opens: Desk) -> None:
    desk = opens(routes={"needs-triage": "Inbox"})
    desk.new()
    desk.paper.fails = [422]
    assert isinstance(desk.run(), Done)
    assert (desk.paper.task()["priority"], desk.paper.task()["labels"]) == (_said(desk).priority, [])
    first, second = desk.paper.keys
    assert (first != second, first[:16] == second[:16]) == (True, True)


@pytest.mark.parametrize(
    ("fault", "counts"),
    [(500, True), (503, False), (401, False), (429, False)]
    + [(kind("no way there"), False) for kind in (LinkDown, TlsRefused, OverBudget)],
)
def test_what_says_nothing_about_the_task_uses_up_no_attempt(
    desk: WriteDesk, fault: int | Unavailable, counts: bool
) -> None:
    desk.new()
    desk.paper.fails = [fault]
    outcome = desk.run()
    assert isinstance(outcome, Again)
    assert outcome.counts is counts
    desk.later()
    assert isinstance(desk.run(), Done)


@pytest.mark.parametrize("fault", [302, 403, 404, 410, NotAllowed("nowhere")])
def test_what_will_never_work_is_a_dead_letter_with_its_reason(desk: WriteDesk, fault: int | Exception) -> None:
    desk.new()
    desk.paper.fails = [fault, fault]
    outcome = desk.run()
    assert isinstance(outcome, Dead)
    assert str(fault) in outcome.reason
    assert _state(desk) == [JobState.DEAD]


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "90"}, 90.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:01:30 GMT", "date": "Sat, 21 Nov 2026 12:00:00 GMT"}, 90.0),
        (
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795262490", "date": "Sat, 21 Nov 2026 12:00:00 GMT"},
            90.0,
        ),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 11:59:00 GMT", "date": "Sat, 21 Nov 2026 12:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_a_tracker_that_asks_for_patience_gets_it(desk: WriteDesk, headers: dict[str, str], wait_s: float) -> None:
    desk.new()
    desk.paper.fails, desk.paper.headers = [429], headers
    outcome = desk.run()
    assert isinstance(outcome, Again)
    assert outcome.after_s == wait_s


def test_a_refused_token_is_known_until_it_is_taken(desk: WriteDesk) -> None:
    desk.new()
    desk.paper.fails = [401]
    desk.run()
    assert set(desk.tracker.refused) == {"desk"}
    desk.later()
    desk.run()
    assert desk.tracker.refused == {}


def test_a_decision_that_was_erased_is_not_written(desk: WriteDesk) -> None:
    desk.new()
    desk.counter.office.desk.journal.erase("T-1")
    assert isinstance(desk.run(), Dead)
    assert desk.paper.keys == []
