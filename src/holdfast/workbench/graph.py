"""The encoder's ONNX graph, written node by node: pooled, normalised, in fp32 or in static int8.

Input `ids` (n, s) int64: token ids of n texts of equal length; there is no mask and no padding. Outputs `features`
(n, f) float32, the pooled layers that heads read, and `embedding` (n, d) float32, unit rows. Inside, rows lie
place by place, (s, n, d): attention then reads query, key and value where they are (FusedMatMul moves the first axis),
and a text's numbers do not depend on its neighbours. docs/adr/0004-encoder-graph.md says why each node is what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from holdfast.workbench.encoder import Dense, EncoderWeights, Layer, Norm

__all__ = ["Activation8", "Pooled", "default_pooled", "smoothed_sites", "write_fp32_graph", "write_int8_graph"]

Array = NDArray[np.float32]

_OPSET = 17
_IR_VERSION = 8
_MICROSOFT = "com.microsoft"
_WEIGHT_LIMIT = 64
"""Weights of products use -64..64: on CPUs without VNNI, AVX2 adds two products of a uint8 and an int8 in 16 bits, and
2 x 255 x 64 still fits. So one int8 graph is right everywhere, for .002 of mean cosine."""
_TABLE_LIMIT = 127
"""The word table is read, not multiplied with uint8: it may use the whole range."""
_SMALLEST = np.float32(1e-12)  # a row of zeros still needs a scale
_EMBEDDED, _ATTENDED, _LEFT = "embedded", "l{}_attended", "l{}_left"
"""Sites: what leaves the embedding, the attention half of a layer, and the layer."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """Which layers (counted from 1) make up `features`: means first, then maxima, in this order."""

    mean_layers: tuple[int, ...]
    max_layers: tuple[int, ...]

    @property
    def blocks(self) -> int:
        """How many vectors of the encoder's width `features` is made of."""
        return len(self.mean_layers) + len(self.max_layers)


@dataclass(frozen=True, slots=True)
class Activation8:
    """How one activation becomes uint8: q = clip(round(x * factors / scale) + zero_point, 0, 255)."""

    scale: float
    zero_point: int
    factors: Array | None = None
    """(features,) levels out features of very different size; the weights that read them are divided by it."""


def smoothed_sites(weights: EncoderWeights) -> dict[str, Array]:
    """The values after each LayerNorm, by site, with the weights (features, outputs) that read them.

    There a few features are ten times as large as the rest, and a factor per feature costs one multiplication.
    """
    sites, norm, site = {}, weights.norm, _EMBEDDED
    for number, layer in enumerate(weights.layers, start=1):
        readers = [_folded(dense, norm).weight for dense in (layer.query, layer.key, layer.value)]
        sites[site] = np.concatenate(readers, axis=1)
        sites[_ATTENDED.format(number)] = _folded(layer.up, layer.attention_norm).weight
        norm, site = layer.norm, _LEFT.format(number)
    return sites


def default_pooled(depth: int) -> Pooled:
    """A third, two thirds and all of the way up by mean, the last layer also by maximum."""
    return Pooled(tuple(sorted({max(1, round(depth * third / 3)) for third in (1, 2, 3)})), (depth,))


def write_fp32_graph(weights: EncoderWeights, pooled: Pooled, *, watched: bool = False) -> bytes:
    """Return the graph in float32. `watched` adds each value that int8 would round as an output, by its site's name."""
    return _Writer(weights, pooled, activations=None).write(watched=watched)


def write_int8_graph(weights: EncoderWeights, pooled: Pooled, activations: Mapping[str, Activation8]) -> bytes:
    """Return the graph in static int8: weights per channel, word table per row, `activations` by site."""
    return _Writer(weights, pooled, activations=activations).write(watched=False)


