"""The trace of a task: every entry about it, whoever wrote it, and nothing about another."""

from __future__ import annotations

import pytest

from holdfast.apps.triage.archive import Correction
from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.feedback import FeedbackQuery, export_page
from holdfast.apps.triage.trace import NothingKnown, why
from holdfast.apps.triage.writeback_record import WriteBackRecord, write_back_draft
from holdfast.record import Draft
from holdfast.store.slots import StoreState


def traced(office, task_id: str, **how):
    return why(office.desk.journal, StoreState(), task_id, **how)


def test_what_was_written_to_the_tracker_is_part_of_the_trace(office) -> None:
    decision = office.score("The database is down").decision
    record = WriteBackRecord(
        connection="helpdesk",
        task_id=decision.task_id,
        decision_id=decision.decision_id,
        outcome="written",
        priority=decision.priority,
        by="holdfast-bot",
    )
    office.desk.journal.append(write_back_draft(record, decision))
    *_, last = traced(office, decision.task_id).events
    assert (last.kind, last.summary, last.detail["by"]) == ("write-back", "written in helpdesk", "holdfast-bot")


def test_the_weights_and_bands_in_force_are_told(office) -> None:
    decision = office.score("The database is down").decision
    policy = traced(office, decision.task_id).decisions[0].policy
    assert (policy.weights["model"], policy.bands["p0"]) == (0.6, 90.0)
    assert policy.rules is not None


def test_of_two_corrections_the_last_one_stands(office) -> None:
    decision = office.score("The database is down").decision
    for priority in (Priority.P3, Priority.P1):
        office.app.archive.correct(decision.decision_id, Correction(priority=priority, reason="why"), by="kim")
    found = traced(office, decision.task_id)
    assert [one.priority for one in found.decisions[0].overrides] == [Priority.P3, Priority.P1]
    assert "kim chose P1" in found.sentence


@pytest.mark.parametrize("payload", [b'{"verb":"retried"}', b"\x81\xa1a\x01", b"\xc1 neither JSON nor MessagePack"])
def test_an_entry_of_another_part_of_the_node_is_shown_whatever_it_holds(office, payload) -> None:
    decision = office.score("The database is down").decision
    office.desk.journal.append(Draft(kind="something-new", payload=payload, subject=decision.task_id))
    assert traced(office, decision.task_id).events[-1].kind == "something-new"


def test_another_teams_task_of_the_same_id_stays_out(office) -> None:
    decision = office.score("The database is down").decision
    draft = Draft(kind="something-new", payload=b"{}", subject=decision.task_id, team="cloud")
    office.desk.journal.append(draft)
    assert [one.kind for one in traced(office, decision.task_id, team="").events] == ["decision"]
    with pytest.raises(NothingKnown):
        traced(office, decision.task_id, team="office")


def test_corrections_of_erased_tickets_are_counted_and_not_exported(office) -> None:
    for text in ("The database is down", "The printer is out of toner"):
        decision = office.score(text, task=text[4:9]).decision
        office.app.archive.correct(decision.decision_id, Correction(priority=Priority.P3), by="kim")
    office.desk.journal.erase("datab")
    page = export_page(office.desk.journal, FeedbackQuery())
    assert ([row.id for row in page.rows], page.erased) == (["print"], 1)


def test_pages_of_corrections_hold_each_of_them_once(office) -> None:
    for place in range(7):
        decision = office.score(f"Ticket {place}", task=f"T-{place}").decision
        for priority in (Priority.P2, Priority.P3):
            office.app.archive.correct(decision.decision_id, Correction(priority=priority), by="kim")
    found, before = [], None
    while True:
        page = export_page(office.desk.journal, FeedbackQuery(limit=3, before=before))
        found += [row.id for row in page.rows]
        before = page.next_before
        if before is None:
            break
    assert sorted(found) == [f"T-{place}" for place in range(7)]
