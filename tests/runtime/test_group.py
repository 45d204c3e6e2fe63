"""Groups of equal length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime.group import equal_length_groups


@given(st.lists(st.integers(1, 300), max_size=80), st.integers(1, 2000))
def test_every_text_is_in_one_group_of_its_own_length_within_the_budget(lengths, token_budget) -> None:
    groups = equal_length_groups(lengths, token_budget)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        assert len({lengths[i] for i in group}) == 1
        assert len(group) == 1 or sum(lengths[i] for i in group) <= token_budget


def test_groups_are_as_large_as_the_budget_allows() -> None:
    assert equal_length_groups([4, 5, 4, 4, 5], 8) == ((0, 2), (1,), (3,), (4,))
