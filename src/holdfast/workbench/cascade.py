"""Choosing stages and margins: whether the encoder earns its place, and when n-grams may speak alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.workbench.figures import confusion_matrix, macro_f1

__all__ = ["Comparison", "choose_margin", "compare", "top_two_margin"]

_RESAMPLES = 300
_MARGINS = np.round(np.arange(0.05, 1.0, 0.01), 2)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Macro-F1 of two models on the same tickets, and how sure the difference is."""

    rows: int
    first: float
    second: float
    error: float
    """One standard error of the difference, by resampling the tickets: what both get right or wrong cancels out."""

    @property
    def gain(self) -> float:
        """How much the second is better."""
        return self.second - self.first

    @property
    def earned(self) -> bool:
        """The second is better by more than one standard error."""
        return self.gain > self.error


def compare(first: Ints, second: Ints, truth: Ints, *, classes: int, seed: int = 0) -> Comparison:
    """Compare two lists of label positions against the truth."""
    rng = np.random.default_rng(seed)
    differences = []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(0, len(truth), len(truth))
        one = confusion_matrix(first[drawn], truth[drawn], classes=classes)
        two = confusion_matrix(second[drawn], truth[drawn], classes=classes)
        differences.append(macro_f1(two) - macro_f1(one))
    return Comparison(
        rows=len(truth),
        first=macro_f1(confusion_matrix(first, truth, classes=classes)),
        second=macro_f1(confusion_matrix(second, truth, classes=classes)),
        error=float(np.std(differences, ddof=1)),
    )


def top_two_margin(probabilities: Floats) -> Floats:
    """Distance of the two largest probabilities of each row."""
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0], np.float64)


def choose_margin(ngrams: Floats, full: Floats, truth: Ints, *, loss_budget: float) -> float | None:
    """The smallest margin from which on, at every larger one too, n-grams alone cost at most `loss_budget` macro-F1.

    ngrams, full: probabilities (n, c) on tickets neither has learnt from. None if no margin keeps to the budget.
    """
    classes = full.shape[1]
    best = macro_f1(confusion_matrix(full.argmax(axis=1), truth, classes=classes))
    margins = top_two_margin(ngrams)
    chosen: float | None = None
    for margin in _MARGINS[::-1]:
        said = np.where(margins >= margin, ngrams.argmax(axis=1), full.argmax(axis=1))
        if best - macro_f1(confusion_matrix(said, truth, classes=classes)) > loss_budget:
            break
        chosen = float(margin)
    return chosen
