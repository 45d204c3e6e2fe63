"""Tickets through the app: decided, recorded, told once, found again."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from holdfast.apps.triage import app as triage_app
from holdfast.apps.triage.app import Call, DecisionGone
from holdfast.apps.triage.decision import assessment_bytes
from holdfast.apps.triage.records import unpack_decision
from holdfast.apps.triage.ticket import Attachment, InvalidTicket, Ticket
from holdfast.inference import Domain
from holdfast.ledger.journal import KeyReused
from holdfast.ledger.query import Query
from holdfast.ledger.reserve import Mode
from holdfast.tier import Tier


def kinds(office) -> list[str]:
    return [entry.header.kind for entry in office.desk.journal.list(Query(limit=1000)).entries]


def test_a_decision_is_on_disk_before_it_is_told(office) -> None:
    decision = office.score().decision
    entry = office.desk.journal.find(decision.decision_id)
    record = unpack_decision(entry.payload)
    assert decision.recorded
    assert assessment_bytes(record.decision) == assessment_bytes(decision)
    assert record.read_ticket().title == "Printer out of toner"


def test_the_closed_header_says_tier_package_score_and_band_but_not_who(office) -> None:
    decision = office.score(task="secret-task").decision
    header = office.desk.journal.find(decision.decision_id).header
    assert (header.tier, header.score, header.band) == ("small", decision.score, decision.priority.value)
    assert b"secret-task" not in msgspec.json.encode(header)


def test_the_model_reads_title_and_description_on_two_lines(office) -> None:
    office.score("A title", description="and more")
    assert office.small.texts == ["A title\nand more"]


def test_the_same_key_and_ticket_give_the_first_decision_again(office) -> None:
    first, again = office.score(key="k-1"), office.score(key="k-1")
    assert again.replayed
    assert again.decision.decision_id == first.decision.decision_id
    assert kinds(office).count("decision") == 1


def test_the_same_key_with_another_ticket_is_refused(office) -> None:
    office.score(key="k-1")
    with pytest.raises(KeyReused, match="another body"):
        office.score("Something else", key="k-1")


def test_a_key_whose_decision_was_erased_says_that_it_is_gone(office) -> None:
    office.score(task="T-9", key="k-1")
    office.desk.journal.erase("T-9")
    with pytest.raises(DecisionGone, match="can no longer be read"):
        office.score(task="T-9", key="k-1")


def test_a_batch_asks_the_model_once_and_keeps_one_entry_each_in_order(office) -> None:
    tickets = [Ticket(id=f"T-{n}", title="x" * n) for n in range(1, 257)]
    scored = office.app.score_batch(tickets, office.view, office.call())
    assert office.small.calls == 1
    assert [one.decision.task_id for one in scored] == [ticket.id for ticket in tickets]
    assert kinds(office).count("decision") == 256


def test_a_batch_sent_again_under_its_key_gives_its_decisions_again(office) -> None:
    tickets = [Ticket(id=f"T-{n}", title=f"ticket {n}") for n in range(3)]
    first = office.app.score_batch(tickets, office.view, office.call(idempotency_key="b"))
    again = office.app.score_batch(tickets, office.view, office.call(idempotency_key="b"))
    assert [one.decision.decision_id for one in again] == [one.decision.decision_id for one in first]
    assert all(one.replayed for one in again)


def test_one_bad_date_refuses_the_batch_before_the_model_is_asked(office) -> None:
    tickets = [Ticket(id="1", title="a"), Ticket(id="2", title="b", metadata={"deadline_at": "soon"})]
    with pytest.raises(InvalidTicket) as caught:
        office.app.score_batch(tickets, office.view, office.call())
    assert caught.value.field == "/tickets/1/metadata/deadline_at"
    assert office.small.calls == 0


def test_an_alone_ticket_and_one_in_a_batch_get_the_same_bytes(office) -> None:
    ticket = Ticket(id="T", title="The database is down", at="2026-03-01T00:00:00Z")
    alone = office.app.score(ticket, office.view, office.call())
    batch = office.app.score_batch([Ticket(id="o", title="other"), ticket], office.view, office.call())
    assert assessment_bytes(alone.decision) == assessment_bytes(batch[1].decision)


def test_who_answered_is_said_for_each_ticket(office) -> None:
    office.small.domain = Domain.OUT
    served_by = office.score().decision.served_by
    assert (served_by.tier, served_by.package, served_by.unsigned) == (Tier.SMALL, "triage-en", True)
    assert served_by.reasons == ("out_of_domain",)


def test_of_attachments_the_ledger_keeps_names_only(office) -> None:
    attachment = Attachment(name="boot.log", media_type="text/plain", text="a very long log")
    decision = office.score(attachments=(attachment,)).decision
    payload = office.desk.journal.find(decision.decision_id).payload
    assert b"boot.log" in payload
    assert b"a very long log" not in payload


def test_the_policy_is_on_record_once_and_again_when_its_day_may_go(office) -> None:
    office.score()
    office.score()
    assert kinds(office).count("triage-policy") == 1
    office.desk.clock.monotonic += 7 * 3600
    office.score()
    assert kinds(office).count("triage-policy") == 2


def test_decision_ids_sort_by_time(office) -> None:
    ids = []
    for _ in range(5):
        ids.append(office.score().decision.decision_id)
        office.desk.clock.wall += timedelta(milliseconds=2)
    assert ids == sorted(ids)
    assert all(len(one) == 30 for one in ids)


def test_best_effort_decides_without_the_ledger_and_keeps_the_policy_once_it_is_back(open_office, monkeypatch) -> None:
    office = open_office()
    monkeypatch.setattr(type(office.desk.journal), "mode", property(lambda _: Mode.FULL))
    monkeypatch.setattr(office.desk.journal, "_append", lambda *_, **__: None)
    assert office.score().decision.recorded is False
    monkeypatch.undo()
    assert office.score().decision.recorded is True
    assert kinds(office).count("triage-policy") == 1


def _each(office, *asked):
    """Score tickets of different callers; (ticket, milliseconds it may take) each."""
    now_s = office.desk.clock.monotonic_s()
    calls = {n: (ticket, Call(now_s + ms / 1000, now_s)) for n, (ticket, ms) in enumerate(asked)}
    return list(office.app.score_each(calls, office.view))


def test_tickets_that_have_about_as_long_ask_the_model_once(office) -> None:
    answers = _each(office, *((Ticket(id=f"T-{n}", title="x" * (n + 1)), 500 + n) for n in range(32)))
    assert office.small.calls == 1
    assert [one.decision.task_id for _, one in answers] == [f"T-{n}" for n in range(32)]


def test_one_hurried_ticket_takes_no_time_from_the_others_and_is_answered_first(office, monkeypatch) -> None:
    asked: list[tuple[int, float]] = []
    ask = office.app._answerer.ask

    def noting(request, *rest):
        asked.append((len(request.texts), round(request.deadline_s - office.desk.clock.monotonic_s(), 3)))
        return ask(request, *rest)

    monkeypatch.setattr(office.app._answerer, "ask", noting)
    tickets = [(Ticket(id="a", title="a"), 900), (Ticket(id="hurried", title="b"), 1), (Ticket(id="c", title="c"), 800)]
    answers = _each(office, *tickets)
    assert asked == [(1, 0.001), (2, 0.8)]
    assert [one.decision.task_id for _, one in answers] == ["hurried", "c", "a"]
    assert [position for position, _ in answers] == [1, 2, 0]


@pytest.mark.parametrize("where", ["prepare", "draft_decision"])
def test_a_fault_in_one_ticket_fails_that_one_alone(office, monkeypatch, where) -> None:
    right = getattr(triage_app, where)

    def faulty(given, *rest, **more):
        ticket = given if isinstance(given, Ticket) else given.ticket
        if ticket.id == "bad":
            raise ZeroDivisionError
        return right(given, *rest, **more)

    monkeypatch.setattr(triage_app, where, faulty)
    answers = dict(_each(office, *((Ticket(id=name, title=name), 500) for name in ("x", "bad", "y"))))
    assert isinstance(answers[1], ZeroDivisionError)
    assert [answers[0].decision.task_id, answers[2].decision.task_id] == ["x", "y"]
    assert kinds(office).count("decision") == 2


def test_a_text_the_model_cannot_take_fails_alone(office, monkeypatch) -> None:
    ask = office.app._answerer.ask

    def faulty(request, *rest):
        if "bad" in request.texts:
            raise ZeroDivisionError
        return ask(request, *rest)

    monkeypatch.setattr(office.app._answerer, "ask", faulty)
    answers = dict(_each(office, *((Ticket(id=name, title=name), 500) for name in ("x", "bad", "y"))))
    assert isinstance(answers[1], ZeroDivisionError)
    assert [answers[0].decision.task_id, answers[2].decision.task_id] == ["x", "y"]
