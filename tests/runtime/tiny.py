"""A package as small as one can be, with a real ONNX graph that can be told to be slow or to swell."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from holdfast.clock import SystemClock
from holdfast.digest import Digest, digest_bytes
from holdfast.inference import Serving
from holdfast.manifest import (
    EncoderSpec,
    FileEntry,
    Head,
    HeadTier,
    Manifest,
    NgramSpec,
    Promise,
    Provenance,
    Trial,
    Variant,
)
from holdfast.measure import Measures
from holdfast.runtime.encoder_head import MlpWeights
from holdfast.runtime.limits import WorkerLimits
from holdfast.runtime.linear import LinearWeights, row_width
from holdfast.runtime.pool import WorkerPool
from holdfast.runtime.sealed import SealedModel, seal_model
from holdfast.tier import Tier

WORDS = ("[UNK]", "[CLS]", "balloon", "slumber", "server", "down", "printer", "toner", "hello", "please", "help")
BALLOON, SLUMBER = WORDS.index("balloon"), WORDS.index("slumber")
BALLOON_BYTES = 64 << 20
SLUMBER_STEPS = 120_000
"""About a tenth of a second, on a core of its own."""
FEATURES, EMBEDDING = 16, 8
PRIORITY = ("low", "medium", "high", "critical")
ROUTE = ("hardware", "access", "other")
ZERO = Digest("sha256:" + "0" * 64)
clock = SystemClock(floor_at=datetime(2024, 1, 1, tzinfo=UTC))


def graph() -> bytes:
    """ids (n, s) -> features (n, 16), embedding (n, 8); each `balloon` takes memory, each `slumber` takes time."""
    rng = np.random.default_rng(7)
    constants = {
        "table": rng.normal(size=(len(WORDS), FEATURES)).astype(np.float32),
        "projection": rng.normal(size=(FEATURES, EMBEDDING)).astype(np.float32),
        "balloon": np.array(BALLOON, np.int64),
        "slumber": np.array(SLUMBER, np.int64),
        "floats": np.array([BALLOON_BYTES // 4], np.int64),
        "steps": np.array(SLUMBER_STEPS, np.int64),
        "one": np.array([1], np.int64),
        "nothing": np.array(0.0, np.float32),
        "go": np.array(True),
        "start": np.zeros((8, 8), np.float32),
    }
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["carried", "carried"], ["squared"]),
            helper.make_node("Identity", ["on"], ["on_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", TensorProto.FLOAT, [8, 8]),
        ],
        [
            helper.make_tensor_value_info("on_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("squared", TensorProto.FLOAT, [8, 8]),
        ],
    )
    node = helper.make_node
    one = helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])
    nodes = [
        node("Gather", ["table", "ids"], ["rows"]),
        node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
        *_counted("balloon"),
        node("Mul", ["balloon_count", "floats"], ["swollen"]),
        node("Add", ["swollen", "one"], ["size"]),
        node("ConstantOfShape", ["size"], ["air"], value=one),
        node("ReduceSum", ["air"], ["breath"], keepdims=0),
        node("Mul", ["breath", "nothing"], ["still"]),
        *_counted("slumber"),
        node("Mul", ["slumber_count", "steps"], ["trips"]),
        node("Loop", ["trips", "go", "start"], ["slept"], body=body),
        node("ReduceSum", ["slept"], ["awake"], keepdims=0),
        node("Add", ["mean", "still"], ["kept"]),
        node("Add", ["kept", "awake"], ["features"]),
        node("MatMul", ["features", "projection"], ["projected"]),
        node("LpNormalization", ["projected"], ["embedding"], axis=1, p=2),
    ]
    whole = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "s"])],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", FEATURES]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", EMBEDDING]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(whole, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _counted(word: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Equal", ["ids", word], [f"{word}_is"]),
        helper.make_node("Cast", [f"{word}_is"], [f"{word}_01"], to=TensorProto.INT64),
        helper.make_node("ReduceSum", [f"{word}_01"], [f"{word}_count"], keepdims=0),
    ]


def tokenizer() -> bytes:
    """Words by white space, `[CLS]` in front."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tree = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}},
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    return json.dumps(tree).encode()


@functools.cache
def known_vectors(*texts: str) -> bytes:
    """What the tiny graph answers, computed with onnx's own evaluator: a second opinion."""
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - slow to import, used by few tests

    evaluator = ReferenceEvaluator(onnx.load_from_string(graph()))
    rows = []
    for text in texts:
        ids = [1] + [WORDS.index(word) if word in WORDS else 0 for word in text.lower().split()]
        _, embedding = evaluator.run(None, {"ids": np.array([ids], np.int64)})
        rows.append(json.dumps({"text": text, "ids": ids, "embedding": embedding[0].tolist()}))
    return "\n".join(rows).encode()


NGRAM = NgramSpec(word_orders=(1,), char_orders=(3,), hash_bits=10)


