"""The figures of one trained head on tickets it never saw, through the code that a node runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.inference import Domain
from holdfast.manifest import Head, HeadTier
from holdfast.runtime.blend import blend, label_of, softmax
from holdfast.runtime.encoder_head import EncoderHead
from holdfast.runtime.features import Plan, extract, groups
from holdfast.workbench.cascade import top_two_margin
from holdfast.workbench.embedding import Embedder
from holdfast.workbench.evaluation import urgent_sets
from holdfast.workbench.figures import confusion_matrix, macro_f1, measure
from holdfast.workbench.gating import FittedGate
from holdfast.workbench.head_training import HeadModel, Told, fit_on, ngram_logits
from holdfast.workbench.ngrams import count
from holdfast.workbench.report import CascadeReport, Figures, GateReport, HeadReport, LearningPoint, TierReport

__all__ = ["Surroundings", "report_head"]

_TIMED_TEXTS = 200
_CURVE_SHARES = (0.1, 0.3)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a report needs beside the head itself."""

    embedder: Embedder | None
    other: str
    """Which texts of another kind the gate is shown; empty if there are none."""
    other_texts: Sequence[str]
    seed: int


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """The hold-out of one head, and what each stage says of it."""

    texts: Sequence[str]
    truth: Ints
    ngrams: Floats
    """Probabilities of n-grams alone."""
    both: Floats | None
    """Probabilities of n-grams and encoder together, where the full tier serves them."""
    inside: NDArray[np.bool_]
    """Which texts pass the domain gate; a node answers the others with the prior."""


def report_head(model: HeadModel, gate: FittedGate, *, head: Head, around: Surroundings, told: Told) -> HeadReport:
    """Judge a head on its hold-out. Nothing here changes the head."""
    plan = model.lesson.head
    told(f"{head.name}: hold-out", 0, 1)
    held = _held_out(model, gate, head=head, around=around, told=told)
    return HeadReport(
        name=head.name,
        task=head.task,
        labels=head.labels,
        urgency=head.urgency,
        prior=head.prior,
        split=plan.split,
        leakage=plan.leakage,
        tiers=_tiers(model, head, held=held, around=around),
        candidates=_candidates(model),
        choice=_choice(model),
        learning_curve=_learning_curve(model, head, held=held, seed=around.seed),
        cascade=_cascade(head, held, model),
        gate=_gate_report(gate, head, held=held, around=around),
    )


def _held_out(model: HeadModel, gate: FittedGate, *, head: Head, around: Surroundings, told: Told) -> _HeldOut:
    plan = model.lesson.head
    places = {label: place for place, label in enumerate(head.labels)}
    texts = [ticket.text for ticket in plan.held]
    truth = np.array([places[ticket.labels[head.name]] for ticket in plan.held], np.int64)
    logits = ngram_logits(model.ngrams.weights, texts, spec=model.ngrams.spec)
    both = None
    part = model.encoder
    if part is not None and part.weights is not None and around.embedder is not None:
        features = around.embedder.embed(texts, lambda _, done, total: told(f"{head.name}: hold-out", done, total))
        networks = EncoderHead(part.weights).logits(features.astype(np.float32))
        tier = HeadTier(stage="encoder", temperature=model.ngrams.temperature, encoder_temperature=part.temperature)
        both = blend(logits, networks, tier)
    inside = _inside(gate, texts, head)
    return _HeldOut(texts, truth, softmax(logits, model.ngrams.temperature), both, inside)


def _tiers(model: HeadModel, head: Head, *, held: _HeldOut, around: Surroundings) -> tuple[TierReport, ...]:
    timed = held.texts[:_TIMED_TEXTS]
    started_s = time.thread_time()
    ngram_logits(model.ngrams.weights, timed, spec=model.ngrams.spec)
    small_ms = (time.thread_time() - started_s) / max(len(timed), 1) * 1_000
    figures = _served_figures(held.ngrams, held, head)
    small = TierReport(tier="small", stage="ngram", figures=figures, cpu_ms=small_ms)
    if around.embedder is None or not timed:
        return (small,)
    full_ms = small_ms + around.embedder.milliseconds_per_text(timed)
    if held.both is None:
        return TierReport(tier="full", stage="ngram", figures=figures, cpu_ms=full_ms), small
    figures = _served_figures(held.both, held, head)
    return TierReport(tier="full", stage="encoder", figures=figures, cpu_ms=full_ms), small


