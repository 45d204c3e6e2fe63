"""The written graph computes what its weights say, and what torch says of the public ones."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from scipy.special import erf

from holdfast.workbench.encoder import Dense, EncoderWeights, Norm, load_encoder
from holdfast.workbench.graph import Pooled, default_pooled, write_fp32_graph
from holdfast.workbench.quantise import open_graph

REFERENCE = json.loads((Path(__file__).parents[1] / "vectors" / "encoder" / "reference.json").read_text())["rows"]
IDS = [2, 5, 6, 7, 14, 11, 20, 3]
ACTIVATIONS = {
    "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "gelu_tanh": lambda x: x * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: np.maximum(x, 0),
}
pytestmark = pytest.mark.xdist_group("fp32")  # one process builds the graph once


def _dense(x: np.ndarray, dense: Dense) -> np.ndarray:
    return x @ dense.weight.astype(np.float64) + dense.bias


def _norm(x: np.ndarray, norm: Norm, epsilon: float) -> np.ndarray:
    even = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + epsilon)
    return even * norm.gamma + norm.beta


def _states(weights: EncoderWeights, ids: list[int]) -> list[np.ndarray]:
    """The states (tokens, d) after each layer, computed plainly from the paper (Devlin et al. 2018) in float64."""
    x = _norm(weights.words[ids].astype(np.float64) + weights.positions[: len(ids)], weights.norm, weights.epsilon)
    states = []
    for layer in weights.layers:
        split = (len(ids), weights.heads, -1)
        q, k, v = (_dense(x, dense).reshape(split) for dense in (layer.query, layer.key, layer.value))
        scores = np.exp(np.einsum("ihd,jhd->hij", q, k) / np.sqrt(q.shape[2]))
        context = np.einsum("hij,jhd->ihd", scores / scores.sum(2, keepdims=True), v).reshape(len(ids), -1)
        x = _norm(_dense(context, layer.output) + x, layer.attention_norm, weights.epsilon)
        wide = ACTIVATIONS[weights.activation](_dense(x, layer.up))
        x = _norm(_dense(wide, layer.down) + x, layer.norm, weights.epsilon)
        states.append(x)
    return states


def _ask(session: onnxruntime.InferenceSession, ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    features, embedding = session.run(["features", "embedding"], {"ids": np.array(ids, np.int64)})
    return features, embedding


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _vector(row: dict[str, str], name: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(row[name]), dtype).astype(np.float64)


@pytest.fixture(scope="module")
def fp32(public_weights: Path) -> onnxruntime.InferenceSession:
    return open_graph(write_fp32_graph(load_encoder(public_weights), default_pooled(6)))


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
@pytest.mark.parametrize(("config", "activation"), [("gelu", "gelu"), ("gelu_new", "gelu_tanh"), ("relu", "relu")])
def test_the_graph_computes_what_the_paper_says(
    tiny_encoder: Callable[..., Path], family: str, config: str, activation: str
) -> None:
    key = "activation" if family == "distilbert" else "hidden_act"
    weights = load_encoder(tiny_encoder(family, **{key: config}))
    first, last = _states(weights, IDS)
    features, embedding = _ask(open_graph(write_fp32_graph(weights, Pooled((1, 2), (1, 2)))), [IDS])
    expected = np.concatenate([first.mean(0), last.mean(0), first.max(0), last.max(0)])
    assert weights.activation == activation
    np.testing.assert_allclose(features[0], expected, atol=2e-5)
    np.testing.assert_allclose(embedding[0], last.mean(0) / np.linalg.norm(last.mean(0)), atol=2e-5)


def test_the_first_token_is_the_embedding_of_an_encoder_trained_so(tiny_encoder: Callable[..., Path]) -> None:
    directory = tiny_encoder()
    (directory / "modules.json").write_text(json.dumps([{"path": ".", "type": "models.Pooling"}]))
    (directory / "config.json").write_text(
        json.dumps({**json.loads((directory / "config.json").read_text()), "pooling_mode_cls_token": True})
    )
    weights = load_encoder(directory)
    first = _states(weights, IDS)[-1][0]
    _, embedding = _ask(open_graph(write_fp32_graph(weights, default_pooled(2))), [IDS, IDS[::-1]])
    np.testing.assert_allclose(embedding[0], first / np.linalg.norm(first), atol=2e-5)


def test_a_mean_of_a_deep_layer_alone_still_gives_the_embedding(tiny_encoder: Callable[..., Path]) -> None:
    weights = load_encoder(tiny_encoder())
    features, embedding = _ask(open_graph(write_fp32_graph(weights, Pooled((1,), ()))), [IDS])
    last = _states(weights, IDS)[-1].mean(0)
    assert features.shape == (1, 32)
    np.testing.assert_allclose(embedding[0], last / np.linalg.norm(last), atol=2e-5)


@pytest.mark.parametrize(
    ("depth", "layers"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (6, (2, 4, 6)), (12, (4, 8, 12)), (24, (8, 16, 24))]
)
def test_features_come_from_thirds_of_the_depth(depth: int, layers: tuple[int, ...]) -> None:
    assert default_pooled(depth) == Pooled(layers, (depth,))


def test_fp32_agrees_with_torch_on_every_reference_text(fp32: onnxruntime.InferenceSession) -> None:
    lowest = {"embedding_f32": 1.0, "features_f16": 1.0}
    for row in REFERENCE:
        features, embedding = _ask(fp32, [row["ids"]])
        for name, dtype, found in (("embedding_f32", "<f4", embedding), ("features_f16", "<f2", features)):
            lowest[name] = min(lowest[name], _cosine(found[0], _vector(row, name, dtype)))
    assert len(REFERENCE) == 20
    assert lowest["embedding_f32"] >= 0.9999
    assert lowest["features_f16"] >= 0.9999


def test_fp32_answers_a_text_alone_as_in_a_group(fp32: onnxruntime.InferenceSession) -> None:
    ids = next(row["ids"] for row in REFERENCE if 20 < len(row["ids"]) < 100)
    alone = _ask(fp32, [ids])
    grouped = _ask(fp32, [ids[::-1], ids, ids, sorted(ids)])
    for one, group in zip(alone, grouped, strict=True):
        assert np.array_equal(one[0], group[1])
        assert np.array_equal(one[0], group[2])


def test_equal_weights_give_equal_bytes(tiny_encoder: Callable[..., Path]) -> None:
    directory = tiny_encoder()
    graphs = {write_fp32_graph(load_encoder(directory), default_pooled(2)) for _ in range(2)}
    assert len(graphs) == 1