def heads() -> tuple[Head, ...]:
    """A priority that the encoder helps with, and a route that n-grams answer in both tiers."""
    ngram = HeadTier(stage="ngram", temperature=1.0)
    both = HeadTier(
        stage="encoder",
        temperature=1.0,
        encoder_file="heads/priority.mlp",
        encoder_variant="tiny",
        encoder_temperature=1.0,
    )
    priority = Head(
        name="priority",
        task="priority",
        labels=PRIORITY,
        urgency=(0.1, 0.4, 0.75, 1.0),
        prior=(0.4, 0.3, 0.2, 0.1),
        ngram=NGRAM,
        ngram_file="heads/priority.ngram",
        tiers={Tier.FULL: both, Tier.SMALL: ngram},
        cascade_margin=0.5,
    )
    route = Head(
        name="route",
        task="route",
        labels=ROUTE,
        prior=(0.4, 0.3, 0.3),
        ngram=NGRAM,
        ngram_file="heads/route.ngram",
        tiers={Tier.FULL: ngram, Tier.SMALL: ngram},
    )
    return priority, route


def _linear(classes: int, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    shape = (1 << NGRAM.hash_bits, row_width(classes))
    return LinearWeights(
        words=rng.integers(-127, 128, shape, dtype=np.int8),
        chars=rng.integers(-127, 128, shape, dtype=np.int8),
        scales=np.full((2, classes), 0.01),
        bias=np.zeros(classes),
    ).to_bytes()


@functools.cache
def files() -> dict[str, bytes]:
    """Every file of the package that the runtime reads."""
    rng = np.random.default_rng(11)
    mlp = MlpWeights(
        hidden=rng.normal(size=(6, FEATURES)).astype(np.float32),
        hidden_bias=np.zeros(6, np.float32),
        output=rng.normal(size=(len(PRIORITY), 6)).astype(np.float32),
        output_bias=np.zeros(len(PRIORITY), np.float32),
    )
    return {
        "tiny/graph.onnx": graph(),
        "tiny/tokenizer.json": tokenizer(),
        "tiny/vectors.jsonl": known_vectors("server down", "printer toner please", ""),
        "heads/priority.ngram": _linear(len(PRIORITY), 1),
        "heads/route.ngram": _linear(len(ROUTE), 2),
        "heads/priority.mlp": mlp.to_bytes(),
    }


SPEC = EncoderSpec(
    graph="tiny/graph.onnx",
    tokenizer="tiny/tokenizer.json",
    max_tokens=32,
    features_dim=FEATURES,
    embedding_dim=EMBEDDING,
    precision="fp32",
)


def manifest(content: dict[str, bytes] | None = None) -> Manifest:
    """The manifest of `content`, by default of `files()`."""
    content = files() if content is None else content
    return Manifest(
        name="tiny",
        version="1.0.0",
        kind="triage",
        description="For tests.",
        files=tuple(
            FileEntry(path=path, size_bytes=len(part), sha256=digest_bytes(part))
            for path, part in sorted(content.items())
        ),
        variants=(
            Variant(
                name="tiny",
                tier=Tier.FULL,
                engine="onnx",
                encoder=SPEC,
                vectors="tiny/vectors.jsonl",
                minimum_cosine=0.999,
            ),
            Variant(name="ngram", tier=Tier.SMALL, engine="linear"),
        ),
        heads=heads(),
        defaults={},
        trial=Trial(
            file="trial.jsonl",
            health_rows=1,
            tolerance=0.01,
            promise=Promise(quality={}, p95_ms=50.0, peak_rss_bytes=1 << 28),
        ),
        reference="reference.json",
        provenance=Provenance(encoder="none", datasets=(), licences=(), recipe={}),
    )


def sealed(content: dict[str, bytes] | None = None) -> SealedModel:
    """The tiny encoder, sealed; with `content` laid over its files."""
    merged = {**files(), **(content or {})}
    whole = manifest(merged)
    return seal_model(whole, whole.variants[0], merged)


def serving() -> Serving:
    """A snapshot that goes with the tiny package."""
    return Serving(
        package="tiny", version="1.0.0", digest=ZERO, unsigned=True, rules_digest=ZERO, settings_generation=1
    )


QUICK = {"lanes": 2, "niceness": 0, "stable_s": 0.5, "backoff_first_s": 0.1}


@dataclass
class Supervised:
    """A pool and the thread that steps it."""

    pool: WorkerPool
    measures: Measures

    def ask(self, *texts: str, within_s: float = 5.0):
        return self.pool.ask(texts, wanted="features", deadline_s=clock.monotonic_s() + within_s)

    def until_ready(self, timeout_s: float = 15.0) -> float:
        started_s = time.monotonic()
        until(lambda: self.pool.ready, timeout_s)
        return time.monotonic() - started_s


def until(condition, timeout_s: float = 15.0) -> None:
    """Wait for `condition`, at most `timeout_s`."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "it did not come true in time"
        time.sleep(0.005)


@contextmanager
def supervised(model: SealedModel | None = None, **limits) -> Iterator[Supervised]:
    """A pool of the tiny encoder under a loop of its own, ended and awaited at the end."""
    measures = Measures()
    pool = WorkerPool(
        "tiny", model or sealed(), limits=WorkerLimits(**{**QUICK, **limits}), clock=clock, measures=measures
    )
    over = threading.Event()

    def loop() -> None:
        while not over.wait(0.02):
            pool.step(clock.monotonic_s())

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield Supervised(pool, measures)
    finally:
        over.set()
        thread.join()
        pool.close()
