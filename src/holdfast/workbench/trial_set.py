"""The package's own examination, and the distributions that later drift is measured against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.digest import canonical
from holdfast.inference import Domain, TextOutput
from holdfast.manifest import Head
from holdfast.runtime.blend import label_of
from holdfast.tier import Tier
from holdfast.workbench.figures import confusion_matrix, macro_f1
from holdfast.workbench.tickets import LabelledTicket

__all__ = ["TrialRow", "choose_rows", "encode_rows", "promised_quality", "reference_distribution"]

_DECIMALS = 6  # rounding far below the tolerance keeps the file small
_SLACK = 0.03  # what the promise leaves for other hardware: about one standard error of 200 rows
_BINS = 10

Answers = Mapping[Tier, Sequence[TextOutput]]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One text of the examination and what people decided about it."""

    text: str
    human: Mapping[str, str]


def choose_rows(held: Mapping[str, Sequence[LabelledTicket]], *, most: int, seed: int) -> list[TrialRow]:
    """Draw up to `most` held-out tickets of each head, heads taking turns, so that the first rows know every head."""
    drawn: list[list[TrialRow]] = []
    for name, tickets in sorted(held.items()):
        rng = np.random.default_rng((seed, len(drawn)))
        rows = rng.permutation(len(tickets))[:most].tolist()
        drawn.append([TrialRow(tickets[row].text, {name: tickets[row].labels[name]}) for row in rows])
    longest = max(map(len, drawn), default=0)
    return [rows[turn] for turn in range(longest) for rows in drawn if turn < len(rows)]


def encode_rows(rows: Sequence[TrialRow], answers: Answers, heads: Sequence[Head]) -> bytes:
    """The trial file: a JSON line per row with the expected answer of every tier and head."""
    lines = []
    for index, row in enumerate(rows):
        expected = {tier.value: _expected(found[index], heads) for tier, found in answers.items()}
        lines.append(canonical({"text": row.text, "human": dict(row.human), "expected": expected}) + b"\n")
    return b"".join(lines)


def _expected(output: TextOutput, heads: Sequence[Head]) -> dict[str, Any]:
    return {
        head.name: {
            "label": label_of(head, output.heads[head.name].probabilities),
            "probabilities": [round(value, _DECIMALS) for value in output.heads[head.name].probabilities],
            "domain": output.heads[head.name].domain.value,
        }
        for head in heads
    }


def promised_quality(
    rows: Sequence[TrialRow], outputs: Sequence[TextOutput], heads: Sequence[Head]
) -> dict[str, float]:
    """Macro-F1 of each head on its own rows, less what other hardware may cost."""
    found = {}
    for head in heads:
        places = {label: place for place, label in enumerate(head.labels)}
        pairs = [
            (places[row.human[head.name]], places[label_of(head, output.heads[head.name].probabilities)])
            for row, output in zip(rows, outputs, strict=True)
            if head.name in row.human
        ]
        truth, said = np.array(pairs, np.int64).reshape(-1, 2).T
        quality = macro_f1(confusion_matrix(said, truth, classes=len(head.labels)))
        found[head.name] = round(max(0.0, quality - _SLACK), 3)
    return found


def reference_distribution(
    heads: Sequence[Head], outputs: Mapping[str, Sequence[TextOutput]], texts: Mapping[str, Sequence[str]]
) -> bytes:
    """The reference file: for each head, what it says of its own held-out tickets in the small tier, as histograms."""
    found: dict[str, Any] = {}
    for head in heads:
        said = [output.heads[head.name] for output in outputs[head.name]]
        probabilities = np.array([one.probabilities for one in said]).reshape(-1, len(head.labels))
        confidence = probabilities.max(axis=1, initial=0.0)
        words = np.array([len(text.split()) for text in texts[head.name]], np.float64)
        found[head.name] = {
            "rows": len(said),
            "labels": dict(
                zip(head.labels, _shares(np.bincount(probabilities.argmax(1), minlength=len(head.labels))), strict=True)
            ),
            "confidence": _histogram(confidence, np.linspace(0, 1, _BINS + 1)),
            "words": _histogram(words, np.array([0, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 1e9])),
            "outside": round(sum(one.domain is not Domain.IN for one in said) / max(len(said), 1), _DECIMALS),
        }
        if head.urgency:
            urgency = probabilities @ np.array(head.urgency)
            found[head.name]["urgency"] = _histogram(urgency, np.linspace(0, 1, _BINS + 1))
    return canonical({"schema": "holdfast.reference/1", "tier": Tier.SMALL.value, "heads": found})


def _histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> dict[str, list[float]]:
    counts, _ = np.histogram(values, edges)
    return {"edges": [round(float(edge), _DECIMALS) for edge in edges], "shares": _shares(counts)}


def _shares(counts: NDArray[np.int64]) -> list[float]:
    return [round(float(count) / max(int(counts.sum()), 1), _DECIMALS) for count in counts]
