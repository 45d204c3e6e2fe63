"""Hold-outs keep time, groups and equal texts apart, and say what they did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workbench.splits import SPLITS, ImpossibleSplit, at_random, by_group, chronological
from holdfast.workbench.tickets import LabelledTicket

START = datetime(2024, 1, 1, tzinfo=UTC)


def _ticket(i: int, *, text: str = "", day: int | None = None, group: str = "", label: str = "low") -> LabelledTicket:
    at = None if day is None else START + timedelta(days=day)
    return LabelledTicket(str(i), text or f"ticket {i}", {"priority": label}, at, group, f"a.csv:{i + 2}")


@given(st.lists(st.integers(0, 30), min_size=60, max_size=200), st.floats(0.2, 0.5))
def test_a_chronological_hold_out_is_wholly_later_than_what_is_learnt(days: list[int], share: float) -> None:
    tickets = [_ticket(i, day=day) for i, day in enumerate(days)]
    try:
        split = chronological(tickets, share=share)
    except ImpossibleSplit:
        return
    assert max(days[i] for i in split.train) < min(days[i] for i in split.held)
    assert sorted((*split.train, *split.held)) == list(range(len(days)))


@given(st.lists(st.integers(0, 40), min_size=80, max_size=160), st.integers(0, 9))
def test_a_random_hold_out_never_parts_equal_texts(texts: list[int], seed: int) -> None:
    tickets = [_ticket(i, text=f"Text-{n}" if i % 2 else f"text {n}!") for i, n in enumerate(texts)]
    try:
        split = at_random(tickets, share=0.3, seed=seed)
    except ImpossibleSplit:
        return
    assert not {texts[i] for i in split.train} & {texts[i] for i in split.held}
    assert sorted((*split.train, *split.held)) == list(range(len(texts)))


def test_a_group_hold_out_keeps_whole_groups_together_and_names_them() -> None:
    tickets = [_ticket(i, group="abcdef"[i % 6]) for i in range(120)]
    split = by_group(tickets, share=0.33, seed=4)
    held = {tickets[i].group for i in split.held}
    assert not held & {tickets[i].group for i in split.train}
    assert len(split.held) == 40
    assert all(group in split.sentence for group in held)


def test_each_label_is_held_out_in_its_share() -> None:
    tickets = [_ticket(i, label="high" if i % 10 == 0 else "low") for i in range(500)]
    split = at_random(tickets, share=0.2, seed=1)
    assert sum(tickets[i].labels["priority"] == "high" for i in split.held) == 10
    assert len(split.held) == 100


def test_the_seed_decides_and_new_rows_do_not_reshuffle_the_old() -> None:
    tickets = [_ticket(i) for i in range(500)]
    one, two = (at_random(tickets, share=0.2, seed=seed) for seed in (1, 2))
    assert set(one.held) != set(two.held)
    assert one == at_random(tickets, share=0.2, seed=1)
    more = at_random([*tickets, *(_ticket(i) for i in range(500, 520))], share=0.2, seed=1)
    assert len(set(one.held) & set(more.held)) > 90


def test_tickets_without_a_time_are_on_neither_side_of_a_chronological_hold_out() -> None:
    tickets = [_ticket(i, day=i if i % 10 else None) for i in range(100)]
    split = chronological(tickets, share=0.2)
    assert split.left_out == tuple(range(0, 100, 10))


@pytest.mark.parametrize("kind", sorted(SPLITS))
def test_an_impossible_hold_out_is_refused_with_the_next_step(kind: str) -> None:
    with pytest.raises(ImpossibleSplit, match=r"--column|--split"):
        SPLITS[kind]([_ticket(i) for i in range(12)], share=0.2, seed=0)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ImpossibleSplit, match="between 0 and 1"):
        at_random([_ticket(i) for i in range(100)], share=share)
