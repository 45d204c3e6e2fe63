"""Training a package: heads, gates, stages, examination, manifest. Equal plans give equal bytes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from holdfast.digest import digest_bytes
from holdfast.inference import TextOutput
from holdfast.manifest import (
    Bounds,
    Default,
    FileEntry,
    Gate,
    Head,
    HeadTier,
    Manifest,
    Promise,
    Provenance,
    Trial,
    Variant,
)
from holdfast.runtime.panel import Encoded, Panel
from holdfast.tier import Tier
from holdfast.workbench.embedding import Embedder
from holdfast.workbench.encoder_package import EncoderFiles, build_encoder
from holdfast.workbench.gating import FittedGate, GateTexts, Strictness, fit_gate
from holdfast.workbench.head_report import Surroundings, report_head
from holdfast.workbench.head_training import EncoderLimits, HeadModel, Told, spec_of, train_encoder, train_ngrams
from holdfast.workbench.lesson import Lesson
from holdfast.workbench.plan import HeadPlan, TrainingPlan
from holdfast.workbench.report import HeadReport
from holdfast.workbench.trial_set import TrialRow, choose_rows, encode_rows, promised_quality, reference_distribution

__all__ = ["TrainedPackage", "train"]

_CALIBRATION_TEXTS = 162  # what PERFORMANCE's static int8 was chosen with; more move no range
_ENCODER_VARIANT = "encoder-int8"
_NGRAM_VARIANT = "ngram"
_HEALTH_ROWS = 8
_TOLERANCE = 0.02  # of a probability: int8 kernels of other CPUs round otherwise
_MOST_REFERENCE_ROWS = 10_000  # the more, the smaller the drift that stands out; the small tier reads them in a second
# Advisory budgets, not measurements: a measurement would make two equal trainings differ.
_PROMISED_P95_MS = 50.0
_PROMISED_PEAK_BYTES = 200 << 20


@dataclass(frozen=True, slots=True)
class TrainedPackage:
    """A package that can be written, and the figures of its heads."""

    manifest: Manifest
    files: dict[str, bytes]
    heads: tuple[HeadReport, ...]


@dataclass(frozen=True, slots=True)
class _Encoder:
    """The encoder variant of a package in the making."""

    files: EncoderFiles
    embedder: Embedder

    def encoded(self, texts: Sequence[str]) -> Encoded:
        """What a node's worker would send for `texts`."""
        features, truncated = self.embedder.features(texts)
        return Encoded(range(len(texts)), features, truncated)


@dataclass(frozen=True, slots=True)
class _Trained:
    """One head with its gate."""

    model: HeadModel
    gate: FittedGate


def train(plan: TrainingPlan, told: Told | None = None) -> TrainedPackage:
    """Train `plan`. Deterministic on one kind of CPU: BLAS keeps to one thread, cores take whole tasks instead.

    Raises UnsupportedEncoder for an encoder that cannot be written as a graph.
    """
    say = told or _silent
    with threadpool_limits(1), warnings.catch_warnings():
        # The number of steps is fixed: held-out figures stand still long before the solvers' own criteria are met.
        warnings.simplefilter("ignore", ConvergenceWarning)
        encoder = _encoder(plan, say)
        trained = [_train_head(plan, head, encoder=encoder, told=say) for head in plan.heads]
        return _assemble(plan, trained, encoder=encoder, told=say)


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total


def _encoder(plan: TrainingPlan, told: Told) -> _Encoder | None:
    if plan.encoder_dir is None:
        return None
    told("encoder graph", 0, 1)
    texts = [ticket.text for head in plan.heads for ticket in head.train]
    rows = np.random.default_rng(plan.seed).permutation(len(texts))[:_CALIBRATION_TEXTS]
    files = build_encoder(plan.encoder_dir, precision="int8", calibration=[texts[row] for row in rows.tolist()])
    return _Encoder(files, Embedder(files.graph, files.tokenizer, files.max_tokens, plan.cache))


def _train_head(plan: TrainingPlan, head: HeadPlan, *, encoder: _Encoder | None, told: Told) -> _Trained:
    lesson = Lesson.of(head, seed=plan.seed)
    ngrams, counts = train_ngrams(lesson, seed=plan.seed, told=told)
    limits = EncoderLimits(head.encoder_rows or plan.encoder_rows, plan.loss_budget, plan.seed)
    part = train_encoder(lesson, ngrams, encoder.embedder, limits=limits, told=told) if encoder else None
    del counts
    told(f"{head.name}: gate", 0, 1)
    return _Trained(HeadModel(lesson, ngrams, part), _gate(plan, lesson))


