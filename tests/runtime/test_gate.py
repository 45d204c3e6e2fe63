"""Domain gates: kind of text and language, judged on hashed words."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.inference import Domain
from holdfast.runtime.features import Plan, extract
from holdfast.runtime.gate import DomainGate, GateTable
from holdfast.runtime.tensors import TensorsUnreadable

BITS = 12
PLAN = Plan((1,), (), BITS)


def _rows(text: str) -> np.ndarray:
    return extract([text], PLAN).words[1].rows


@pytest.fixture
def table() -> GateTable:
    words = np.full(1 << BITS, -128, np.int8)
    words[_rows("the of is please and")] = 0
    words[_rows("attacker vulnerability remote")] = 100
    words[_rows("printer toner")] = -100
    return GateTable(words, scale=0.01, bias=-0.5, unseen_ratio=0.5)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("a remote attacker", Domain.IN),
        ("the printer is of toner", Domain.OUT),
        ("please and the of", Domain.OUT),
        ("Drucker hat keinen Toner mehr", Domain.LANGUAGE),
        ("", Domain.OUT),
        ("!!!", Domain.OUT),
    ],
)
def test_a_text_is_inside_outside_or_in_another_language(table: GateTable, text: str, domain: Domain) -> None:
    gate = DomainGate.load(table.to_bytes(), hash_bits=BITS, minimum=0.0)
    assert gate.judge(extract([text], PLAN)) == [domain]


def test_even_a_gate_that_lets_everything_in_keeps_out_a_text_without_words(table: GateTable) -> None:
    gate = DomainGate(table, minimum=-10.0)
    assert gate.judge(extract(["", "the printer is of toner"], PLAN)) == [Domain.OUT, Domain.IN]


def test_a_text_is_judged_alike_alone_and_in_company(table: GateTable) -> None:
    texts = ["a remote attacker", "", "the printer is of toner", "Drucker hat keinen Toner mehr"]
    gate = DomainGate(table, minimum=0.0)
    assert gate.judge(extract(texts, PLAN)) == [gate.judge(extract([text], PLAN))[0] for text in texts]


def test_a_file_for_another_table_size_is_refused(table: GateTable) -> None:
    with pytest.raises(TensorsUnreadable, match="words"):
        DomainGate.load(table.to_bytes(), hash_bits=BITS + 1, minimum=0.0)