@dataclass(slots=True)
class _Nodes:
    """The nodes and constants written so far."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Append one standard node; return its output's name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def add_microsoft(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Append one of ONNX Runtime's own nodes; return its output's name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=_MICROSOFT, **attributes))
        return output

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Keep `value` under `name`, once; return the name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name


class _Writer:
    """Writes one graph; used once."""

    def __init__(
        self, weights: EncoderWeights, pooled: Pooled, *, activations: Mapping[str, Activation8] | None
    ) -> None:
        self._weights = weights
        self._pooled = pooled
        self._activations = activations
        self._out = _Nodes()
        self._watched: list[str] = []
        self._width = weights.words.shape[1]

    def write(self, *, watched: bool) -> bytes:
        """The whole graph, serialised."""
        self._shapes()
        value, norm = self._normalised(_EMBEDDED, self._embed()), self._weights.norm
        pools: dict[str, str] = {}
        for number, layer in enumerate(self._weights.layers, start=1):
            value = self._layer(number, layer, value, norm)
            norm = layer.norm
            if number in self._pooled.mean_layers:
                pools[f"mean{number}"] = self._mean(f"l{number}", value, norm)
            if number in self._pooled.max_layers:
                pools[f"max{number}"] = self._maximum(f"l{number}", value, norm)
        self._outputs(pools, value, norm)
        return self._serialised(watched=watched)

    # Inside, a value is (1, s * n, width), place by place; constants that depend on the input's shape are made once.

    def _shapes(self) -> None:
        out, heads = self._out, self._weights.heads
        for name, number in (("zero", 0), ("one", 1), ("two", 2), ("rest", -1)):
            out.constant(name, np.array([number], np.int64))
        out.add("Transpose", ["ids"], "ids_by_place", perm=[1, 0])
        out.add("Shape", ["ids_by_place"], "shape")
        out.add("Slice", ["shape", "zero", "one"], "s")
        out.add("Slice", ["shape", "one", "two"], "n")
        out.add("Mul", ["s", "n"], "rows")
        for name, value in (("ones", 1.0), ("zeros", 0.0)):
            out.add("ConstantOfShape", ["rows"], name, value=helper.make_tensor(name, TensorProto.FLOAT, [1], [value]))
        out.constant("heads", np.array([heads, self._width // heads], np.int64))
        out.add("Concat", ["shape", "heads"], "head_shape", axis=0)
        out.constant("flat_shape", np.array([1, -1, self._width], np.int64))
        out.constant("pool_shape", np.array([-1, self._width], np.int64))
        out.add("Concat", ["s", "rest"], "wide_shape", axis=0)
        out.add("Concat", ["one", "s"], "mean_shape", axis=0)
        out.add("Cast", ["s"], "s_float", to=TensorProto.FLOAT)
        out.add("Reciprocal", ["s_float"], "share")
        out.add("Expand", ["share", "mean_shape"], "mean_row")

    def _embed(self) -> str:
        out = self._out
        out.constant("positions", self._weights.positions[: self._weights.max_tokens, None, :])
        out.add("Slice", ["positions", "zero", "s"], "placed")
        if self._activations is None:
            out.constant("words", self._weights.words)
            out.add("Gather", ["words", "ids_by_place"], "worded")
        else:
            table, scales = _rounded(self._weights.words, axis=1, limit=_TABLE_LIMIT)
            out.constant("words", table)
            out.constant("word_scales", scales)
            out.add("Gather", ["words", "ids_by_place"], "words_int8")
            out.add("Cast", ["words_int8"], "words_float", to=TensorProto.FLOAT)
            out.add("Gather", ["word_scales", "ids_by_place"], "words_scale")
            out.add("Mul", ["words_float", "words_scale"], "worded")
        out.add("Add", ["worded", "placed"], "summed")
        return out.add("Reshape", ["summed", "flat_shape"], "summed_flat")

    def _layer(self, number: int, layer: Layer, value: str, norm: Norm) -> str:
        """One block; takes and returns normalised values, before gamma and beta of `norm` and of the layer's own."""
        name = f"l{number}"
        heads: list[str] = []
        for part, dense in (("query", layer.query), ("key", layer.key), ("value", layer.value)):
            flat = self._dense(f"{name}_{part}", value, _folded(dense, norm))
            heads.append(self._out.add("Reshape", [flat, "head_shape"], f"{name}_{part}_heads"))
        context = self._attention(name, heads)
        attended = self._dense(f"{name}_output", context, _shifted(layer.output, norm.beta))
        value = self._added(_ATTENDED.format(number), attended, value, norm)
        wide = self._dense(f"{name}_up", value, _folded(layer.up, layer.attention_norm))
        active = self._active(f"{name}_active", wide)
        narrow = self._dense(f"{name}_down", active, _shifted(layer.down, layer.attention_norm.beta))
        return self._added(_LEFT.format(number), narrow, value, layer.attention_norm)

    def _attention(self, name: str, heads: list[str]) -> str:
        out = self._out
        query, key, value = heads
        alpha = float((self._width // self._weights.heads) ** -0.5)
        moved = {"transBatchA": 1, "transBatchB": 1}
        out.add_microsoft("FusedMatMul", [query, key], f"{name}_scores", alpha=alpha, transB=1, **moved)
        out.add("Softmax", [f"{name}_scores"], f"{name}_weights", axis=-1)
        out.add_microsoft("FusedMatMul", [f"{name}_weights", value], f"{name}_mixed", transBatchB=1)
        out.add("Transpose", [f"{name}_mixed"], f"{name}_moved", perm=[2, 0, 1, 3])
        return out.add("Reshape", [f"{name}_moved", "flat_shape"], f"{name}_context")

    def _active(self, name: str, value: str) -> str:
        out = self._out
        if self._weights.activation == "relu":
            return out.add("Relu", [value], name)
        if self._weights.activation == "gelu_tanh":
            return out.add_microsoft("FastGelu", [value], name)
        return out.add_microsoft("Gelu", [value], name)

    def _added(self, name: str, delta: str, value: str, norm: Norm) -> str:
        """LayerNorm(delta + norm of `value`), without gamma and beta; `norm`'s beta is already in `delta`'s bias."""
        out = self._out
        gamma = out.constant(f"{name}_gamma", norm.gamma)
        kept = out.add("Mul", [value, gamma], f"{name}_kept")
        return self._normalised(name, out.add("Add", [delta, kept], f"{name}_sum"))

    def _normalised(self, name: str, value: str) -> str:
        """LayerNorm without gamma and beta: instance normalisation with one channel per token."""
        epsilon = self._weights.epsilon
        return self._out.add("InstanceNormalization", [value, "ones", "zeros"], name, epsilon=epsilon)

    def _dense(self, name: str, value: str, dense: Dense) -> str:
        out = self._out
        if value not in self._watched:
            self._watched.append(value)
        bias = out.constant(f"{name}_bias", dense.bias)
        if self._activations is None:
            out.constant(f"{name}_weight", dense.weight)
            out.add("MatMul", [value, f"{name}_weight"], f"{name}_product")
            return out.add("Add", [f"{name}_product", bias], name)
        chosen = self._activations[value]
        weight = dense.weight if chosen.factors is None else dense.weight / chosen.factors[:, None]
        table, scales = _rounded(weight, axis=0, limit=_WEIGHT_LIMIT)
        out.constant(f"{name}_weight", table)
        out.constant(f"{name}_scale", scales[0])
        rounded, scale, zero = self._rounded_activation(value, chosen)
        inputs = [rounded, f"{name}_weight", scale, f"{name}_scale", zero, "", bias]
        return out.add_microsoft("MatMulIntegerToFloat", inputs, name)

    def _rounded_activation(self, value: str, chosen: Activation8) -> tuple[str, str, str]:
        """`value` in uint8, its scale and its zero point; written once however many products read it."""
        out, rounded, scale, zero = self._out, f"{value}_uint8", f"{value}_scale", f"{value}_zero"
        if scale not in out.constants:
            out.constant(scale, np.array(chosen.scale, np.float32))
            out.constant(zero, np.array(chosen.zero_point, np.uint8))
            even = value
            if chosen.factors is not None:
                even = out.add("Mul", [value, out.constant(f"{value}_factors", chosen.factors)], f"{value}_even")
            out.add("QuantizeLinear", [even, scale, zero], rounded)
        return rounded, scale, zero

    # Pooling: a mean is linear, so gamma and beta come after it; a maximum needs gamma before.

    def _mean(self, name: str, value: str, norm: Norm) -> str:
        out = self._out
        wide = out.add("Reshape", [value, "wide_shape"], f"{name}_wide")
        row = out.add("MatMul", ["mean_row", wide], f"{name}_mean_row")
        even = out.add("Reshape", [row, "pool_shape"], f"{name}_mean_even")
        scaled = out.add("Mul", [even, out.constant(f"{name}_gamma", norm.gamma)], f"{name}_mean_scaled")
        return out.add("Add", [scaled, out.constant(f"{name}_beta", norm.beta)], f"{name}_mean")

    def _maximum(self, name: str, value: str, norm: Norm) -> str:
        out = self._out
        scaled = out.add("Mul", [value, out.constant(f"{name}_gamma", norm.gamma)], f"{name}_scaled")
        wide = out.add("Reshape", [scaled, "wide_shape"], f"{name}_scaled_wide")
        top = out.add("ReduceMax", [wide], f"{name}_top", axes=[0], keepdims=1)
        even = out.add("Reshape", [top, "pool_shape"], f"{name}_top_even")
        return out.add("Add", [even, out.constant(f"{name}_beta", norm.beta)], f"{name}_max")

    def _outputs(self, pools: Mapping[str, str], value: str, norm: Norm) -> None:
        out = self._out
        parts = [pools[f"mean{i}"] for i in self._pooled.mean_layers]
        parts += [pools[f"max{i}"] for i in self._pooled.max_layers]
        out.add("Concat", parts, "features", axis=1)
        last = f"mean{len(self._weights.layers)}"
        if self._weights.pooling == "cls":
            pooled = self._first(value, norm)
        else:
            pooled = pools[last] if last in pools else self._mean("embedding", value, norm)
        out.add("LpNormalization", [pooled], "embedding", axis=1, p=2)

    def _first(self, value: str, norm: Norm) -> str:
        out = self._out
        out.add("Reshape", [value, "wide_shape"], "places")
        out.add("Slice", ["places", "zero", "one"], "first")
        out.add("Reshape", ["first", "pool_shape"], "first_even")
        out.add("Mul", ["first_even", out.constant("first_gamma", norm.gamma)], "first_scaled")
        return out.add("Add", ["first_scaled", out.constant("first_beta", norm.beta)], "first_pooled")

    def _serialised(self, *, watched: bool) -> bytes:
        outputs = [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", self._pooled.blocks * self._width]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", self._width]),
        ]
        if watched:
            outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self._watched]
        graph = helper.make_graph(
            self._out.nodes,
            "encoder",
            [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "s"])],
            outputs,
            list(self._out.constants.values()),
        )
        model = helper.make_model(
            graph,
            producer_name="holdfast",
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)],
        )
        return bytes(model.SerializeToString(deterministic=True))


def _folded(dense: Dense, norm: Norm) -> Dense:
    """`dense` after `norm`, as one product of the value before gamma and beta."""
    return Dense(dense.weight * norm.gamma[:, None], dense.bias + norm.beta @ dense.weight)


def _shifted(dense: Dense, beta: Array) -> Dense:
    return Dense(dense.weight, dense.bias + beta)


def _rounded(values: Array, *, axis: int, limit: int) -> tuple[NDArray[np.int8], Array]:
    """`values` in -limit..limit with one scale per slice along `axis` (kept as an axis of length 1)."""
    scales = np.maximum(np.abs(values).max(axis=axis, keepdims=True), _SMALLEST) / np.float32(limit)
    return np.clip(np.rint(values / scales), -limit, limit).astype(np.int8), scales
