"""Groups: which texts go into one call of the graph. Texts of equal length only, so that nothing is ever padded."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["equal_length_groups"]


def equal_length_groups(lengths: Sequence[int], token_budget: int) -> tuple[tuple[int, ...], ...]:
    """Indices of `lengths` in groups of one length, each of at most `token_budget` tokens or one text.

    Every index is in exactly one group; groups come in the order of their first text.
    """
    groups: list[list[int]] = []
    filling: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        group = filling.get(length)
        if group is None or (len(group) + 1) * length > token_budget:
            group = filling[length] = []
            groups.append(group)
        group.append(index)
    return tuple(tuple(group) for group in groups)
