"""Linear heads: int8 weights per hashed n-gram, summed several classes at a time.

A row of weights holds one signed byte per class and is padded to 4 or to a multiple of 8, so that a row, or a part of
it, is one integer. Adding such integers adds every class at once, if each byte has 16 bits of room: a row is split into
its even and its odd bytes, offset to be positive, and at most 257 rows are added before the parts are spread out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.manifest import NgramSpec
from holdfast.runtime.features import FEATURES_VERSION, Family, Features
from holdfast.runtime.tensors import TensorsUnreadable, read_tensors, write_tensors

__all__ = ["LinearHead", "LinearWeights", "row_width"]

_OFFSET = 128  # turns int8 into uint8
_ROWS_PER_LANE = 257  # 257 * 255 is the largest sum that 16 bits hold
_NARROW = 4
_OWNER_STEP = 1024  # more than two pulls can differ by: sorting one number sorts by owner, then by pull

Logits = NDArray[np.float64]


def row_width(classes: int) -> int:
    """Bytes of one row of weights: 4, or the next multiple of 8."""
    return _NARROW if classes <= _NARROW else -(-classes // 8) * 8


@dataclass(frozen=True, slots=True)
class LinearWeights:
    """What a head's file holds. `None` for a family the head does not read."""

    words: NDArray[np.int8] | None
    """(2**hash_bits, row_width)"""
    chars: NDArray[np.int8] | None
    scales: NDArray[np.float64]
    """(2, classes): multiply the sums of the words, of the characters."""
    bias: NDArray[np.float64]
    """(classes,)"""

    def to_bytes(self) -> bytes:
        """Encode for a package."""
        arrays: dict[str, NDArray[Any]] = {"scales": self.scales, "bias": self.bias}
        if self.words is not None:
            arrays["words"] = self.words
        if self.chars is not None:
            arrays["chars"] = self.chars
        return write_tensors(arrays, {"features": FEATURES_VERSION})


class LinearHead:
    """One head's n-gram model. Immutable: any number of threads may ask it."""

    def __init__(self, spec: NgramSpec, weights: LinearWeights) -> None:
        self._families = tuple(
            (_Table(table), orders, kind, weights.scales[index])
            for index, (kind, table, orders) in enumerate(
                (("words", weights.words, spec.word_orders), ("chars", weights.chars, spec.char_orders))
            )
            if table is not None and orders
        )
        self._bias = weights.bias
        self._words = weights.words if 1 in spec.word_orders else None
        self._word_orders = spec.word_orders
        self._word_scales = weights.scales[0]

    @classmethod
    def load(cls, content: bytes | memoryview, *, spec: NgramSpec, classes: int) -> LinearHead:
        """Read a head's file. Raises TensorsUnreadable when it is not the file that `spec` describes."""
        tensors = read_tensors(content)
        version = tensors.notes.get("features")
        if version != FEATURES_VERSION:
            raise TensorsUnreadable(f"n-gram weights: expected features {FEATURES_VERSION!r}, found {version!r}")
        table = (1 << spec.hash_bits, row_width(classes))
        return cls(
            spec,
            LinearWeights(
                words=tensors.get("words", "I8", table) if spec.word_orders else None,
                chars=tensors.get("chars", "I8", table) if spec.char_orders else None,
                scales=tensors.get("scales", "F64", (2, classes)),
                bias=tensors.get("bias", "F64", (classes,)),
            ),
        )

    def logits(self, features: Features) -> Logits:
        """Raw logits, (texts, classes): integer sums, scaled by 1/sqrt(number of n-grams), so exact on any machine."""
        logits = np.zeros((features.texts, len(self._bias)))
        logits += self._bias
        for table, orders, kind, scales in self._families:
            families = features.words if kind == "words" else features.chars
            sums, counts = table.sums([families[order] for order in orders], features.texts)
            norms = 1.0 / np.sqrt(np.maximum(counts, 1))
            logits += sums[:, : len(scales)] * norms[:, None] * scales
        return logits

    def evidence(
        self, features: Features, winners: NDArray[np.int64], *, wanted: Sequence[bool], limit: int
    ) -> list[tuple[tuple[str, float], ...]]:
        """For each wanted text, the words that raise the logit of its winning class most, strongest first."""
        if self._words is None or not any(wanted):
            return [() for _ in range(features.texts)]
        bounds = features.words[1].bounds
        owners = np.repeat(np.arange(features.texts), bounds[1:] - bounds[:-1])
        pulls = self._words[features.words[1].rows, winners[owners]].astype(np.int64)
        order = (owners * _OWNER_STEP - pulls).argsort(kind="stable")
        totals = np.zeros(features.texts, np.int64)
        for one in self._word_orders:
            totals += features.words[one].bounds[1:] - features.words[one].bounds[:-1]
        units = (self._word_scales[winners] / np.sqrt(np.maximum(totals, 1))).tolist()
        starts = bounds.tolist()
        return [
            _strongest(features, order[first : min(last, first + 2 * limit)], pulls, unit=unit, limit=limit)
            if asked
            else ()
            for asked, unit, first, last in zip(wanted, units, starts[:-1], starts[1:], strict=True)
        ]