def _gate(plan: TrainingPlan, lesson: Lesson) -> FittedGate:
    """The gate of one head, against the other heads' texts and the background, less what is its own."""
    own = set(lesson.texts)
    kinds = [[ticket.text for ticket in other.train] for other in plan.heads if other.name != lesson.head.name]
    others = [[text for text in kind if text not in own] for kind in [*kinds, *map(list, plan.background)]]
    last = lesson.folds - 1
    texts = GateTexts(
        own=lesson.some(np.flatnonzero(lesson.fold != last)),
        own_unseen=lesson.some(np.flatnonzero(lesson.fold == last)),
        others=[kind for kind in others if kind],
    )
    strictness: Strictness = "open" if lesson.head.task == "route" else "closed"
    return fit_gate(texts, strictness=strictness, hash_bits=spec_of(lesson.head).hash_bits, seed=plan.seed)


def _assemble(
    plan: TrainingPlan, trained: Sequence[_Trained], *, encoder: _Encoder | None, told: Told
) -> TrainedPackage:
    files: dict[str, bytes] = {}
    heads = tuple(_head(plan, one, files=files, full=encoder is not None) for one in trained)
    variants = _variants(encoder, files)
    draft = _manifest(plan, heads, variants=variants, trial=_trial({}), files=files)
    panels = {tier: Panel(draft, files, tier=tier) for tier in (Tier.FULL, Tier.SMALL) if tier.value in heads[0].tiers}

    told("trial set", 0, 1)
    rows = choose_rows({head.name: head.held for head in plan.heads}, most=plan.trial_rows, seed=plan.seed)
    answers = _answers(panels, [row.text for row in rows], encoder)
    files["trial.jsonl"] = encode_rows(rows, answers, heads)
    files["reference.json"] = _reference(plan, heads, panels[Tier.SMALL])
    quality = _quality(rows, answers, heads)
    reports = tuple(
        report_head(one.model, one.gate, head=head, around=_surroundings(plan, head, encoder), told=told)
        for one, head in zip(trained, heads, strict=True)
    )
    return TrainedPackage(_manifest(plan, heads, variants=variants, trial=_trial(quality), files=files), files, reports)


def _surroundings(plan: TrainingPlan, head: Head, encoder: _Encoder | None) -> Surroundings:
    """The gate is shown the next head's held-out texts."""
    other = next((one for one in plan.heads if one.name != head.name), None)
    return Surroundings(
        embedder=encoder.embedder if encoder else None,
        other=f"held-out tickets of head {other.name}" if other else "",
        other_texts=[ticket.text for ticket in other.held] if other else [],
        seed=plan.seed,
    )


def _answers(
    panels: dict[Tier, Panel], texts: Sequence[str], encoder: _Encoder | None
) -> dict[Tier, tuple[TextOutput, ...]]:
    encoded = encoder.encoded(texts) if encoder and texts else None
    return {
        tier: panel.answer(panel.read(texts), encoded if tier is Tier.FULL else None) for tier, panel in panels.items()
    }


def _quality(
    rows: Sequence[TrialRow], answers: dict[Tier, tuple[TextOutput, ...]], heads: Sequence[Head]
) -> dict[str, float]:
    """What the package promises of itself: what its best tier holds, and its small tier is close to."""
    worst: dict[str, float] = {}
    for outputs in answers.values():
        for name, value in promised_quality(rows, outputs, heads).items():
            worst[name] = min(value, worst.get(name, 1.0))
    return worst


def _reference(plan: TrainingPlan, heads: Sequence[Head], panel: Panel) -> bytes:
    """Hold-outs are in order of time or of the file: the rows are drawn from the whole of them."""
    texts: dict[str, list[str]] = {}
    for head in plan.heads:
        rows = np.random.default_rng(plan.seed).permutation(len(head.held))[:_MOST_REFERENCE_ROWS]
        texts[head.name] = [head.held[row].text for row in rows.tolist()]
    outputs = {name: panel.answer(panel.read(some)) for name, some in texts.items()}
    return reference_distribution(heads, outputs, texts)


