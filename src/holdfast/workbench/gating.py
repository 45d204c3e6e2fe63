"""Training domain gates: one kind of text against the other kinds the builder has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from holdfast.runtime.features import Plan, extract, groups
from holdfast.runtime.gate import DomainGate, GateTable

__all__ = ["FittedGate", "GateTexts", "Strictness", "fit_gate"]

Strictness = Literal["closed", "open"]
"""`closed`: a text must argue its way in, for heads that do harm when they guess. `open`: only a text that argues for
another kind is kept out, for heads that short everyday sentences should reach."""

_MOST_TEXTS = 12_000  # of each kind: more moves no figure
_CROP_WORDS = (4, 14)  # pieces as short as a ticket's title, so that shortness alone decides nothing
_CROP_WEIGHT = 3.0
_OWN_LOST = {"closed": 0.015, "open": 0.005}
"""Share of the head's own unseen texts that may fall outside."""
_OTHER_KEPT_OUT = 0.97
_LANGUAGE_LOST = 0.002
_UNSEEN_RANGE = (0.4, 0.6)
_LEVELS = 127


@dataclass(frozen=True, slots=True)
class GateTexts:
    """What a gate learns from."""

    own: Sequence[str]
    own_unseen: Sequence[str]
    """The same kind, not learnt from: where the threshold is set."""
    others: Sequence[Sequence[str]]
    """Other kinds, each counting the same; may be none, and then only the language is judged."""


@dataclass(frozen=True, slots=True)
class FittedGate:
    """A gate's file and its threshold."""

    table: GateTable
    minimum: float

    def live(self) -> DomainGate:
        """The gate as a node runs it."""
        return DomainGate(self.table, minimum=self.minimum)


def fit_gate(texts: GateTexts, *, strictness: Strictness, hash_bits: int, seed: int) -> FittedGate:
    """Learn the gate of one head. Deterministic for a seed."""
    rng = np.random.default_rng(seed)
    plan = Plan((1,), (), hash_bits)
    own = _some(texts.own, rng)
    others = [_some(other, rng) for other in texts.others if other]
    seen = _vocabulary([texts.own, *texts.others], plan)
    weights, bias = _separate(own, others, plan=plan, strictness=strictness, rng=rng)
    scale = max(float(np.abs(weights).max()), 1e-9) / _LEVELS
    words = np.rint(weights / scale).astype(np.int8)
    words[~seen] = -128
    gate = DomainGate(GateTable(words, scale, bias, 1.0), minimum=0.0)
    values, unseen = _scores(gate, texts.own_unseen or own, plan)
    unseen_ratio = float(np.clip(np.quantile(unseen, 1 - _LANGUAGE_LOST), *_UNSEEN_RANGE))
    minimum = float(np.quantile(values, _OWN_LOST[strictness])) if others else 0.0
    if others and strictness == "open":
        against = np.concatenate([_scores(gate, other, plan)[0] for other in others])
        minimum = min(minimum, float(np.quantile(against, _OTHER_KEPT_OUT)))
    return FittedGate(GateTable(words, scale, bias, unseen_ratio), minimum)


def _some(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    if len(texts) <= _MOST_TEXTS:
        return list(texts)
    return [texts[row] for row in np.sort(rng.choice(len(texts), _MOST_TEXTS, replace=False))]


def _crops(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    """One short run of words from each text."""
    pieces = []
    for text in texts:
        words = text.split()
        length = int(rng.integers(*_CROP_WORDS))
        first = int(rng.integers(0, max(len(words) - length, 0) + 1))
        pieces.append(" ".join(words[first : first + length]))
    return pieces


def _separate(
    own: list[str], others: list[list[str]], *, plan: Plan, strictness: Strictness, rng: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """Weights per word row and a bias: the head's own kind against all others, whole and in short pieces."""
    if not others:
        return np.zeros(1 << plan.hash_bits), 0.0
    kinds: list[tuple[list[str], bool, float]] = [(own, True, 1.0)]
    if strictness == "open":
        kinds.append((_crops(own, rng), True, 1.0))
    for other in others:
        kinds.append((other, False, 1.0))
        kinds.append((_crops(other, rng), False, _CROP_WEIGHT if strictness == "closed" else 1.0))
    blocks = [_unit_counts(texts, plan) for texts, _, _ in kinds]
    truth = np.concatenate([np.full(len(texts), inside) for texts, inside, _ in kinds])
    weights = np.concatenate([np.full(len(texts), weight / max(len(texts), 1)) for texts, _, weight in kinds])
    model = LogisticRegression(C=1.0, max_iter=100, tol=1e-3)
    model.fit(sp.vstack(blocks, format="csr"), truth, sample_weight=weights / weights.mean())
    return np.asarray(model.coef_[0], np.float64), float(model.intercept_[0])


def _unit_counts(texts: Sequence[str], plan: Plan) -> sp.csr_matrix:
    """Word counts divided by sqrt(number of words), as the gate divides its sum."""
    rows, lengths = _word_rows(texts, plan)
    values = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths)
    shape = (len(texts), 1 << plan.hash_bits)
    return sp.csr_matrix((values, rows, np.concatenate([[0], np.cumsum(lengths)])), shape=shape)


def _word_rows(texts: Sequence[str], plan: Plan) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    families = [extract(group, plan).words[1] for group in groups(texts)]
    rows = [np.empty(0, np.int64), *(family.rows for family in families)]
    lengths = [np.empty(0, np.int64), *(np.diff(family.bounds) for family in families)]
    return np.concatenate(rows), np.concatenate(lengths)


def _vocabulary(kinds: Sequence[Sequence[str]], plan: Plan) -> NDArray[np.bool_]:
    """Rows of words that several texts have; of few texts, two are several."""
    texts = sum(map(len, kinds))
    enough = 5 if texts > 20_000 else 3 if texts > 5_000 else 2
    found = np.zeros(1 << plan.hash_bits, np.int64)
    for kind in kinds:
        matrix = _unit_counts(kind, plan)
        matrix.sum_duplicates()
        found += np.bincount(matrix.indices, minlength=len(found))
    return found >= enough


def _scores(gate: DomainGate, texts: Sequence[str], plan: Plan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    parts = [gate.scores(extract(group, plan)) for group in groups(texts)]
    return np.concatenate([values for values, _ in parts]), np.concatenate([unseen for _, unseen in parts])
