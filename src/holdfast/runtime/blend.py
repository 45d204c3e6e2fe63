"""Blending: what n-grams and encoder say together, and when n-grams may speak alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.manifest import Head, HeadTier

__all__ = ["blend", "label_of", "log_softmax", "ngrams_suffice", "softmax"]

Values = NDArray[np.float64]


def log_softmax(logits: Values, temperature: float = 1.0) -> Values:
    """Log-probabilities of `logits` (n, c) divided by `temperature`."""
    scaled = logits / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return scaled


def softmax(logits: Values, temperature: float = 1.0) -> Values:
    """Probabilities of `logits` (n, c) divided by `temperature`; rows sum to 1."""
    scaled = logits / temperature
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float64)


def blend(ngram_logits: Values, encoder_logits: Values, tier: HeadTier) -> Values:
    """Probabilities (n, c) of both together: the temperature-scaled log-probabilities add, and are normalised again.

    The networks were trained as what is to be added to the n-grams (workbench/mlp.py).
    Source: Hinton, Training products of experts by minimizing contrastive divergence (2002), equation 1.
    """
    return softmax(log_softmax(ngram_logits, tier.temperature) + log_softmax(encoder_logits, tier.encoder_temperature))


def ngrams_suffice(head: Head, probabilities: Values, *, cascade: bool) -> NDArray[np.bool_]:
    """Say for which rows (n, c) the n-grams are so sure that the encoder need not be asked about this head."""
    if not cascade or head.cascade_margin is None:
        return np.zeros(len(probabilities), np.bool_)
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0] >= head.cascade_margin, np.bool_)


def label_of(head: Head, probabilities: Sequence[float]) -> str:
    """The label a head stands for: the most probable, the first of equals.

    A priority head was fitted with balanced labels, so a rare label wins when the text argues for it.
    """
    return head.labels[max(range(len(probabilities)), key=probabilities.__getitem__)]
