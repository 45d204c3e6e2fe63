"""Domain gates say whether a text is of the kind a head was trained on.

Two cheap tests on the words that the linear heads read anyway. `language`: too few of the words were ever seen in
training. Kind: a linear score of one domain against the other kinds of text the builder had; each word may argue only
so far, and a text with little to say stays outside until its words have argued their way in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.inference import Domain
from holdfast.runtime.features import FEATURES_VERSION, Features
from holdfast.runtime.tensors import TensorsUnreadable, read_tensors, write_tensors

__all__ = ["DomainGate", "GateTable"]

_NEVER_SEEN = -128
_KINDS = (Domain.IN, Domain.OUT, Domain.LANGUAGE)


@dataclass(frozen=True, slots=True)
class GateTable:
    """What a gate's file holds."""

    words: NDArray[np.int8]
    """(2**hash_bits,): how far the word argues for the domain, in `scale`; -128 for a word never seen."""
    scale: float
    bias: float
    unseen_ratio: float
    """A text with a larger share of never-seen words is in another language."""

    def to_bytes(self) -> bytes:
        """Encode for a package."""
        numbers = np.array([self.scale, self.bias, self.unseen_ratio])
        arrays: dict[str, NDArray[Any]] = {"words": self.words, "numbers": numbers}
        return write_tensors(arrays, {"features": FEATURES_VERSION})


class DomainGate:
    """One head's gate. Immutable: any number of threads may ask it."""

    def __init__(self, table: GateTable, *, minimum: float) -> None:
        self._table = table
        self._minimum = minimum

    @classmethod
    def load(cls, content: bytes | memoryview, *, hash_bits: int, minimum: float) -> DomainGate:
        """Read a gate's file. Raises TensorsUnreadable when it is not one."""
        tensors = read_tensors(content)
        if tensors.notes.get("features") != FEATURES_VERSION:
            raise TensorsUnreadable(f"gate: expected features {FEATURES_VERSION!r}, found {dict(tensors.notes)}")
        scale, bias, unseen_ratio = tensors.get("numbers", "F64", (3,)).tolist()
        words = tensors.get("words", "I8", (1 << hash_bits,))
        return cls(GateTable(words, scale, bias, unseen_ratio), minimum=minimum)

    def scores(self, features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gate value and share of never-seen words of each text: (texts,), (texts,)."""
        family = features.words[1]
        pulls = self._table.words[family.rows]
        never = pulls == _NEVER_SEEN
        counts = np.maximum(family.bounds[1:] - family.bounds[:-1], 1)
        unseen = _segment_sums(never, family.bounds)
        sums = _segment_sums(pulls, family.bounds) - unseen * _NEVER_SEEN
        return sums * (self._table.scale / np.sqrt(counts)) + self._table.bias, unseen / counts

    def judge(self, features: Features) -> list[Domain]:
        """The domain of each text. A text without words is outside."""
        values, unseen = self.scores(features)
        bounds = features.words[1].bounds
        known = (values >= self._minimum) & (bounds[1:] > bounds[:-1])  # a permissive gate has nothing to go by either
        kinds = np.where(unseen > self._table.unseen_ratio, 2, np.where(known, 0, 1))
        return [_KINDS[kind] for kind in kinds.tolist()]


def _segment_sums(values: NDArray[Any], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(bounds) == 2:  # one text
        return np.asarray(values.sum(dtype=np.int64, keepdims=True), np.int64)
    running = np.zeros(len(values) + 1, np.int64)
    values.cumsum(dtype=np.int64, out=running[1:])
    return running[bounds[1:]] - running[bounds[:-1]]
