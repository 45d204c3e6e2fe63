"""What a ticket is about, as numbers."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.likeness import DIM, likenesses
from holdfast.workbench.bundled import load_head


def alike(one: str, other: str) -> float:
    a, b = likenesses([one, other]).astype(np.float64)
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / lengths) if lengths else 0.0


def test_the_same_words_in_another_order_case_or_company_stay_alike() -> None:
    assert alike("VPN drops after login", "after LOGIN the vpn drops!") > 0.85
    assert alike("VPN drops after login", "vpn connections drop after each login from home") > 0.5
    assert alike("VPN drops after login", "printer is out of toner") < 0.3


@given(st.lists(st.text(max_size=200), max_size=5))
def test_a_text_has_the_same_numbers_alone_and_in_company(texts) -> None:
    together = likenesses(texts)
    assert together.shape == (len(texts), DIM)
    assert all(np.array_equal(likenesses([text])[0], row) for text, row in zip(texts, together, strict=True))


def test_text_without_words_has_no_likeness() -> None:
    assert not likenesses(["", "...", "?!"]).any()


def test_they_are_the_same_numbers_on_every_machine() -> None:
    found = likenesses(["Database is down", "Drucker geht nicht", "x" * 100_000]).tobytes()
    assert hashlib.sha256(found).hexdigest() == "94d3e1e666762650af86a173697f2ee52d2683fe269ac4ac0d6ca809b1a80da9"


def test_the_tickets_most_like_one_mostly_belong_to_its_group() -> None:
    tickets = load_head("route").reading.tickets[:6000]
    rows = likenesses([ticket.text for ticket in tickets]).astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1.0)
    groups = np.array([ticket.labels["route"] for ticket in tickets])
    nearest = np.argpartition(-(rows[:1000] @ rows[1000:].T), 3, axis=1)[:, :3]
    share = float((groups[1000:][nearest] == groups[:1000, None]).mean())
    assert share >= 0.58  # by chance 0.19; docs/adr/0014 has the measurements
