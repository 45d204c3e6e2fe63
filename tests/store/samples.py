"""A small whole package, engines that are content with it, and a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from holdfast.manifest import (
    Bounds,
    Default,
    EncoderSpec,
    Gate,
    Head,
    HeadTier,
    Manifest,
    Measured,
    NgramSpec,
    Promise,
    Provenance,
    Trial,
    Variant,
)
from holdfast.release import Verified
from holdfast.store.choice import Examined
from holdfast.store.package import VerifiedPackage
from holdfast.store.shelf import LoadedPackage
from holdfast.tier import Tier
from holdfast.trust.verify import admit_local

ENCODER = EncoderSpec(
    graph="encoder/int8.onnx",
    tokenizer="encoder/tokenizer.json",
    max_tokens=256,
    features_dim=8,
    embedding_dim=4,
    precision="int8",
)
PRIORITY = Head(
    name="priority",
    task="priority",
    labels=("low", "high"),
    urgency=(0.1, 0.9),
    prior=(0.75, 0.25),
    ngram=NgramSpec(word_orders=(1, 2), char_orders=(3, 4), hash_bits=10),
    ngram_file="heads/priority.ngram",
    tiers={
        "full": HeadTier(
            stage="encoder", temperature=1.5, encoder_file="heads/priority.mlp", encoder_variant="encoder-int8"
        ),
        "small": HeadTier(stage="ngram", temperature=1.25),
    },
    gate=Gate(file="heads/priority.gate", minimum=0.05),
)
MANIFEST = Manifest(
    name="triage-test",
    version="1.0.0",
    kind="triage",
    description="A package for tests: “quotes”, ü and \u0001 included.",
    files=(),
    variants=(
        Variant(name="encoder-int8", tier=Tier.FULL, engine="onnx", encoder=ENCODER, vectors="encoder/vectors.jsonl"),
        Variant(name="encoder-fp32", tier=Tier.FULL, engine="onnx", encoder=ENCODER, vectors="encoder/vectors.jsonl"),
        Variant(name="ngram", tier=Tier.SMALL, engine="linear"),
    ),
    heads=(PRIORITY,),
    defaults={
        "cascade": Default(value=True),
        "route.minimum_confidence": Default(value=0.4, bounds=Bounds(minimum=0.0, maximum=0.9)),
        "greeting": Default(value="plain", choices=("plain", "warm")),
    },
    trial=Trial(
        file="trial.jsonl",
        health_rows=1,
        tolerance=1e-5,
        promise=Promise(quality={"priority": 0.5}, p95_ms=12.5, peak_rss_bytes=1 << 27),
    ),
    reference="reference.json",
    rules="rules.toml",
    provenance=Provenance(encoder="none", datasets=("made",), licences=("CC0-1.0",), recipe={"seed": "1"}),
)


def _content(path: str, size: int) -> bytes:
    return bytes((i * 31 + len(path)) % 251 for i in range(size))


FILES: dict[str, bytes] = {
    "encoder/int8.onnx": _content("encoder/int8.onnx", 5000),
    "encoder/tokenizer.json": b'{"version":"1.0"}',
    "encoder/vectors.jsonl": b'{"text":"","embedding":[1,0,0,0]}\n',
    "heads/priority.gate": b"",
    "heads/priority.mlp": _content("heads/priority.mlp", 1024),
    "heads/priority.ngram": _content("heads/priority.ngram", 2047),
    "reference.json": json.dumps({"priority": [0.75, 0.25]}).encode(),
    "rules.toml": b"",
    "trial.jsonl": b'{"text":"down","expected":{}}\n',
}


class HeldClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return self.now.timestamp()

    def wall_at(self) -> datetime:
        return self.now

    def wall_trusted(self) -> bool:
        return True


def admit(package: LoadedPackage | VerifiedPackage) -> Verified:
    return admit_local(package, allow_unsigned=True)


def examine(package: LoadedPackage, names: Sequence[str]) -> list[Examined]:
    """Stand in for the engines: every variant answers rightly; the first is fastest, the second the largest."""
    del package
    return [
        Examined(
            variant=name,
            measured=Measured(
                machine="test",
                size_bytes=1,
                p50_ms=1.0 + i,
                p95_ms=2.0 + i,
                peak_rss_bytes=(40 << 20) * (i + 1),
                accuracy_delta=0.0,
            ),
        )
        for i, name in enumerate(names)
    ]
