"""What would flatter a model is found before it is trained, with the rows named."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workbench.columns import parse_columns
from holdfast.workbench.hindsight import column_findings
from holdfast.workbench.leakage import LeakageFinding, find_leakage, without_copies
from holdfast.workbench.shingles import near_twins
from holdfast.workbench.splits import Split, at_random, chronological, normalise
from holdfast.workbench.tickets import LabelledTicket, read, read_tickets

BUNDLED = Path(__file__).parents[2] / "data"
WORDS = ["disk", "mail", "printer", "server", "login", "reset", "vpn", "slow", "crash", "update", "account", "screen"]


def _tickets(*texts: str, labels: str = "") -> list[LabelledTicket]:
    marks = labels or "l" * len(texts)
    return [
        LabelledTicket(str(i), text, {"priority": {"l": "low", "h": "high"}[mark]}, None, "", f"a.csv:{i + 2}")
        for i, (text, mark) in enumerate(zip(texts, marks, strict=True))
    ]


def _halves(tickets: list[LabelledTicket]) -> Split:
    half = len(tickets) // 2
    return Split("random", tuple(range(half)), tuple(range(half, len(tickets))), (), "first half, second half")


def _only(findings: tuple[LeakageFinding, ...], kind: str) -> LeakageFinding:
    return next(finding for finding in findings if finding.kind == kind)


def test_a_text_on_both_sides_is_found_whatever_its_case_and_punctuation() -> None:
    tickets = _tickets("Mail is down.", "Printer jam", "MAIL -- is down", "VPN drops")
    finding = _only(find_leakage(tickets, _halves(tickets)), "exact_copies")
    assert finding.rows == ("a.csv:4 = a.csv:2",)


def test_dropping_copies_takes_them_out_of_training_and_never_out_of_the_hold_out() -> None:
    tickets = _tickets("Mail is down.", "Printer jam", "MAIL -- is down", "VPN drops")
    split = without_copies(tickets, _halves(tickets))
    assert (split.train, split.held, split.left_out) == ((1,), (2, 3), (0,))


def test_a_text_that_differs_by_a_number_is_a_near_copy() -> None:
    long = "the nightly backup of the customer database on host {} failed with a time-out after the third attempt"
    tickets = _tickets(long.format("db1"), "Printer jam", long.format("db1") + " again", "VPN drops")
    finding = _only(find_leakage(tickets, _halves(tickets)), "near_copies")
    assert finding.rows == ("a.csv:4 = a.csv:2",)


def test_equal_texts_with_different_labels_are_named_with_their_labels() -> None:
    tickets = _tickets("Mail is down", "Printer jam", "mail is down!", "VPN drops", labels="lllh"[::-1])
    finding = _only(find_leakage(tickets, _halves(tickets)), "conflicting_labels")
    assert finding.rows == ("a.csv:2 (high) = a.csv:4 (low)",)


def test_a_label_printed_in_its_own_tickets_is_told() -> None:
    rng = random.Random(7)
    texts = [" ".join(rng.choices(WORDS, k=8)) + (" [HIGH]" if i % 2 else "") for i in range(100)]
    tickets = _tickets(*texts, labels="lh" * 50)
    finding = _only(find_leakage(tickets, _halves(tickets)), "label_in_text")
    assert finding.count == 50
    assert finding.severity == "warning"


def test_a_column_known_only_later_is_a_warning_when_read_and_a_notice_when_not(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,resolution,post_votes,priority\nx,fixed it,3,high\n")
    plain = column_findings(read([path]))
    mapped = column_findings(read([path], parse_columns(["title=title", "body=resolution"], ["priority=priority"])))
    assert [finding.severity for finding in plain] == ["notice"]
    assert "resolution, post_votes" in plain[0].sentence
    assert [finding.severity for finding in mapped] == ["warning", "notice"]


def test_clean_tickets_have_no_findings() -> None:
    rng = random.Random(3)
    tickets = _tickets(*(" ".join(rng.choices(WORDS, k=12)) for _ in range(60)))
    assert find_leakage(tickets, _halves(tickets)) == ()


@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=20), min_size=1, max_size=20))
def test_every_text_is_its_own_near_twin(texts: list[list[str]]) -> None:
    normal = [" ".join(words) for words in texts]
    twins = near_twins(normal, normal, threshold=1.0)
    assert [twin.left for twin in twins] == list(range(len(normal)))
    assert all(twin.resemblance == 1.0 for twin in twins)


def test_near_twins_agree_with_comparing_every_pair() -> None:
    rng = random.Random(11)
    left = [" ".join(rng.choices(WORDS, k=30)) for _ in range(60)]
    right = [_changed(text, rng) for text in left]
    found = {twin.left for twin in near_twins(left, right, threshold=0.8)}
    assert found == {i for i in range(60) if max(_resemblance(left[i], other) for other in right) >= 0.8}


def _changed(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    for _ in range(rng.randrange(4)):
        words[rng.randrange(len(words))] = rng.choice(WORDS)
    return " ".join(words)


def _resemblance(left: str, right: str) -> float:
    a, b = ({tuple(text.split(" ")[i : i + 3]) for i in range(28)} for text in (left, right))
    return len(a & b) / len(a | b)


@pytest.mark.parametrize("name", ["vulnrichment_to_2024-06.csv.gz", "nasa_pits_A-E.csv.gz"])
def test_real_near_copies_are_found_and_really_resemble_each_other(name: str) -> None:
    tickets = read_tickets([BUNDLED / name])
    finding = _only(find_leakage(tickets, at_random(tickets, share=0.2, seed=1)), "near_copies")
    by_row = {ticket.where: set(normalise(ticket.text).split()) for ticket in tickets}
    shared = [_overlap(*(by_row[where] for where in row.split(" = "))) for row in finding.rows]
    assert finding.count >= 20
    assert min(shared) > 0.6


def _overlap(left: set[str], right: set[str]) -> float:
    return len(left & right) / len(left | right)


def test_a_ticket_planted_on_both_sides_of_real_data_is_found_among_thousands() -> None:
    tickets = read_tickets([BUNDLED / "vulnrichment_to_2024-06.csv.gz"])
    split = chronological(tickets, share=0.2)
    learnt, judged = tickets[split.train[100]], tickets[split.held[5]]
    planted = list(tickets)
    planted[split.held[5]] = replace(judged, text=learnt.text.upper())
    finding = _only(find_leakage(planted, split), "exact_copies")
    assert finding.rows == (f"{judged.where} = {learnt.where}",)
