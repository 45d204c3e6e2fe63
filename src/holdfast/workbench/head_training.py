"""Training one head: n-grams, networks on the encoder's features, and what the full tier may serve."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.manifest import HeadTier, NgramSpec
from holdfast.runtime.blend import blend, log_softmax
from holdfast.runtime.encoder_head import EncoderHead, MlpWeights
from holdfast.runtime.features import Plan, extract, groups
from holdfast.runtime.linear import LinearHead, LinearWeights
from holdfast.workbench.calibration import fit_second_temperature, fit_temperature
from holdfast.workbench.cascade import Comparison, choose_margin, compare
from holdfast.workbench.embedding import Embedder
from holdfast.workbench.lesson import Lesson
from holdfast.workbench.mlp import Examples, MlpRecipe, fit_networks
from holdfast.workbench.ngrams import Counts, count, fit_balanced, fit_margins, with_output
from holdfast.workbench.plan import HeadPlan

__all__ = [
    "EncoderLimits",
    "EncoderPart",
    "HeadModel",
    "NgramPart",
    "Told",
    "fit_on",
    "ngram_logits",
    "spec_of",
    "train_encoder",
    "train_ngrams",
]

Told = Callable[[str, int, int], None]
"""Told (what, done, total) now and then."""

_HASH_BITS = 18
_BUDGET_SPENT = 0.25  # what is served learnt from more tickets than what is checked, and disagrees more with n-grams
_CHECK_NETWORKS = 2  # half of what is served: enough to compare by
_ROUTE = NgramSpec(word_orders=(1, 2), char_orders=(3, 4), hash_bits=_HASH_BITS)
_PRIORITY = NgramSpec(word_orders=(1, 2, 3), char_orders=(), hash_bits=_HASH_BITS)

Ints = NDArray[np.int64]
Logits = NDArray[np.float64]


def spec_of(head: HeadPlan) -> NgramSpec:
    """Words and characters for routes; longer runs of words, which carry severity, for priorities."""
    return _ROUTE if head.task == "route" else _PRIORITY


@dataclass(frozen=True, slots=True)
class NgramPart:
    """The n-gram model of a head."""

    spec: NgramSpec
    weights: LinearWeights
    temperature: float
    stranger_logits: Logits
    """(n, classes): what models said of training tickets that they had not learnt from."""


@dataclass(frozen=True, slots=True)
class EncoderPart:
    """The networks of a head, and what they add to n-grams alone."""

    weights: MlpWeights | None
    """None when they did not earn their place."""
    temperature: float
    margin: float | None
    loss_budget: float
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class EncoderLimits:
    """How much the encoder may read, and what the cascade may cost."""

    rows: int
    loss_budget: float
    seed: int


@dataclass(frozen=True, slots=True)
class HeadModel:
    """Everything that was learnt for one head."""

    lesson: Lesson
    ngrams: NgramPart
    encoder: EncoderPart | None

    @property
    def blended(self) -> bool:
        """The full tier serves encoder and n-grams together: the networks earned their place."""
        return self.encoder is not None and self.encoder.comparison.earned


def fit_on(lesson: Lesson, counts: Counts, rows: Ints, *, seed: int) -> LinearWeights:
    """The head's n-gram model that learnt from `rows` only."""
    fitter = fit_margins if lesson.head.task == "route" else fit_balanced
    weights = fitter(counts.take(rows), lesson.labels[rows], classes=lesson.classes, seed=seed)
    return with_output(weights, shift=np.array([lesson.head.lift.get(label, 0.0) for label in lesson.head.labels]))


def ngram_logits(weights: LinearWeights, texts: Sequence[str], *, spec: NgramSpec) -> Logits:
    """Logits (n, classes) as a node computes them."""
    head = LinearHead(spec, weights)
    plan = Plan.over([spec])
    parts = [head.logits(extract(group, plan)) for group in groups(texts)]
    return np.concatenate([np.empty((0, len(weights.bias))), *parts])


