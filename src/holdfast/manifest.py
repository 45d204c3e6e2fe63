"""Manifest: what a package holds, what it promises, and how it proves it.

A package is data, never code. The manifest names every file with its size and SHA-256 and declares, with the closed
vocabulary below, which built-in step of Holdfast reads which file. The format is specified in docs/spec/package.md.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.digest import Digest
from holdfast.tier import Tier

__all__ = [
    "SCHEMA",
    "Bounds",
    "Default",
    "EncoderSpec",
    "FileEntry",
    "Gate",
    "Head",
    "HeadTier",
    "Manifest",
    "Measured",
    "NgramSpec",
    "Promise",
    "Provenance",
    "Trial",
    "Variant",
]

SCHEMA = "holdfast.package/1"


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of the package."""

    path: str
    """Relative, forward slashes, `[a-z0-9._-]` segments, no `..`."""
    size_bytes: int
    sha256: Digest


class Measured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What building or installing measured of one variant, on the machine named."""

    machine: str
    size_bytes: int
    p50_ms: float
    p95_ms: float
    peak_rss_bytes: int
    accuracy_delta: float
    """Held-out quality of the variant minus that of the tier's first variant (macro-F1)."""


class EncoderSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How text becomes a vector: tokenizer, graph, window."""

    graph: str
    tokenizer: str
    max_tokens: int
    """Longer texts are cut here, and the answer says `approximate`."""
    features_dim: int
    """Length of graph output `features` (n, d): what heads read."""
    embedding_dim: int
    """Length of graph output `embedding` (n, d): unit rows, what `/v1/embeddings` returns."""
    precision: Literal["int8", "fp32"]


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to serve a tier; several variants of a tier answer alike at different cost."""

    name: str
    tier: Tier
    engine: Literal["onnx", "linear"]
    encoder: EncoderSpec | None = None
    """Set for `onnx`."""
    vectors: str | None = None
    """Known inputs and outputs (JSONL) checked on this CPU at install and start; set for `onnx`."""
    minimum_cosine: float = 0.999
    measured: Measured | None = None


class NgramSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How text becomes hashed n-gram counts: words by CRC-32, characters inside word bounds by a rolling hash."""

    word_orders: tuple[int, ...]
    char_orders: tuple[int, ...]
    hash_bits: int
    """Each family (words, characters) has a table of 2**hash_bits rows."""


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The test a text must pass to be of the kind a head was trained on."""

    file: str
    minimum: float
    """Texts whose gate value is below this are `out_of_domain` and get the prior."""


class HeadTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one head is computed in one tier."""

    stage: Literal["encoder", "ngram"]
    """`encoder`: the temperature-scaled log-probabilities of n-grams and encoder add. `ngram`: n-grams alone."""
    temperature: float
    """Divides the n-gram logits in this tier's answer."""
    encoder_file: str | None = None
    """MLP weights (safetensors layout) on the variant's `features`; set for stage `encoder`."""
    encoder_variant: str | None = None
    """The variant those weights were trained on; set for stage `encoder`."""
    encoder_temperature: float = 1.0


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question the package answers about a text."""

    name: str
    task: Literal["priority", "route"]
    labels: tuple[str, ...]
    urgency: tuple[float, ...] = ()
    """For `priority`: each label's urgency in [0, 1]; `p` of the score is their expectation."""
    prior: tuple[float, ...]
    ngram: NgramSpec
    ngram_file: str
    """int8 weights per hashed row, scales and biases (safetensors layout)."""
    tiers: dict[str, HeadTier]
    """By tier (`full`, `small`)."""
    gate: Gate | None = None
    cascade_margin: float | None = None
    """In FULL with the cascade on, n-grams answer alone when their top-two margin reaches this; null: never."""
    minimum_confidence: float = 0.0
    """For `route`: below it the label is `needs-triage`."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The range inside which an operator may override a default."""

    minimum: float
    maximum: float


class Default(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operating value the package brings: `cascade`, `route.minimum_confidence`, ..."""

    value: float | bool | str
    bounds: Bounds | None = None
    choices: tuple[str, ...] = ()


class Promise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the package commits to on its own trial set."""

    quality: dict[str, float]
    """Head name -> macro-F1 on the trial set, at least."""
    p95_ms: float
    """On the machine it was built on; advisory elsewhere."""
    peak_rss_bytes: int


class Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The package's own examination: its first rows are the health check; all run before an update is trusted."""

    file: str
    """JSONL rows: `text`, `expected` {tier: {head: {label, probabilities}}}, `human` {head: label}?"""
    health_rows: int
    tolerance: float
    """Largest allowed absolute difference of any probability."""
    promise: Promise


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where weights and labels come from, under which licence, and how to make the package again."""

    encoder: str
    datasets: tuple[str, ...]
    licences: tuple[str, ...]
    recipe: dict[str, str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a node needs to know of a package before it touches any other file."""

    schema: str = SCHEMA
    requires: tuple[str, ...] = ()
    """Features a reader must know; a reader that does not know one refuses the package by that name."""
    name: str
    version: str
    """Semantic version 2.0.0."""
    kind: Literal["triage"]
    description: str
    files: tuple[FileEntry, ...]
    """Sorted by path; every file of the package but `manifest.json` and `DIGEST`."""
    variants: tuple[Variant, ...]
    heads: tuple[Head, ...]
    defaults: dict[str, Default]
    trial: Trial
    reference: str
    """JSON: each head's distribution on the training data, for drift."""
    rules: str | None = None
    """TOML rules the package suggests; settings override."""
    provenance: Provenance
