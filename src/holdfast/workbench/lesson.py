"""Lessons: the training tickets of one head as arrays, cut into folds so that every ticket can be a stranger once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.workbench.plan import HeadPlan

__all__ = ["Lesson"]

_FOLDS = 4

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lesson:
    """Texts, label positions and folds. A model of fold k has learnt from every other fold."""

    head: HeadPlan
    texts: Sequence[str]
    labels: Ints
    fold: Ints
    """(n,), 0 to folds - 1: blocks of time where the hold-out goes by time, else drawn by the seed."""
    check: Ints
    """Positions that temperatures, margins and stages are chosen on, with models that have not learnt from them: the
    latest block where time counts, because the future differs from the past, else every ticket."""

    @classmethod
    def of(cls, head: HeadPlan, *, seed: int) -> Lesson:
        """Cut the training tickets of `head`."""
        rows = len(head.train)
        places = {label: place for place, label in enumerate(head.labels)}
        labels = np.array([places[ticket.labels[head.name]] for ticket in head.train], np.int64)
        order = _by_time(head) if head.split.kind == "chronological" else np.random.default_rng(seed).permutation(rows)
        fold = np.empty(rows, np.int64)
        fold[order] = np.arange(rows) * _FOLDS // max(rows, 1)
        check = np.flatnonzero(fold == _FOLDS - 1) if head.split.kind == "chronological" else np.arange(rows)
        return cls(head, [ticket.text for ticket in head.train], labels, fold, check)

    @property
    def classes(self) -> int:
        """Number of labels."""
        return len(self.head.labels)

    @property
    def folds(self) -> int:
        """Number of folds."""
        return _FOLDS

    def some(self, rows: Ints) -> list[str]:
        """The texts at `rows`."""
        return [self.texts[row] for row in rows]

    def sample(self, most: int, *, seed: int) -> Ints:
        """At most `most` positions in rising order, drawn by the seed.

        Where time counts: a quarter of them from the checking block, the rest from just before it.
        """
        rows = len(self.labels)
        rng = np.random.default_rng(seed)
        if rows <= most:
            return np.arange(rows)
        if self.head.split.kind != "chronological":
            return np.sort(rng.choice(rows, most, replace=False))
        checked = rng.choice(self.check, min(len(self.check), most // _FOLDS), replace=False)
        order = _by_time(self.head)
        before = order[: len(order) - len(self.check)]
        return np.sort(np.concatenate([checked, before[len(before) - (most - len(checked)) :]]))


def _by_time(head: HeadPlan) -> Ints:
    """Positions from the oldest ticket to the latest, those without a time first."""
    return np.array(
        sorted(
            range(len(head.train)), key=lambda row: (at.timestamp() if (at := head.train[row].at) else -np.inf, row)
        ),
        np.int64,
    )