def train_ngrams(lesson: Lesson, *, seed: int, told: Told) -> tuple[NgramPart, Counts]:
    """Fit once per fold to hear what strangers would be told, then once on every ticket."""
    what = f"{lesson.head.name}: n-grams"
    spec = spec_of(lesson.head)
    told(what, 0, lesson.folds + 1)
    counts = count(lesson.texts, spec)
    finished: list[int] = []

    def one(fold: int) -> LinearWeights:
        weights = fit_on(lesson, counts, np.flatnonzero(lesson.fold != fold), seed=seed)
        finished.append(fold)
        told(what, len(finished), lesson.folds + 1)
        return weights

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        # The last "fold" is none: it learns from every ticket.
        *models, final = pool.map(one, range(lesson.folds + 1))
    strangers = np.zeros((len(lesson.labels), lesson.classes))
    for fold, weights in enumerate(models):
        rows = np.flatnonzero(lesson.fold == fold)
        strangers[rows] = ngram_logits(weights, lesson.some(rows), spec=spec)
    temperature = fit_temperature(strangers[lesson.check], lesson.labels[lesson.check])
    return NgramPart(spec, final, temperature, strangers), counts


def train_encoder(
    lesson: Lesson, ngrams: NgramPart, embedder: Embedder, *, limits: EncoderLimits, told: Told
) -> EncoderPart:
    """Train networks fold by fold to learn whether they earn their place; if they do, train them on every ticket."""
    name = lesson.head.name
    rows = lesson.sample(limits.rows, seed=limits.seed)
    features = embedder.embed(lesson.some(rows), lambda _, done, total: told(f"{name}: encoder", done, total))
    known = log_softmax(ngrams.stranger_logits[rows], ngrams.temperature)
    examples = Examples(features, lesson.labels[rows], known, _importance(lesson, rows))
    check, logits = _strangers(lesson, rows, examples, seed=limits.seed)
    truth, alone = examples.labels[check], np.exp(known[check])
    temperature = fit_second_temperature(known[check], logits, truth)
    tier = HeadTier(stage="encoder", temperature=ngrams.temperature, encoder_temperature=temperature)
    together = blend(ngrams.stranger_logits[rows[check]], logits, tier)
    comparison = compare(alone.argmax(axis=1), together.argmax(axis=1), truth, classes=lesson.classes)
    weights = None
    if comparison.earned:
        weights = fit_networks(
            examples, seed=limits.seed, told=lambda s: told(f"{name}: networks", round(100 * s), 100)
        )
    margin = choose_margin(alone, together, truth, loss_budget=limits.loss_budget * _BUDGET_SPENT)
    return EncoderPart(weights, temperature, margin, limits.loss_budget, comparison)


def _importance(lesson: Lesson, rows: Ints) -> NDArray[np.float64]:
    """Tickets of a route count alike; those of a priority so that every label counts alike, as in its n-grams."""
    if lesson.head.task == "route":
        return np.ones(len(rows))
    labels = lesson.labels[rows]
    counts = np.bincount(labels, minlength=lesson.classes)
    return np.asarray((len(rows) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[labels], np.float64)


def _strangers(lesson: Lesson, rows: Ints, examples: Examples, *, seed: int) -> tuple[Ints, Logits]:
    """Positions among `rows` that are checked on, and logits of a network that has not learnt from them."""
    wanted = np.isin(rows, lesson.check)
    checked: list[Ints] = []
    found: list[Logits] = []
    for fold in np.unique(lesson.fold[rows[wanted]]):
        inside = lesson.fold[rows] == fold
        learnt = np.flatnonzero(~inside)
        head = EncoderHead(fit_networks(examples.take(learnt), seed=seed, recipe=MlpRecipe(networks=_CHECK_NETWORKS)))
        held = np.flatnonzero(inside & wanted)
        checked.append(held)
        found.append(head.logits(examples.features[held].astype(np.float32)))
    return np.concatenate(checked), np.concatenate(found)
