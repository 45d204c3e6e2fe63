"""Whether an encoder earns its place, and how sure n-grams must be to speak alone."""

from __future__ import annotations

import numpy as np

from holdfast.workbench.cascade import choose_margin, compare, top_two_margin
from holdfast.workbench.figures import confusion_matrix, macro_f1

RNG = np.random.default_rng(11)
TRUTH = RNG.integers(0, 3, 3_000)


def _said(right: float) -> np.ndarray:
    """Predictions that are right in this share of the tickets."""
    return np.where(RNG.random(len(TRUTH)) < right, TRUTH, (TRUTH + 1) % 3)


def _probabilities(said: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    rows = np.full((len(said), 3), ((1 - confidence) / 2)[:, None].repeat(3, axis=1)[0])
    rows[:] = ((1 - confidence) / 2)[:, None]
    rows[np.arange(len(said)), said] = confidence
    return rows


def test_a_clear_gain_earns_its_place_and_a_small_one_does_not() -> None:
    first = _said(0.80)
    assert compare(first, _said(0.85), TRUTH, classes=3).earned
    slightly = first.copy()
    slightly[np.flatnonzero(first != TRUTH)[:5]] = TRUTH[np.flatnonzero(first != TRUTH)[:5]]
    found = compare(first, slightly, TRUTH, classes=3)
    assert 0 < found.gain < found.error
    assert not found.earned


def test_the_margin_keeps_to_the_budget_at_every_larger_margin_too() -> None:
    full = _probabilities(_said(0.9), np.full(len(TRUTH), 0.9))
    confidence = RNG.uniform(0.34, 1.0, len(TRUTH))
    wrong = RNG.random(len(TRUTH)) > confidence
    ngrams = _probabilities(np.where(wrong, (TRUTH + 1) % 3, TRUTH), confidence)
    margin = choose_margin(ngrams, full, TRUTH, loss_budget=0.002)
    assert margin is not None
    best = macro_f1(confusion_matrix(full.argmax(axis=1), TRUTH, classes=3))
    for wider in (margin, (margin + 1) / 2, 0.99):
        said = np.where(top_two_margin(ngrams) >= wider, ngrams.argmax(axis=1), full.argmax(axis=1))
        assert best - macro_f1(confusion_matrix(said, TRUTH, classes=3)) <= 0.002


def test_ngrams_that_are_surely_wrong_never_speak_alone() -> None:
    full = _probabilities(TRUTH, np.full(len(TRUTH), 0.9))
    ngrams = _probabilities((TRUTH + 1) % 3, np.full(len(TRUTH), 0.999))
    assert choose_margin(ngrams, full, TRUTH, loss_budget=0.002) is None
