"""Blending n-grams and encoder, and the cascade."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from holdfast.manifest import Head, HeadTier, NgramSpec
from holdfast.runtime.blend import blend, label_of, log_softmax, ngrams_suffice, softmax

TIER = HeadTier(stage="encoder", temperature=0.5, encoder_temperature=2.0)
LOGITS = arrays(np.float64, (3, 4), elements=st.floats(-50, 50))


def _head(margin: float | None) -> Head:
    return Head(
        name="route",
        task="route",
        labels=("a", "b", "c", "d"),
        prior=(0.25,) * 4,
        ngram=NgramSpec(word_orders=(1,), char_orders=(), hash_bits=8),
        ngram_file="x",
        tiers={},
        cascade_margin=margin,
    )


@settings(deadline=None)
@given(LOGITS, LOGITS)
def test_blended_probabilities_are_probabilities(ngrams: np.ndarray, encoder: np.ndarray) -> None:
    mixed = blend(ngrams, encoder, TIER)
    assert (mixed >= 0).all()
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0)


@settings(deadline=None)
@given(LOGITS, LOGITS)
def test_blending_multiplies_the_opinions(ngrams: np.ndarray, encoder: np.ndarray) -> None:
    product = softmax(ngrams, 0.5) * softmax(encoder, 2.0)
    wanted = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(blend(ngrams, encoder, TIER), wanted, atol=1e-9)


@settings(deadline=None)
@given(LOGITS)
def test_an_encoder_without_opinion_leaves_the_ngrams_as_they_are(ngrams: np.ndarray) -> None:
    np.testing.assert_allclose(blend(ngrams, np.zeros((3, 4)), TIER), softmax(ngrams, 0.5), atol=1e-12)


@settings(deadline=None)
@given(LOGITS, st.floats(0.05, 20))
def test_a_temperature_never_changes_the_winner(logits: np.ndarray, temperature: float) -> None:
    cooled = softmax(logits, temperature)
    best = logits[np.arange(3), cooled.argmax(axis=1)]
    np.testing.assert_allclose(best, logits.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(np.exp(log_softmax(logits, temperature)), cooled, atol=1e-12)


@pytest.mark.parametrize(("margin", "cascade", "wanted"), [(0.3, True, [True, False]), (0.3, False, [False, False])])
def test_the_cascade_answers_only_where_the_margin_is_large(margin: float, cascade: bool, wanted: list[bool]) -> None:
    probabilities = np.array([[0.6, 0.2, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1]])
    assert ngrams_suffice(_head(margin), probabilities, cascade=cascade).tolist() == wanted


def test_a_head_without_a_margin_is_never_answered_by_ngrams_alone() -> None:
    assert not ngrams_suffice(_head(None), np.array([[1.0, 0.0, 0.0, 0.0]]), cascade=True).any()


def test_the_label_is_the_most_probable_and_the_first_of_equals() -> None:
    assert label_of(_head(None), (0.1, 0.4, 0.4, 0.1)) == "b"
