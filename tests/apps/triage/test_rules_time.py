"""A hostile ticket of a mebibyte costs the rules and the keywords no more than 20 ms."""

from __future__ import annotations

import json
import time

import pytest

from holdfast.apps.triage.rubric import Rubric
from holdfast.apps.triage.rules_file import parse_rules
from holdfast.apps.triage.scoring import Policy, prepare, read_lens, score
from holdfast.apps.triage.ticket import Ticket, decode_ticket
from holdfast.inference import HeadOutput, Stage, TextOutput
from tests.apps.triage.examples import NOON, PRIORITY, ROUTE

MEBIBYTE = 1_048_576
BOUND_S = 0.020
WORDS = ("outage", "data loss", "server down", "fire in building", "a b c", "vpn", "no access to", "payroll run failed")

RULES = "\n".join(
    f"""[[rule]]
name = "r{number}"
when.any = [
    {{ field = "text", contains_word = ["{WORDS[number % len(WORDS)]} x{number}", "word{number}"] }},
    {{ field = "title", prefix = "zzz{number}" }},
    {{ field = "description", glob = "*a?b{number}*c" }},
    {{ field = "metadata.open.k{number}", contains_word = "boom" }},
    {{ field = "labels", in = ["l{number}", "m{number}"] }},
]
floor = 50"""
    for number in range(100)
)
TEXTS = {
    "nothing but one letter": "a " * (MEBIBYTE // 2),
    "nearly every phrase, never one": " ".join(WORDS) * (MEBIBYTE // 80),
    "nothing but keywords": "database is down urgent outage " * (MEBIBYTE // 31),
    "nothing but negations": "not no never without " * (MEBIBYTE // 21),
    "a character that unfolds into eighteen": "\ufdfa" * (MEBIBYTE // 3),
    "combining marks in the wrong order": "a" + "\u0315\u0300\u0316" * (MEBIBYTE // 6),
    "a glob nearly matched for ever": "a" * MEBIBYTE,
}


def cpu_s(ticket: Ticket, policy: Policy) -> float:
    said = TextOutput(heads={"severity": HeadOutput(probabilities=(0.5, 0.3, 0.2), stage=Stage.NGRAM)})
    lens = read_lens((PRIORITY, ROUTE))

    def once() -> float:
        begin = time.process_time()
        score(prepare(ticket, policy.rubric, now=NOON), said, lens=lens, policy=policy)
        return time.process_time() - begin

    return min(once() for _ in range(3))


@pytest.fixture(scope="module")
def heavy(matcher) -> Policy:
    return Policy(Rubric(), matcher, parse_rules(RULES))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_hostile_text(heavy, text: str) -> None:
    assert cpu_s(Ticket(id="1", title=text[:2000], description=text[2000:]), heavy) <= BOUND_S


def test_a_hostile_list_of_labels(heavy) -> None:
    labels = ["l" * 4 for _ in range(9_000)]
    assert cpu_s(Ticket(id="1", title="x", metadata={"labels": labels}), heavy) <= BOUND_S


def test_hostile_metadata_in_every_field_a_rule_asks_for(heavy) -> None:
    metadata = {"open": {f"k{number}": "\u0315\u0300b " * 2_600 for number in range(100)}}
    ticket = decode_ticket(json.dumps({"id": "1", "title": "x", "metadata": metadata}).encode())
    assert cpu_s(ticket, heavy) <= BOUND_S
