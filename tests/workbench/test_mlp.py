"""Networks that learn what n-grams leave open."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.runtime.blend import log_softmax
from holdfast.runtime.encoder_head import EncoderHead
from holdfast.workbench.mlp import Examples, MlpRecipe, fit_networks

RECIPE = MlpRecipe(networks=2, units=16, epochs=6, batch_rows=64)
ROWS, DIM = 1_500, 24


@pytest.fixture
def examples() -> Examples:
    """Labels 0/1 by the features alone; 2 only n-grams can tell."""
    rng = np.random.default_rng(4)
    features = rng.standard_normal((ROWS, DIM)).astype(np.float16)
    features[:, 3] = 0.5  # a feature that never moves must not divide by its spread
    by_ngrams = rng.random(ROWS) < 0.3
    labels = np.where(by_ngrams, 2, (features[:, 0] + features[:, 1] > 0).astype(np.int64))
    known = np.where(by_ngrams[:, None], [[-4.0, -4.0, -0.05]], [[-0.7, -0.7, -4.0]])
    return Examples(features, labels, log_softmax(known), np.ones(ROWS))


def _right(examples: Examples, logits: np.ndarray) -> float:
    return float((logits.argmax(axis=1) == examples.labels).mean())


def test_networks_add_what_ngrams_do_not_know(examples: Examples) -> None:
    logits = EncoderHead(fit_networks(examples, seed=0, recipe=RECIPE)).logits(examples.features.astype(np.float32))
    alone, together = _right(examples, examples.known), _right(examples, examples.known + logits)
    assert alone < 0.7
    assert together > alone + 0.15


def test_equal_seeds_give_equal_bytes_and_others_do_not(examples: Examples) -> None:
    one, two, three = (fit_networks(examples, seed=seed, recipe=RECIPE).to_bytes() for seed in (1, 1, 2))
    assert one == two
    assert one != three


def test_progress_ends_at_all_of_it(examples: Examples) -> None:
    told: list[float] = []
    fit_networks(examples, seed=0, recipe=RECIPE, told=told.append)
    assert len(told) == RECIPE.networks * RECIPE.epochs
    assert max(told) == 1.0


def test_what_is_served_is_what_was_trained(examples: Examples) -> None:
    weights = fit_networks(examples, seed=0, recipe=RECIPE)
    loaded = EncoderHead.load(weights.to_bytes(), features_dim=DIM, classes=3)
    features = examples.features[:50].astype(np.float32)
    np.testing.assert_array_equal(loaded.logits(features), EncoderHead(weights).logits(features))
