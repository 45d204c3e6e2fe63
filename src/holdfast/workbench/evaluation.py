"""Evaluation: a package's own answers on labelled tickets, tier by tier, through the code that serves them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from holdfast.errors import InvalidInput
from holdfast.inference import TextOutput
from holdfast.manifest import Head, Manifest, Variant
from holdfast.runtime.blend import label_of
from holdfast.runtime.onnx_engine import OnnxEncoder
from holdfast.runtime.panel import Encoded, Panel
from holdfast.tier import Tier
from holdfast.workbench.figures import measure
from holdfast.workbench.labelled import LabelledTicket
from holdfast.workbench.report import TierReport

__all__ = ["NothingToJudge", "answer", "evaluate_head", "tiers_of", "urgent_sets"]

_PER_CALL = 256  # texts; what a batch request may hold
Answers = Sequence[TextOutput]


class NothingToJudge(InvalidInput):
    """No ticket carries a label that the package knows."""


def tiers_of(manifest: Manifest) -> tuple[Tier, ...]:
    """The tiers a package has a variant for, best first."""
    return tuple(tier for tier in (Tier.FULL, Tier.SMALL) if any(variant.tier is tier for variant in manifest.variants))


def answer(
    manifest: Manifest,
    files: Mapping[str, bytes],
    *,
    tier: Tier,
    texts: Sequence[str],
    cascade: bool | None = None,
) -> tuple[list[TextOutput], float]:
    """Every text's answer in `tier`, and the CPU milliseconds one text took.

    cascade: whether n-grams may answer easy texts alone; None is what the package sets.
    """
    panel = Panel(manifest, files, tier=tier)
    variant = next(one for one in manifest.variants if one.tier is tier)
    if cascade is None:
        cascade = "cascade" in manifest.defaults and manifest.defaults["cascade"].value is True
    answers: list[TextOutput] = []
    with _encoder(variant, files) as encoder:
        started_s = time.process_time()
        for first in range(0, len(texts), _PER_CALL):
            answers += _answer_some(panel, encoder, texts[first : first + _PER_CALL], cascade=cascade)
        spent_s = time.process_time() - started_s
    return answers, 1000.0 * spent_s / max(len(texts), 1)


def _answer_some(panel: Panel, encoder: OnnxEncoder | None, texts: Sequence[str], *, cascade: bool) -> Answers:
    reading = panel.read(texts)
    wanted = panel.undecided(reading, cascade=cascade) if encoder else []
    if not encoder or not wanted:
        return panel.answer(reading)
    rows = encoder.encode([texts[i] for i in wanted], "features")
    features = np.stack([np.frombuffer(row.vector, np.float32) for row in rows])
    return panel.answer(reading, Encoded(wanted, features, [row.truncated for row in rows]))


@contextmanager
def _encoder(variant: Variant, files: Mapping[str, bytes]) -> Iterator[OnnxEncoder | None]:
    if variant.encoder is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-evaluate-") as directory:
        graph, tokenizer = Path(directory) / "graph.onnx", Path(directory) / "tokenizer.json"
        graph.write_bytes(files[variant.encoder.graph])
        tokenizer.write_bytes(files[variant.encoder.tokenizer])
        yield OnnxEncoder(str(graph), str(tokenizer), max_tokens=variant.encoder.max_tokens)


def evaluate_head(
    head: Head, tickets: Sequence[LabelledTicket], *, answers: Answers, tier: Tier, cpu_ms: float
) -> TierReport:
    """Measure one head's answers to `tickets`, those with an unknown label left out. Raises NothingToJudge."""
    place = {label: i for i, label in enumerate(head.labels)}
    known = [i for i, ticket in enumerate(tickets) if ticket.labels.get(head.name) in place]
    if not known:
        found = sorted({ticket.labels[head.name] for ticket in tickets if head.name in ticket.labels})
        raise NothingToJudge(
            f"{head.name}: expected labels {', '.join(head.labels)}, found {', '.join(found[:10]) or 'none'}; "
            "map them with --value"
        )
    probabilities = np.array([answers[i].heads[head.name].probabilities for i in known], dtype=np.float64)
    truth = np.array([place[tickets[i].labels[head.name]] for i in known], dtype=np.int64)
    said = np.array([place[label_of(head, row)] for row in probabilities.tolist()], dtype=np.int64)
    how = head.tiers[tier.value]
    return TierReport(
        tier=tier.value,
        stage=how.stage,
        figures=measure(
            probabilities, truth, labels=head.labels, urgent=urgent_sets(head.labels, head.urgency), predicted=said
        ),
        cpu_ms=cpu_ms,
    )


def urgent_sets(labels: Sequence[str], urgency: Sequence[float]) -> tuple[tuple[str, ...], ...]:
    """The detectors a report judges: the most urgent label, and with four labels or more the two most urgent."""
    if not urgency:
        return ()
    ranked = [label for _, label in sorted(zip(urgency, labels, strict=True), reverse=True)]
    return ((ranked[0],), tuple(ranked[:2])) if len(ranked) > 3 else ((ranked[0],),)
