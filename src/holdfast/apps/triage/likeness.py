"""Likeness: what a ticket is about as 256 small numbers, so that similar tickets lie near each other.

Words and four-letter pieces are hashed, weighed by how rare they are among the bundled tickets, and added up, each with
a sign, into 256 sums (feature hashing: Weinberger et al. 2009, https://arxiv.org/abs/0902.2206). No model is involved:
every tier and every package version gives a text the same numbers. Why not an encoder's: docs/adr/0014.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from holdfast.runtime.features import Features, Plan, extract, groups

__all__ = ["DIM", "HASH_BITS", "LIKENESS_PLAN", "RARITY_STEPS", "Likenesses", "likenesses", "rows_of"]

DIM = 256
"""Of 128, 256, 384 and 512 the smallest after which little is gained: docs/adr/0014."""
HASH_BITS = 14
RARITY_STEPS = 24.0
"""`likeness.idf` holds ln((1 + tickets) / (1 + tickets with it)) + 1, in steps of 1/24: first words, then pieces."""

LIKENESS_PLAN = Plan(word_orders=(1,), char_orders=(4,), hash_bits=HASH_BITS)
_ROWS = 1 << HASH_BITS
_LARGEST = 127

Likenesses = NDArray[np.int8]


def likenesses(texts: Sequence[str]) -> Likenesses:
    """Return a row for each text, (n, DIM); all zeros where there is nothing to go by."""
    if not texts:
        return np.zeros((0, DIM), np.int8)
    return np.concatenate([_of_group(group) for group in groups(texts)])


def rows_of(features: Features) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the table of rarities that `features` has, and the text each is of."""
    families = (features.words[1], features.chars[4])
    rows = np.concatenate([family.rows + number * _ROWS for number, family in enumerate(families)])
    owners = [np.repeat(np.arange(features.texts), np.diff(family.bounds)) for family in families]
    return rows, np.concatenate(owners)


def _of_group(texts: Sequence[str]) -> Likenesses:
    rows, owners = rows_of(extract(texts, LIKENESS_PLAN))
    sums = np.bincount(owners * DIM + rows % DIM, weights=_signed_rarity()[rows], minlength=len(texts) * DIM)
    sums = sums.reshape(len(texts), DIM)
    largest = np.abs(sums).max(axis=1, keepdims=True)
    return np.asarray(np.rint(sums * (_LARGEST / np.maximum(largest, 1.0))), np.int8)


@functools.cache
def _signed_rarity() -> NDArray[np.float64]:
    steps = np.frombuffer(resources.files("holdfast.apps.triage").joinpath("likeness.idf").read_bytes(), np.uint8)
    signs = 1 - 2 * ((np.arange(len(steps)) // DIM) & 1)  # another bit of the hash than those that choose the sum
    return np.asarray(signs * steps / RARITY_STEPS, np.float64)