def _head(plan: TrainingPlan, one: _Trained, *, files: dict[str, bytes], full: bool) -> Head:
    """The manifest's words for a head; its files are added to `files`."""
    model, head = one.model, one.model.lesson.head
    names = {kind: f"heads/{head.name}.{kind}" for kind in ("ngrams", "gate", "networks")}
    files[names["ngrams"]] = model.ngrams.weights.to_bytes()
    files[names["gate"]] = one.gate.table.to_bytes()
    small = HeadTier(stage="ngram", temperature=model.ngrams.temperature)
    tiers = {Tier.SMALL.value: small}
    margin = None
    if full:
        tiers[Tier.FULL.value] = small
    if model.encoder is not None and model.encoder.weights is not None:
        files[names["networks"]] = model.encoder.weights.to_bytes()
        margin = model.encoder.margin
        tiers[Tier.FULL.value] = HeadTier(
            stage="encoder",
            temperature=model.ngrams.temperature,
            encoder_file=names["networks"],
            encoder_variant=_ENCODER_VARIANT,
            encoder_temperature=model.encoder.temperature,
        )
    return Head(
        name=head.name,
        task=head.task,
        labels=head.labels,
        urgency=head.urgency,
        prior=_prior(model.lesson),
        ngram=model.ngrams.spec,
        ngram_file=names["ngrams"],
        tiers=tiers,
        gate=Gate(file=names["gate"], minimum=one.gate.minimum),
        cascade_margin=margin,
        minimum_confidence=plan.minimum_confidence if head.task == "route" else 0.0,
    )


def _prior(lesson: Lesson) -> tuple[float, ...]:
    """What a head says of a text it knows nothing about.

    Routes: how common each label is. Priorities: every label alike, because the head was fitted with balanced labels.
    """
    if lesson.head.task == "priority":
        return (1.0 / lesson.classes,) * lesson.classes
    counts = np.bincount(lesson.labels, minlength=lesson.classes) + 1.0
    return tuple((counts / counts.sum()).tolist())


def _variants(encoder: _Encoder | None, files: dict[str, bytes]) -> tuple[Variant, ...]:
    """The tiers' variants; the encoder's files are added to `files`."""
    small = Variant(name=_NGRAM_VARIANT, tier=Tier.SMALL, engine="linear")
    if encoder is None:
        return (small,)
    graph, tokenizer, vectors = (f"encoder/{name}" for name in ("int8.onnx", "tokenizer.json", "int8.vectors.jsonl"))
    files |= {graph: encoder.files.graph, tokenizer: encoder.files.tokenizer, vectors: encoder.files.vectors}
    full = Variant(
        name=_ENCODER_VARIANT,
        tier=Tier.FULL,
        engine="onnx",
        encoder=encoder.files.spec(graph=graph, tokenizer=tokenizer),
        vectors=vectors,
    )
    return (full, small)


def _trial(quality: dict[str, float]) -> Trial:
    promise = Promise(quality=quality, p95_ms=_PROMISED_P95_MS, peak_rss_bytes=_PROMISED_PEAK_BYTES)
    return Trial(file="trial.jsonl", health_rows=_HEALTH_ROWS, tolerance=_TOLERANCE, promise=promise)


def _manifest(
    plan: TrainingPlan, heads: tuple[Head, ...], *, variants: tuple[Variant, ...], trial: Trial, files: dict[str, bytes]
) -> Manifest:
    entries = (
        FileEntry(path=path, size_bytes=len(content), sha256=digest_bytes(content))
        for path, content in sorted(files.items())
    )
    return Manifest(
        name=plan.name,
        version=plan.version,
        kind="triage",
        description=plan.description,
        files=tuple(entries),
        variants=variants,
        heads=heads,
        defaults={
            "cascade": Default(value=any(head.cascade_margin is not None for head in heads)),
            "route.minimum_confidence": Default(value=plan.minimum_confidence, bounds=Bounds(minimum=0.0, maximum=1.0)),
        },
        trial=trial,
        reference="reference.json",
        provenance=Provenance(
            encoder=plan.encoder_name,
            datasets=plan.datasets,
            licences=plan.licences,
            recipe={"seed": str(plan.seed), "loss_budget": str(plan.loss_budget), **plan.recipe},
        ),
    )