def _strongest(
    features: Features, positions: NDArray[np.int64], pulls: NDArray[np.int64], *, unit: float, limit: int
) -> tuple[tuple[str, float], ...]:
    """Spell out words from the strongest on; a repeated word is named once, with all it adds."""
    found: dict[str, float] = {}
    spans = zip(features.word_starts[positions].tolist(), features.word_ends[positions].tolist(), strict=True)
    for (start, end), pull in zip(spans, pulls[positions].tolist(), strict=True):
        if pull <= 0:
            break
        word = features.buffer[start:end].decode("utf-8", "replace")
        if word in found or len(found) < limit:
            found[word] = found.get(word, 0.0) + pull * unit
    if len(found) > 1:
        return tuple(sorted(found.items(), key=_strength))
    return tuple(found.items())


def _strength(item: tuple[str, float]) -> tuple[float, str]:
    return -item[1], item[0]


class _Table:
    """One table of int8 rows, seen as columns of packed integers."""

    def __init__(self, rows: NDArray[np.int8]) -> None:
        width = rows.shape[1]
        kind = np.dtype("<u4" if width == _NARROW else "<u8")
        packed = np.require(rows, requirements=["C", "A"]).view(kind)
        self._columns = [packed[:, index] for index in range(packed.shape[1])]
        self._sign = kind.type(0x8080808080808080 & ((1 << 8 * kind.itemsize) - 1))
        self._even = kind.type(0x00FF00FF00FF00FF & ((1 << 8 * kind.itemsize) - 1))
        self._eight = kind.type(8)
        self._lanes = kind.itemsize

    def sums(self, families: Sequence[Family], texts: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sum of each text's rows (texts, width), and how many rows there were (texts,)."""
        rows = families[0].rows if len(families) == 1 else np.concatenate([family.rows for family in families])
        # One text has one run of rows; the common single ticket is spared the bookkeeping of many.
        pieces = _OneRun(len(rows)) if texts == 1 else _pieces(families)
        counts = pieces.totals(texts)
        sums = np.empty((texts, self._lanes * len(self._columns)), np.int64)
        for index, column in enumerate(self._columns):
            # `take` is the faster, but would copy a table of which this column is only a part.
            packed = column.take(rows) if len(self._columns) == 1 else column[rows]
            packed ^= self._sign
            part = sums[:, index * self._lanes : (index + 1) * self._lanes]
            part[:, 0::2] = pieces.spread(packed & self._even, texts)
            packed >>= self._eight
            packed &= self._even
            part[:, 1::2] = pieces.spread(packed, texts)
        sums -= counts[:, None] * _OFFSET
        return sums, counts


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Runs of at most 257 rows, those of one (family, text) beside each other."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    counts: NDArray[np.int64]
    """Rows of each (family, text)."""
    firsts: NDArray[np.int64] | None
    """The first piece of each (family, text), and the number of pieces; None when each has exactly one."""

    def totals(self, texts: int) -> NDArray[np.int64]:
        """Rows of each text, all families together."""
        return np.asarray(self.counts.reshape(-1, texts).sum(0), np.int64)

    def spread(self, packed: NDArray[Any], texts: int) -> NDArray[np.int64]:
        """Sum 16-bit lanes over each text's rows: (texts, lanes)."""
        running = np.zeros(len(packed) + 1, packed.dtype)
        packed.cumsum(dtype=packed.dtype, out=running[1:])
        # Differences of wrapped sums are exact: a piece's own sum fits its lanes.
        lanes = (running[self.ends] - running[self.starts]).view("<u2").reshape(len(self.starts), -1).astype(np.int64)
        if self.firsts is not None:
            totals = np.zeros((len(lanes) + 1, lanes.shape[1]), np.int64)
            np.cumsum(lanes, axis=0, out=totals[1:])
            lanes = totals[self.firsts[1:]] - totals[self.firsts[:-1]]
        return np.asarray(lanes.reshape(-1, texts, lanes.shape[1]).sum(0), np.int64)


@dataclass(frozen=True, slots=True)
class _OneRun:
    """All rows belong to one text."""

    rows: int

    def totals(self, texts: int) -> NDArray[np.int64]:
        """See _Pieces."""
        return np.array([self.rows] * texts)

    def spread(self, packed: NDArray[Any], texts: int) -> NDArray[np.int64]:
        """See _Pieces."""
        if not self.rows:
            return np.zeros((texts, packed.itemsize // 2), np.int64)
        parts = np.add.reduceat(packed, range(0, self.rows, _ROWS_PER_LANE), dtype=packed.dtype)
        return np.asarray(parts.view("<u2").reshape(len(parts), -1).sum(0, np.int64, keepdims=True), np.int64)


def _pieces(families: Sequence[Family]) -> _Pieces:
    before = 0
    starts, ends = [], []
    for family in families:
        starts.append(family.bounds[:-1] + before)
        ends.append(family.bounds[1:] + before)
        before += len(family.rows)
    first, last = np.concatenate(starts), np.concatenate(ends)
    counts = last - first
    if not len(counts) or counts.max() <= _ROWS_PER_LANE:
        return _Pieces(first, last, counts, None)
    number = np.maximum(-(-counts // _ROWS_PER_LANE), 1)
    firsts = np.zeros(len(number) + 1, np.int64)
    np.cumsum(number, out=firsts[1:])
    inside = np.arange(firsts[-1]) - np.repeat(firsts[:-1], number)
    piece_starts = np.repeat(first, number) + inside * _ROWS_PER_LANE
    return _Pieces(piece_starts, np.minimum(piece_starts + _ROWS_PER_LANE, np.repeat(last, number)), counts, firsts)
