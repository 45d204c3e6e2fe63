"""N-gram models: hashed counts of many texts, linear classifiers on them, and their int8 form for a node."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from holdfast.manifest import NgramSpec
from holdfast.runtime.features import Plan, extract, groups
from holdfast.runtime.linear import LinearWeights, row_width

__all__ = ["Counts", "count", "fit_balanced", "fit_margins", "with_output"]

_GAIN = 6.0  # 1/sqrt(n) rows of tf-idf are about six times shorter than unit rows; the penalties below expect unit rows
_MARGIN_PENALTY = 0.3  # LinearSVC's C; .1 to .5 differ by less than one standard error on the bundled tickets
_MARGIN_STEPS = 25  # the held-out figures stand still from 20 on; the solver's own criterion takes 150
_LIBLINEAR = threading.Lock()  # it draws from one generator per process: two fits at once would not repeat
_BALANCED_PENALTY = 1.0
_BALANCED_STEPS = 60  # L-BFGS steps; the held-out figures stand still after about forty
_MANY_TEXTS = 5_000
_COMMON = 3  # of many texts, an n-gram that fewer have moves no figure and doubles the time
_LEVELS = 127


@dataclass(frozen=True, slots=True)
class Counts:
    """Hashed n-gram counts of some texts, one sparse matrix (texts, rows) per family."""

    words: sp.csr_matrix | None
    chars: sp.csr_matrix | None

    def take(self, rows: NDArray[np.int64]) -> Counts:
        """The counts of some of the texts."""
        return Counts(
            words=None if self.words is None else self.words[rows],
            chars=None if self.chars is None else self.chars[rows],
        )


def count(texts: Sequence[str], spec: NgramSpec) -> Counts:
    """Count the n-grams of `texts` exactly as a node will."""
    plan = Plan.over([spec])
    found: dict[tuple[str, int], list[tuple[NDArray[np.int32], NDArray[np.int64]]]] = {}
    for group in groups(texts):
        features = extract(group, plan)
        for kind, families in (("words", features.words), ("chars", features.chars)):
            for order, family in families.items():
                part = (family.rows.astype(np.int32), np.diff(family.bounds))
                found.setdefault((kind, order), []).append(part)
    shape = (len(texts), 1 << spec.hash_bits)
    return Counts(
        words=_summed([found.get(("words", order), []) for order in spec.word_orders], shape),
        chars=_summed([found.get(("chars", order), []) for order in spec.char_orders], shape),
    )


def _summed(
    orders: Sequence[Sequence[tuple[NDArray[np.int32], NDArray[np.int64]]]], shape: tuple[int, int]
) -> sp.csr_matrix | None:
    if not orders:
        return None
    total = sp.csr_matrix(shape, dtype=np.float32)
    for parts in orders:
        rows = np.concatenate([np.empty(0, np.int32), *(rows for rows, _ in parts)])
        lengths = np.concatenate([np.zeros(1, np.int64), *(lengths for _, lengths in parts)])
        one = sp.csr_matrix((np.ones(len(rows), np.float32), rows, np.cumsum(lengths)), shape=shape)
        one.sum_duplicates()
        total = total + one
    return total


@dataclass(frozen=True, slots=True)
class _Column:
    """The rows of one family that are common enough to learn from, and how much each weighs."""

    rows: NDArray[np.int64]
    idf: NDArray[np.float32]

    @classmethod
    def of(cls, matrix: sp.csr_matrix) -> _Column:
        seen = np.bincount(matrix.indices, minlength=matrix.shape[1])
        rows = np.flatnonzero(seen >= (_COMMON if matrix.shape[0] >= _MANY_TEXTS else 1))
        return cls(rows, np.asarray(np.log((1 + matrix.shape[0]) / (1 + seen[rows])) + 1, np.float32))


@dataclass(frozen=True, slots=True)
class _Weighting:
    """Turns counts into tf-idf rows whose length is divided by sqrt(number of n-grams), which a node can do cheaply."""

    words: _Column | None
    chars: _Column | None

    @classmethod
    def learn(cls, counts: Counts) -> _Weighting:
        return cls(*(None if matrix is None else _Column.of(matrix) for matrix in (counts.words, counts.chars)))

    def apply(self, counts: Counts) -> sp.csr_matrix:
        blocks = []
        for matrix, column in ((counts.words, self.words), (counts.chars, self.chars)):
            if matrix is not None and column is not None:
                number = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1)
                blocks.append(sp.diags(1 / (_GAIN * np.sqrt(number))) @ matrix[:, column.rows] @ sp.diags(column.idf))
        return sp.hstack(blocks, format="csr")


def fit_margins(counts: Counts, labels: NDArray[np.int64], *, classes: int, seed: int) -> LinearWeights:
    """One-against-the-rest large-margin classifiers: the best single model for routes. Deterministic for a seed."""
    weighting = _Weighting.learn(counts)
    model = LinearSVC(C=_MARGIN_PENALTY, random_state=seed, max_iter=_MARGIN_STEPS)
    weighted = weighting.apply(counts).astype(np.float64)
    with _LIBLINEAR:
        model.fit(weighted, labels)
    return _quantised(weighting, counts, model, classes=classes)


def fit_balanced(counts: Counts, labels: NDArray[np.int64], *, classes: int, seed: int) -> LinearWeights:
    """Logistic regression with balanced classes: rare labels are what a priority is for. Deterministic."""
    weighting = _Weighting.learn(counts)
    model = LogisticRegression(
        C=_BALANCED_PENALTY, class_weight="balanced", max_iter=_BALANCED_STEPS, tol=1e-3, random_state=seed
    )
    model.fit(weighting.apply(counts).astype(np.float32), labels)
    return _quantised(weighting, counts, model, classes=classes)


def _quantised(
    weighting: _Weighting, counts: Counts, model: LinearSVC | LogisticRegression, *, classes: int
) -> LinearWeights:
    """Fold idf and gain into the weights; round them to int8, one scale per family and class."""
    coefficients, intercepts = _per_class(model, classes)
    tables: list[NDArray[np.int8] | None] = []
    scales = np.ones((2, classes))
    first = 0
    for family, (matrix, column) in enumerate(((counts.words, weighting.words), (counts.chars, weighting.chars))):
        if matrix is None or column is None:
            tables.append(None)
            continue
        weights = coefficients[:, first : first + len(column.rows)] * column.idf / _GAIN
        first += len(column.rows)
        scales[family] = np.maximum(np.abs(weights).max(axis=1, initial=0.0), 1e-12) / _LEVELS
        table = np.zeros((matrix.shape[1], row_width(classes)), np.int8)
        table[column.rows, :classes] = np.rint(weights.T / scales[family])
        tables.append(table)
    return LinearWeights(words=tables[0], chars=tables[1], scales=scales, bias=intercepts)


def _per_class(model: LinearSVC | LogisticRegression, classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A row of weights for every label, centred over the labels; a label without a training row stays far below."""
    weights, bias = np.asarray(model.coef_), np.asarray(model.intercept_, np.float64)
    if len(weights) == 1:  # two classes share one row
        weights, bias = np.vstack([-weights, weights]), np.concatenate([-bias, bias])
    weights = weights - weights.mean(axis=0)
    every = np.zeros((classes, weights.shape[1]))
    offsets = np.full(classes, bias.min() - 10.0)
    every[model.classes_] = weights
    offsets[model.classes_] = bias
    return every, offsets


def with_output(weights: LinearWeights, *, shift: NDArray[np.float64]) -> LinearWeights:
    """The same model with `shift` (classes,) added to its logits: how a calibration's offsets are served."""
    return LinearWeights(words=weights.words, chars=weights.chars, scales=weights.scales, bias=weights.bias + shift)
