"""Figures from samples: percentiles, macro-F1, area under the ROC curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

__all__ = ["auc", "macro_f1", "percentile"]


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of `values` do not exceed (nearest rank); NaN when empty."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    rank = max(1, math.ceil(percent / 100 * len(ordered)))
    return ordered[rank - 1]


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the unweighted mean over the classes of `truth` of each one's F1; NaN when empty.

    A prediction outside those classes (`needs-triage`) counts against the class it missed and adds no class of its own.
    """
    classes = sorted(set(truth))
    if not classes:
        return math.nan
    return sum(_f1(truth, predicted, label) for label in classes) / len(classes)


def _f1(truth: Sequence[str], predicted: Sequence[str], label: str) -> float:
    hits = sum(1 for t, p in zip(truth, predicted, strict=True) if t == p == label)
    wanted = sum(1 for t in truth if t == label)
    given = sum(1 for p in predicted if p == label)
    return 2 * hits / (wanted + given)


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the chance that a random positive outranks a random negative, ties counted half; NaN when one is empty.

    Source: Mann and Whitney 1947, by ranks.
    """
    if not positive or not negative:
        return math.nan
    ranked = sorted([(value, True) for value in positive] + [(value, False) for value in negative])
    rank_sum, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        mean_rank = (start + 1 + end) / 2
        rank_sum += mean_rank * sum(1 for _, is_positive in ranked[start:end] if is_positive)
        start = end
    pairs = len(positive) * len(negative)
    return (rank_sum - len(positive) * (len(positive) + 1) / 2) / pairs
