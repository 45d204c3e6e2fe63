"""A small whole package, and every way to hold it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from holdfast.manifest import (
    Bounds,
    Default,
    EncoderSpec,
    Gate,
    Head,
    HeadTier,
    Manifest,
    NgramSpec,
    Promise,
    Provenance,
    Trial,
    Variant,
)
from holdfast.store.package import write_package
from holdfast.tier import Tier

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


@pytest.fixture
def manifest() -> Manifest:
    return MANIFEST


@pytest.fixture
def files() -> dict[str, bytes]:
    return dict(FILES)


@pytest.fixture(params=["directory", "archive"])
def package(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same package in each of its two forms."""
    out = tmp_path / ("p.tar" if request.param == "archive" else "p")
    write_package(MANIFEST, FILES, out)
    return out


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_package(MANIFEST, FILES, tmp_path / "p")
    return tmp_path / "p"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_package(MANIFEST, FILES, tmp_path / "p.tar")
    return tmp_path / "p.tar"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a version of the package: `make("1.1.0", description="…", files={…})`."""

    def write(version: str = "1.0.0", files: dict[str, bytes] | None = None, **changes: object) -> Path:
        out = tmp_path / f"made-{version}-{len(list(tmp_path.iterdir()))}.tar"
        write_package(msgspec.structs.replace(MANIFEST, version=version, **changes), files or FILES, out)
        return out

    return write
