"""What RULES says with nothing but its table."""

from __future__ import annotations

import itertools
import math
import time

from hypothesis import given
from hypothesis import strategies as st

from holdfast.inference import InferenceRequest, Stage
from holdfast.runtime.rules_engine import BUILTIN_HEADS, RulesEngine, RulesHead
from holdfast.runtime.rules_table import BUILTIN_TABLE, table_digest

PRIORITY = BUILTIN_HEADS[0]
ROUTE = RulesHead(name="route", labels=("Hardware", "Access", "Other"), prior=(0.5, 0.3, 0.2))
OUTAGES = (
    "Production database is down, customers cannot check out",
    "Ransomware note on the file server, files are encrypted",
    "VPN unreachable for all users since 8:00",
    "Payment service is failing for everyone",
)
TRIVIA = (
    "Printer out of toner",
    "Please update my job title in the address book",
    "Typo on the intranet start page",
    "Would like a new mouse when convenient",
)


def urgency(text: str) -> float:
    head = ask(text).heads["priority"]
    return sum(p * u for p, u in zip(head.probabilities, PRIORITY.urgency, strict=True))


def ask(text: str, *heads: RulesHead):
    request = InferenceRequest(texts=(text,), deadline_s=0.0)
    return RulesEngine(BUILTIN_TABLE, heads or BUILTIN_HEADS).answer(request)[0]


def test_outages_are_more_urgent_than_trivial_requests() -> None:
    assert min(map(urgency, OUTAGES)) > max(map(urgency, TRIVIA))


def test_a_denied_outage_is_not_an_outage() -> None:
    assert urgency("There was no outage and not a breach") == urgency("hello")


def test_a_text_without_a_known_word_gets_the_prior() -> None:
    assert ask("xyzzy").heads["priority"].probabilities == PRIORITY.prior


def test_a_route_is_found_by_the_words_of_its_label_and_of_the_table() -> None:
    head = ask("my laptop docking station", ROUTE).heads["route"]
    assert max(range(3), key=head.probabilities.__getitem__) == 0
    assert head.evidence == (("docking", 1.0), ("laptop", 1.0))


@given(st.text(max_size=2000))
def test_any_text_gets_probabilities(text) -> None:
    output = ask(text, PRIORITY, ROUTE)
    for head in output.heads.values():
        assert math.isclose(sum(head.probabilities), 1.0, abs_tol=1e-9)
        assert min(head.probabilities) >= 0
        assert head.stage is Stage.RULES


@given(st.lists(st.sampled_from(sorted(k for k, v in BUILTIN_TABLE.severity.items() if v > 0)), max_size=12))
def test_more_alarming_words_never_make_a_ticket_calmer(phrases) -> None:
    values = [urgency(" ; ok ; fine ; ".join(phrases[:count])) for count in range(1, len(phrases) + 1)]
    assert all(later >= earlier - 1e-12 for earlier, later in itertools.pairwise(values))


def test_a_mebibyte_of_alarm_takes_milliseconds_and_says_it_was_cut() -> None:
    text = "production is down " * 60_000
    started_s = time.process_time()
    assert ask(text).approximate
    assert time.process_time() - started_s < 0.2


def test_the_table_is_told_apart_by_its_digest() -> None:
    assert table_digest(BUILTIN_TABLE).startswith("sha256:")