def _served_figures(probabilities: Floats, held: _HeldOut, head: Head) -> Figures:
    """Figures of what a node would answer: the prior for what the gate keeps out, and labels as a node names them."""
    served = np.where(held.inside[:, None], probabilities, np.array(head.prior))
    places = {label: place for place, label in enumerate(head.labels)}
    said = np.array([places[label_of(head, row)] for row in served.tolist()], np.int64)
    urgent = urgent_sets(head.labels, head.urgency)
    return measure(served, held.truth, labels=head.labels, urgent=urgent, predicted=said)


def _candidates(model: HeadModel) -> dict[str, float]:
    if model.encoder is None:
        return {}
    return {"ngram": model.encoder.comparison.first, "both": model.encoder.comparison.second}


def _choice(model: HeadModel) -> str:
    """Why the full tier serves what it serves."""
    if model.encoder is None:
        return "no encoder was given: n-grams are served in every tier"
    found = model.encoder.comparison
    verdict = "both are served in the full tier" if found.earned else "n-grams are served in both tiers"
    return (
        f"on {found.rows} training tickets that neither had learnt from, adding the encoder changes macro-F1 from "
        f"{found.first:.4f} to {found.second:.4f} ({found.gain:+.4f}, one standard error {found.error:.4f}): {verdict}"
    )


def _learning_curve(model: HeadModel, head: Head, *, held: _HeldOut, seed: int) -> tuple[LearningPoint, ...]:
    """Held-out quality of the small tier after a tenth, three tenths and all of the tickets."""
    lesson = model.lesson
    order = np.random.default_rng(seed).permutation(len(lesson.labels))
    counts = count(lesson.texts, model.ngrams.spec)
    points = []
    for share in _CURVE_SHARES:
        rows = np.sort(order[: max(1, round(share * len(order)))])
        if len(np.unique(lesson.labels[rows])) > 1:
            weights = fit_on(lesson, counts, rows, seed=seed)
            said = ngram_logits(weights, held.texts, spec=model.ngrams.spec).argmax(axis=1)
            points.append(LearningPoint(rows=len(rows), macro_f1=_macro_f1(said, held.truth, head)))
    whole = _macro_f1(held.ngrams.argmax(axis=1), held.truth, head)
    return (*points, LearningPoint(rows=len(order), macro_f1=whole))


def _macro_f1(said: Ints, truth: Ints, head: Head) -> float:
    return macro_f1(confusion_matrix(said, truth, classes=len(head.labels)))


def _cascade(head: Head, held: _HeldOut, model: HeadModel) -> CascadeReport | None:
    if head.cascade_margin is None or held.both is None or model.encoder is None:
        return None
    sure = top_two_margin(held.ngrams) >= head.cascade_margin
    mixed = np.where(sure, held.ngrams.argmax(axis=1), held.both.argmax(axis=1))
    loss = _macro_f1(held.both.argmax(axis=1), held.truth, head) - _macro_f1(mixed, held.truth, head)
    return CascadeReport(
        margin=head.cascade_margin,
        answered_share=float(sure.mean()),
        macro_f1_loss=loss,
        loss_budget=model.encoder.loss_budget,
    )


def _gate_report(gate: FittedGate, head: Head, *, held: _HeldOut, around: Surroundings) -> GateReport:
    return GateReport(
        minimum=gate.minimum,
        own_passed_share=float(held.inside.mean()),
        other_passed_share=float(_inside(gate, around.other_texts, head).mean()) if around.other_texts else None,
        other=around.other if around.other_texts else "",
    )


def _inside(gate: FittedGate, texts: Sequence[str], head: Head) -> NDArray[np.bool_]:
    live = gate.live()
    plan = Plan((1,), (), head.ngram.hash_bits)
    kinds = [kind for group in groups(texts) for kind in live.judge(extract(group, plan))]
    return np.array([kind is Domain.IN for kind in kinds], np.bool_)
