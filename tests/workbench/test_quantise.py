"""int8: close to torch, the same alone and in a group, right on every CPU, small."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from tokenizers import Tokenizer

from holdfast.runtime.known import read_vectors
from holdfast.workbench.encoder_package import EncoderFiles, build_encoder
from holdfast.workbench.graph import Activation8
from holdfast.workbench.quantise import TooFewTexts, choose_range, open_graph
from holdfast.workbench.vectors import KNOWN_TEXTS

REFERENCE = json.loads((Path(__file__).parents[1] / "vectors" / "encoder" / "reference.json").read_text())["rows"]
SENTENCES = [f"the server {word} down again" for word in ["is", "please", "help", "since", "monday", "empty"]] * 3
pytestmark = pytest.mark.xdist_group("int8")  # one process builds the graph once


@pytest.fixture(scope="module")
def built(public_weights: Path, bundled_texts: list[str]) -> EncoderFiles:
    return build_encoder(public_weights, precision="int8", calibration=bundled_texts)


@pytest.fixture(scope="module")
def int8(built: EncoderFiles) -> onnxruntime.InferenceSession:
    return open_graph(built.graph)


def _ask(session: onnxruntime.InferenceSession, ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    features, embedding = session.run(["features", "embedding"], {"ids": np.array(ids, np.int64)})
    return features, embedding


def test_int8_stays_close_to_torch_on_every_reference_text(int8: onnxruntime.InferenceSession) -> None:
    cosines = []
    for row in REFERENCE:
        expected = np.frombuffer(base64.b64decode(row["embedding_f32"]), "<f4")
        cosines.append(float(_ask(int8, [row["ids"]])[1][0] @ expected))
    assert len(cosines) == 20
    assert min(cosines) >= 0.975
    assert np.mean(cosines) >= 0.985


@pytest.mark.parametrize("row", [0, 1, 4, 18], ids=["short", "empty", "sentence", "long"])
def test_int8_answers_a_text_alone_as_in_a_group_to_the_bit(int8: onnxruntime.InferenceSession, row: int) -> None:
    ids = REFERENCE[row]["ids"]
    alone = _ask(int8, [ids])
    grouped = _ask(int8, [ids[::-1], ids, sorted(ids), ids])
    for one, group in zip(alone, grouped, strict=True):
        assert np.array_equal(one[0], group[1])
        assert np.array_equal(one[0], group[3])


def test_no_product_of_a_weight_can_overflow_16_bits(built: EncoderFiles) -> None:
    model = onnx.load_from_string(built.graph)
    tables = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    weights = [tables[node.input[1]] for node in model.graph.node if node.op_type == "MatMulIntegerToFloat"]
    assert len(weights) == 36
    assert all(np.abs(weight.astype(int)).max() * 255 * 2 <= 32_767 for weight in weights)


def test_the_int8_variant_is_small_and_says_what_it_is(built: EncoderFiles) -> None:
    spec = built.spec(graph="encoder.onnx", tokenizer="tokenizer.json")
    assert len(built.graph) < 24_000_000
    assert (spec.features_dim, spec.embedding_dim, spec.max_tokens, spec.precision) == (1536, 384, 256, "int8")


def test_the_known_vectors_are_what_the_graph_answers(built: EncoderFiles, int8: onnxruntime.InferenceSession) -> None:
    rows = read_vectors(built.vectors)
    tokenizer = Tokenizer.from_str(built.tokenizer.decode())
    assert tuple(row.text for row in rows) == KNOWN_TEXTS
    for row in rows:
        assert row.ids == tuple(tokenizer.encode(row.text).ids)
        np.testing.assert_allclose(_ask(int8, [list(row.ids)])[1][0], row.embedding, atol=1e-6)


def test_equal_inputs_give_equal_files(tiny_encoder: Callable[..., Path]) -> None:
    directory = tiny_encoder()
    first, again = (build_encoder(directory, precision="int8", calibration=SENTENCES) for _ in range(2))
    assert first == again


def test_a_tiny_encoder_in_int8_still_means_the_same(tiny_encoder: Callable[..., Path]) -> None:
    directory = tiny_encoder("distilbert")
    exact = open_graph(build_encoder(directory, precision="fp32").graph)
    rounded = open_graph(build_encoder(directory, precision="int8", calibration=SENTENCES).graph)
    ids = [[2, 5, 6, 7, 8, 9, 3], [2, 12, 11, 13, 14, 15, 3]]
    cosines = np.sum(_ask(exact, ids)[1] * _ask(rounded, ids)[1], axis=1)
    assert cosines.min() > 0.99


def test_too_few_texts_are_refused(tiny_encoder: Callable[..., Path]) -> None:
    with pytest.raises(TooFewTexts, match="expected at least 16 texts, found 3"):
        build_encoder(tiny_encoder(), precision="int8", calibration=SENTENCES[:3])


def test_a_rare_large_value_is_cut_when_cutting_it_costs_less() -> None:
    counts = np.zeros(4096, np.int64)
    counts[2048:2112] = 100_000  # nearly everything is below a sixty-fourth of the range
    counts[-1] = 1
    chosen = choose_range(-100.0, 100.0, counts)
    assert chosen.scale * 255 < 100.0


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=200),
    low=st.floats(-50, 0),
    high=st.floats(0.1, 50),
)
def test_the_chosen_range_is_never_worse_than_the_whole_one(values: list[float], low: float, high: float) -> None:
    counts, edges = np.histogram(np.clip(values, low, high), 512, (low, high))
    chosen = choose_range(low, high, counts)
    whole = Activation8(scale=(high - low) / 255, zero_point=round(-low / (high - low) * 255))
    centres = (edges[:-1] + edges[1:]) / 2
    assert _error(centres, counts, chosen) <= _error(centres, counts, whole) * 1.001 + 1e-9


def _error(centres: np.ndarray, counts: np.ndarray, chosen: Activation8) -> float:
    codes = np.clip(np.round(centres / chosen.scale) + chosen.zero_point, 0, 255)
    return float(counts @ ((codes - chosen.zero_point) * chosen.scale - centres) ** 2)
