"""Near-duplicate texts between two collections, by MinHash over hashed word triples; pure.

Source: Broder, On the resemblance and containment of documents (1997); Leskovec, Rajaraman, Ullman, Mining of Massive
Datasets, 3.3-3.4 (banding).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Twin", "near_twins"]

_WORDS_PER_SHINGLE = 3
_BANDS, _ROWS = 16, 4  # a pair of resemblance .8 shares a band with probability .9998, one of .3 with .12
_SEED = 20240630  # any fixed number: the same texts must always give the same findings
_MAX_CANDIDATES = 32  # looked at per text and band; more share a band only when they are copies of one template

_Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Twin:
    """Text `left` of the first collection resembles text `right` of the second."""

    left: int
    right: int
    resemblance: float
    """Jaccard similarity of their sets of word triples, in [0, 1]."""


def near_twins(left: Sequence[str], right: Sequence[str], *, threshold: float) -> list[Twin]:
    """For each normalised text of `left` its closest one of `right`, if they resemble by at least `threshold`."""
    if not left or not right:
        return []
    words: dict[str, int] = {}
    left_sets = [_shingles(text, words) for text in left]
    right_sets = [_shingles(text, words) for text in right]
    left_bands, right_bands = _band_keys(left_sets), _band_keys(right_sets)
    best: dict[int, Twin] = {}
    for band in range(_BANDS):
        for i, j in _sharing(left_bands[band], right_bands[band]):
            found = best.get(i)
            if found is None or found.right != j:
                resemblance = _jaccard(left_sets[i], right_sets[j])
                if resemblance >= threshold and (found is None or resemblance > found.resemblance):
                    best[i] = Twin(i, j, resemblance)
    return [best[i] for i in sorted(best)]


def _shingles(text: str, words: dict[str, int]) -> _Hashes:
    """The sorted distinct hashes of every three words in a row; a shorter text is one shingle. `words` caches."""
    tokens = text.split(" ")
    hashed = np.empty(max(len(tokens), _WORDS_PER_SHINGLE), dtype=np.uint64)
    hashed[len(tokens) :] = 0
    for i, token in enumerate(tokens):
        value = words.get(token)
        if value is None:
            value = words[token] = zlib.crc32(token.encode("utf-8", "surrogatepass"))
        hashed[i] = value
    odd = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))
    mixed = hashed[:-2] * odd[0] + hashed[1:-1] * odd[1] + hashed[2:] * odd[2]
    return np.unique(mixed ^ (mixed >> np.uint64(29)))


def _band_keys(sets: Sequence[_Hashes]) -> _Hashes:
    """(bands, n): one key per band and text; texts that share a key are candidates."""
    flat = np.concatenate(sets)
    starts = np.cumsum([0, *(len(one) for one in sets[:-1])])
    rng = np.random.default_rng(_SEED)
    keys = np.zeros((_BANDS, len(sets)), dtype=np.uint64)
    for band in range(_BANDS):
        for _ in range(_ROWS):
            multiplier, offset = (np.uint64(n) for n in rng.integers(1, 1 << 63, 2))
            least = np.minimum.reduceat((flat * (multiplier | np.uint64(1)) + offset) >> np.uint64(16), starts)
            keys[band] = keys[band] * np.uint64(0x9E3779B97F4A7C15) + least
    return keys


def _sharing(left: _Hashes, right: _Hashes) -> list[tuple[int, int]]:
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    first = np.searchsorted(ordered, left, side="left")
    last = np.minimum(np.searchsorted(ordered, left, side="right"), first + _MAX_CANDIDATES)
    return [(int(i), int(j)) for i in np.nonzero(last > first)[0] for j in order[first[i] : last[i]]]


def _jaccard(left: _Hashes, right: _Hashes) -> float:
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared / (len(left) + len(right) - shared)
