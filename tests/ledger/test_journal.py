"""The journal: appended, replayed, found, listed."""

from __future__ import annotations

import threading
from datetime import timedelta

import msgspec
import pytest

from holdfast.database import Transaction
from holdfast.ledger.journal import KeyReused
from holdfast.ledger.query import Query
from holdfast.tier import Tier

from .desk import Desk, OpenDesk, draft


def test_what_was_appended_is_found_by_its_reference(desk: Desk) -> None:
    recorded = desk.journal.append(draft(7))
    entry = desk.journal.find("dec_7")
    assert recorded.sequence == 1
    assert entry is not None
    assert entry.payload == b"7: the printer is out of toner"


def test_an_unknown_reference_finds_nothing(desk: Desk) -> None:
    desk.journal.append(draft(1))
    assert desk.journal.find("dec_2") is None


def test_entries_survive_a_restart_and_the_sequence_goes_on(open_desk: OpenDesk) -> None:
    first = open_desk()
    first.journal.append_many([draft(n) for n in range(10)])
    first.close()
    second = open_desk()
    assert second.journal.append(draft(10)).sequence == 11
    assert second.journal.find("dec_3") is not None


def test_a_header_says_nothing_about_a_person(desk: Desk) -> None:
    desk.journal.append(draft(1, subject="alice@example.org", text="alice cannot print"))
    entry = desk.journal.entry(1)
    assert entry is not None
    assert "alice" not in repr(entry.header)
    assert entry.header.subject_hmac is not None


def test_the_same_idempotency_key_gives_the_first_decision_back(desk: Desk) -> None:
    desk.journal.append(draft(1), idempotency_key="key", body_sha256=b"body")
    again = desk.journal.append(draft(2), idempotency_key="key", body_sha256=b"body")
    assert (again.replayed, again.sequence) == (True, 1)
    assert again.payload == b"1: the printer is out of toner"
    assert desk.journal.entry(2) is None


def test_the_same_idempotency_key_with_another_body_is_refused(desk: Desk) -> None:
    desk.journal.append(draft(1), idempotency_key="key", body_sha256=b"body")
    with pytest.raises(KeyReused, match="another body"):
        desk.journal.append(draft(1), idempotency_key="key", body_sha256=b"other")


def test_of_fifty_simultaneous_uses_of_one_key_one_is_recorded(desk: Desk) -> None:
    answers = []

    def use(number: int) -> None:
        answers.append(desk.journal.append(draft(number), idempotency_key="key", body_sha256=b"b"))

    _at_once([lambda n=n: use(n) for n in range(50)])
    assert {answer.sequence for answer in answers} == {1}
    assert sum(not answer.replayed for answer in answers) == 1


def test_fifty_simultaneous_appends_are_all_kept_in_one_chain(desk: Desk) -> None:
    sequences: list[int | None] = []
    _at_once([lambda n=n: sequences.append(desk.journal.append(draft(n)).sequence) for n in range(50)])
    assert sorted(s or 0 for s in sequences) == list(range(1, 51))


def test_what_fails_beside_an_append_undoes_the_append(desk: Desk) -> None:
    def fail(_: Transaction) -> None:
        raise LookupError("no such job")

    with pytest.raises(LookupError):
        desk.journal.append(draft(1), extra=fail)
    assert desk.journal.append(draft(2)).sequence == 1


def test_a_batch_is_recorded_in_order(desk: Desk) -> None:
    recorded = desk.journal.append_many([draft(n) for n in range(300)])
    assert [one.sequence for one in recorded] == list(range(1, 301))


def test_pages_follow_each_other_without_a_gap(desk: Desk) -> None:
    desk.journal.append_many([draft(n) for n in range(100)])
    seen: list[int] = []
    before: int | None = None
    while True:
        page = desk.journal.list(Query(limit=30, before=before))
        seen += [entry.header.sequence for entry in page.entries]
        before = page.next_before
        if before is None:
            break
    assert seen == list(range(100, 0, -1))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (Query(band="P1"), 25),
        (Query(band="P1", tier=Tier.RULES), 0),
        (Query(tier=Tier.SMALL), 100),
        (Query(kinds=("override",)), 0),
        (Query(kinds=("override", "decision")), 100),
        (Query(subject="task-5"), 1),
        (Query(subject="task-5", before=6), 0),
        (Query(subject="task-5", band="P0"), 0),
    ],
    ids=str,
)
def test_a_query_finds_what_matches_and_nothing_else(desk: Desk, query: Query, count: int) -> None:
    desk.journal.append_many([draft(n) for n in range(100)])
    assert len(desk.journal.list(query).entries) == count


def test_entries_are_found_by_the_time_the_node_believed(desk: Desk) -> None:
    desk.journal.append(draft(1))
    desk.clock.wall += timedelta(hours=1)
    desk.journal.append(draft(2))
    since = desk.journal.list(Query(since_at=desk.clock.wall))
    until = desk.journal.list(Query(until_at=desk.clock.wall))
    assert [entry.header.sequence for entry in since.entries] == [2]
    assert [entry.header.sequence for entry in until.entries] == [1]


def _at_once(calls: list) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_entries_are_found_by_the_team_they_belong_to_and_others_have_no_such_member(desk: Desk) -> None:
    for number, team in enumerate(("office", "", "cloud", "office")):
        desk.journal.append(msgspec.structs.replace(draft(number), team=team))
    found = {team: desk.journal.list(Query(team=team)).entries for team in ("office", "cloud", "")}
    assert {team: [one.header.sequence for one in page] for team, page in found.items()} == {
        "office": [4, 1],
        "cloud": [3],
        "": [2],
    }
    assert b'"team"' not in msgspec.json.encode(found[""][0].header)
