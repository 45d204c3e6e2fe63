"""Inference: what a tier is asked, what it says, and the snapshot it was asked with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from holdfast.digest import Digest
from holdfast.tier import Reason, Tier

__all__ = [
    "Answer",
    "Attempt",
    "Domain",
    "HeadOutput",
    "InferenceRequest",
    "Outcome",
    "ServedBy",
    "Serving",
    "Stage",
    "TextOutput",
    "compose_text",
]


class Stage(StrEnum):
    """Which machinery produced one head's probabilities."""

    ENCODER = "encoder"
    NGRAM = "ngram"
    RULES = "rules"


class Domain(StrEnum):
    """Whether a text is of the kind a head was trained on."""

    IN = "in"
    OUT = "out_of_domain"
    LANGUAGE = "language"


class Outcome(StrEnum):
    """How one attempt at one tier ended."""

    ANSWERED = "answered"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """Texts to be judged by every head of one package; the answer has one output per text, in order."""

    texts: tuple[str, ...]
    deadline_s: float
    """Monotonic instant after which nobody waits for the answer."""
    request_id: str = ""


class HeadOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What one head says about one text."""

    probabilities: tuple[float, ...]
    """Calibrated, in the head's label order, summing to 1. Outside the domain: the head's prior."""
    stage: Stage
    domain: Domain = Domain.IN
    evidence: tuple[tuple[str, float], ...] = ()
    """Words that pulled hardest towards the winning label, strongest first (at most 8)."""


class TextOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What a tier says about one text: an output per head."""

    heads: dict[str, HeadOutput]
    approximate: bool = False
    """The text was cut to the encoder's window."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One tier tried or skipped on the way to the answer."""

    tier: Tier
    outcome: Outcome
    ms: float
    reason: Reason | None = None


class ServedBy(msgspec.Struct, frozen=True, kw_only=True):
    """Who answered; part of every reply."""

    tier: Tier
    stage: Stage
    package: str
    version: str
    digest: Digest
    variant: str
    runtime: str
    """Engine, its version and the CPU feature class: `onnxruntime-1.31.1/avx512_vnni`, `numpy-2.4.6/x86_64`."""
    unsigned: bool
    degraded: bool
    """True only if the configured route would have used a higher tier for this ticket."""
    approximate: bool
    reasons: tuple[str, ...]
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Serving:
    """The immutable snapshot one request is answered with, from first byte to ledger record."""

    package: str
    version: str
    digest: Digest
    unsigned: bool
    rules_digest: Digest
    settings_generation: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first tier that could answer said, and the way there."""

    outputs: tuple[TextOutput, ...]
    served_by: ServedBy


def compose_text(title: str, description: str) -> str:
    """Join what a person wrote into the one text a model reads; training and serving both call this, so they agree."""
    parts = (title.strip(), description.strip())
    return "\n".join(part for part in parts if part)
