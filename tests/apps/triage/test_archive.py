"""Decisions found again, listed, corrected."""

from __future__ import annotations

from datetime import timedelta

import pytest

from holdfast.apps.triage.archive import (
    Correction,
    DecisionQuery,
    DecisionUnreadable,
    InvalidCorrection,
    InvalidCursor,
    NoSuchDecision,
)
from holdfast.apps.triage.decision import Priority
from holdfast.tier import Tier


def listed(office, **query) -> list[str]:
    page = office.app.archive.page(DecisionQuery(**query))
    return [one.decision.task_id for one in page.decisions if one.decision]


def test_a_decision_is_found_by_its_id(office) -> None:
    decision = office.score().decision
    found = office.app.archive.decision(decision.decision_id)
    assert (found.score, found.contributions, found.override) == (decision.score, decision.contributions, None)


@pytest.mark.parametrize("wanted", ["dec_0000000000000000000000000", "", "policy:x", "../etc"])
def test_an_unknown_id_is_no_decision(office, wanted) -> None:
    with pytest.raises(NoSuchDecision):
        office.app.archive.decision(wanted)


def test_a_person_wins_and_the_node_is_still_heard(office) -> None:
    decision = office.score("The database is down").decision
    correction = Correction(priority=Priority.P3, route="facilities", reason="it was a drill")
    corrected = office.app.archive.correct(decision.decision_id, correction, by="ann")
    assert (corrected.priority, corrected.route.label) == (Priority.P3, "facilities")
    assert (corrected.override.node_priority, corrected.override.node_route) == (decision.priority, decision.route)
    assert office.app.archive.decision(decision.decision_id).override == corrected.override


def test_the_last_correction_wins(office) -> None:
    key = office.score().decision.decision_id
    office.app.archive.correct(key, Correction(priority=Priority.P0), by="ann")
    office.app.archive.correct(key, Correction(priority=Priority.P2), by="bob")
    found = office.app.archive.decision(key)
    assert (found.priority, found.override.by) == (Priority.P2, "bob")


def test_a_correction_of_nothing_is_refused(office) -> None:
    key = office.score().decision.decision_id
    with pytest.raises(InvalidCorrection, match="neither"):
        office.app.archive.correct(key, Correction(reason="hm"), by="ann")


def test_decisions_are_listed_newest_first_page_by_page(office) -> None:
    for number in range(5):
        office.score(task=f"T-{number}")
    first = office.app.archive.page(DecisionQuery(limit=2))
    second = office.app.archive.page(DecisionQuery(limit=3, cursor=first.next_cursor))
    assert [one.decision.task_id for one in first.decisions + second.decisions] == ["T-4", "T-3", "T-2", "T-1", "T-0"]


def test_decisions_are_found_by_task_priority_tier_and_time(office) -> None:
    office.score("x", task="calm")
    office.desk.clock.wall += timedelta(hours=1)
    later = office.desk.clock.wall_at()
    office.score("y" * 95, task="hot")
    assert listed(office, task_id="calm") == ["calm"]
    assert listed(office, priority=Priority.P1) == ["hot"]
    assert listed(office, tier=Tier.FULL) == []
    assert listed(office, since_at=later) == ["hot"]
    assert listed(office, until_at=later) == ["calm"]


def test_an_erased_decision_is_listed_as_erased_and_cannot_be_read(office) -> None:
    key = office.score(task="T-9").decision.decision_id
    office.desk.journal.erase("T-9")
    (one,) = office.app.archive.page(DecisionQuery()).decisions
    assert (one.state, one.decision) == ("erased", None)
    with pytest.raises(DecisionUnreadable, match="ticket, reasons and hashes are gone"):
        office.app.archive.decision(key)


@pytest.mark.parametrize("cursor", ["x", "c", "c-1", "c1e9", "12", "c" + "9" * 40])
def test_a_cursor_nobody_gave_is_refused(office, cursor) -> None:
    with pytest.raises(InvalidCursor):
        office.app.archive.page(DecisionQuery(cursor=cursor))
