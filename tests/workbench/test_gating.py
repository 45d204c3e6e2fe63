"""Domain gates trained on real texts: what gets in, what stays out."""

from __future__ import annotations

import pytest

from holdfast.inference import Domain
from holdfast.runtime.features import Plan, extract, groups
from holdfast.workbench.bundled import load_head
from holdfast.workbench.gating import FittedGate, GateTexts, Strictness, fit_gate

BITS = 18
OUTAGES_AND_REQUESTS = (
    "Production database is down, customers cannot check out",
    "Payment service is unavailable since 9 am",
    "All users are locked out of the VPN",
    "Our main server crashed and orders are lost",
    "Printer out of toner",
    "Please order a new mouse pad",
    "I would like a second monitor",
    "Question about vacation policy",
)
FOREIGN = (
    "Bitte setzen Sie mein Passwort zurück, ich kann mich nicht anmelden",
    "Necesito un nuevo ratón para mi ordenador",
    "Производственная база данных не работает",
    "生产数据库宕机,客户无法结账",
)


@pytest.fixture(scope="module")
def texts() -> dict[str, list[str]]:
    return {name: [ticket.text for ticket in load_head(name).reading.tickets[::8]] for name in ("priority", "route")}


def _gate(texts: dict[str, list[str]], own: str, strictness: Strictness) -> FittedGate:
    (other,) = set(texts) - {own}
    return fit_gate(
        GateTexts(own=texts[own][::2], own_unseen=texts[own][1::4], others=[texts[other][::2]]),
        strictness=strictness,
        hash_bits=BITS,
        seed=0,
    )


@pytest.fixture(scope="module")
def closed(texts: dict[str, list[str]]) -> FittedGate:
    return _gate(texts, "priority", "closed")


def _share(gate: FittedGate, some: list[str] | tuple[str, ...], kind: Domain = Domain.IN) -> float:
    plan = Plan((1,), (), BITS)
    found = [one for group in groups(some) for one in gate.live().judge(extract(group, plan))]
    return found.count(kind) / len(found)


def test_a_closed_gate_lets_its_own_kind_in_and_keeps_the_other_out(
    closed: FittedGate, texts: dict[str, list[str]]
) -> None:
    assert _share(closed, texts["priority"][3::4]) >= 0.96
    assert _share(closed, texts["route"][1::2]) <= 0.02


def test_plain_sentences_do_not_pass_for_vulnerabilities(closed: FittedGate) -> None:
    assert _share(closed, OUTAGES_AND_REQUESTS) <= 1 / 8


def test_an_open_gate_lets_plain_sentences_in_and_vulnerabilities_not(texts: dict[str, list[str]]) -> None:
    gate = _gate(texts, "route", "open")
    assert _share(gate, OUTAGES_AND_REQUESTS) >= 0.6
    assert _share(gate, texts["priority"][1::2]) <= 0.06


def test_other_languages_are_named_as_such(closed: FittedGate) -> None:
    assert _share(closed, FOREIGN, Domain.LANGUAGE) == 1.0


def test_with_nothing_to_compare_with_only_the_language_is_judged(texts: dict[str, list[str]]) -> None:
    own = texts["route"]
    gate = fit_gate(GateTexts(own[::2], own[1::2], []), strictness="closed", hash_bits=BITS, seed=0)
    assert _share(gate, own[1::2]) >= 0.99
    assert _share(gate, FOREIGN, Domain.LANGUAGE) == 1.0


def test_equal_texts_and_seeds_give_equal_gates(closed: FittedGate, texts: dict[str, list[str]]) -> None:
    again = _gate(texts, "priority", "closed")
    assert again.table.to_bytes() == closed.table.to_bytes()
    assert again.minimum == closed.minimum
