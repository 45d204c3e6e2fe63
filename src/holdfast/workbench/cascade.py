"""Choosing stages and margins: whether the encoder earns its place, and when n-grams may speak alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.workbench.figures import confusion_matrix, macro_f1, macro_f1_error

__all__ = ["Comparison", "choose_margin", "compare", "top_two_margin"]

_MARGINS = np.round(np.arange(0.05, 1.0, 0.01), 2)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Macro-F1 of two models on the same tickets, and how far the first's could be off by chance."""

    rows: int
    first: float
    second: float
    error: float
    """One standard error of the first's macro-F1."""

    @property
    def gain(self) -> float:
        """How much the second is better."""
        return self.second - self.first

    @property
    def earned(self) -> bool:
        """The second is better by more than one standard error.

        Source: Breiman et al., Classification and Regression Trees (1984), 3.4.3: take the simplest model within one
        standard error of the best. The error is the model's own, not that of the difference, which is smaller.
        """
        return self.gain > self.error


def compare(first: Ints, second: Ints, truth: Ints, *, classes: int) -> Comparison:
    """Compare two lists of label positions against the truth."""
    confusion = confusion_matrix(first, truth, classes=classes)
    return Comparison(
        rows=len(truth),
        first=macro_f1(confusion),
        second=macro_f1(confusion_matrix(second, truth, classes=classes)),
        error=macro_f1_error(confusion),
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
