"""A BERT-family encoder read from a directory into plain arrays, and its tokenizer without padding."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from holdfast.errors import InvalidInput

__all__ = ["Dense", "EncoderWeights", "Layer", "Norm", "UnsupportedEncoder", "clean_tokenizer", "load_encoder"]

Array = NDArray[np.float32]
Activation = Literal["gelu", "gelu_tanh", "relu"]
Pooling = Literal["mean", "cls"]

_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
_DTYPES = {"F16", "F32", "F64"}
DEFAULT_MAX_TOKENS = 256


class UnsupportedEncoder(InvalidInput):
    """The directory does not hold an encoder that Holdfast can write a graph for."""


@dataclass(frozen=True, slots=True)
class Dense:
    """x -> x @ weight + bias."""

    weight: Array
    """(in, out)"""
    bias: Array
    """(out,)"""


@dataclass(frozen=True, slots=True)
class Norm:
    """LayerNorm's gamma and beta."""

    gamma: Array
    beta: Array


@dataclass(frozen=True, slots=True)
class Layer:
    """One transformer block, LayerNorm after each half."""

    query: Dense
    key: Dense
    value: Dense
    output: Dense
    attention_norm: Norm
    up: Dense
    down: Dense
    norm: Norm


@dataclass(frozen=True, slots=True)
class EncoderWeights:
    """Everything the graph is written from."""

    words: Array
    """(vocabulary, d)"""
    positions: Array
    """(longest text, d); the embedding of token type 0 is added in, for every text has one type only."""
    norm: Norm
    layers: tuple[Layer, ...]
    heads: int
    epsilon: float
    activation: Activation
    pooling: Pooling
    max_tokens: int
    tokenizer: bytes
    """tokenizer.json, cleaned."""


@dataclass(frozen=True, slots=True)
class _Family:
    """Where one model family keeps its arrays."""

    prefix: str
    layer: str
    attention: tuple[str, str, str, str]
    attention_norm: str
    feed_forward: tuple[str, str]
    norm: str
    token_types: bool
    first_position: int
    """RoBERTa numbers positions from padding_idx + 1."""


_BERT = _Family(
    prefix="bert.",
    layer="encoder.layer.{}.",
    attention=("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    attention_norm="attention.output.LayerNorm",
    feed_forward=("intermediate.dense", "output.dense"),
    norm="output.LayerNorm",
    token_types=True,
    first_position=0,
)
_ROBERTA = _Family(
    prefix="roberta.",
    layer=_BERT.layer,
    attention=_BERT.attention,
    attention_norm=_BERT.attention_norm,
    feed_forward=_BERT.feed_forward,
    norm=_BERT.norm,
    token_types=True,
    first_position=2,
)
_DISTILBERT = _Family(
    prefix="distilbert.",
    layer="transformer.layer.{}.",
    attention=("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"),
    attention_norm="sa_layer_norm",
    feed_forward=("ffn.lin1", "ffn.lin2"),
    norm="output_layer_norm",
    token_types=False,
    first_position=0,
)
_FAMILIES = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": _DISTILBERT,
}


class _Arrays:
    """The arrays of one safetensors file, by name without the family's prefix."""

    def __init__(self, path: Path, prefix: str) -> None:
        self._file: Any  # the library has no types
        try:
            self._file = safe_open(path, "np")
        except (OSError, SafetensorError) as error:
            raise UnsupportedEncoder(f"{path}: expected encoder weights as safetensors, found {error}") from error
        self._path = path
        names = list(self._file.keys())
        self._prefix = prefix if any(name.startswith(prefix) for name in names) else ""
        self._names = set(names)

    def get(self, name: str) -> Array:
        """The array `name` as float32, C order."""
        full = self._prefix + name
        if full not in self._names:
            raise UnsupportedEncoder(f"{self._path}: expected an array {full!r}, found none")
        dtype = self._file.get_slice(full).get_dtype()
        if dtype not in _DTYPES:
            raise UnsupportedEncoder(
                f"{self._path}: array {full!r} is {dtype}, expected one of {', '.join(sorted(_DTYPES))}; "
                "save the encoder as float32 first"
            )
        return np.ascontiguousarray(self._file.get_tensor(full), dtype=np.float32)

    def dense(self, name: str) -> Dense:
        """Torch keeps (out, in); the graph multiplies from the left."""
        return Dense(np.ascontiguousarray(self.get(f"{name}.weight").T), self.get(f"{name}.bias"))

    def norm(self, name: str) -> Norm:
        return Norm(self.get(f"{name}.weight"), self.get(f"{name}.bias"))


def load_encoder(directory: Path, *, max_tokens: int = DEFAULT_MAX_TOKENS) -> EncoderWeights:
    """Read the encoder in `directory`, in the layout of transformers or of sentence-transformers.

    Raises UnsupportedEncoder, naming what is missing or cannot be represented. Pickled weights are never opened.
    """
    root, pooling = _transformer_and_pooling(directory)
    config = _read_json(root / "config.json")
    family = _family(config, root)
    arrays = _Arrays(root / "model.safetensors", family.prefix)
    positions = arrays.get("embeddings.position_embeddings.weight")[family.first_position :]
    if family.token_types:
        positions = positions + arrays.get("embeddings.token_type_embeddings.weight")[0]
    depth = _number(config, root, "num_hidden_layers", "n_layers")
    limit = min(max_tokens, len(positions))
    heads = _number(config, root, "num_attention_heads", "n_heads")
    if positions.shape[1] % heads:
        raise UnsupportedEncoder(
            f"{root / 'config.json'}: {positions.shape[1]} features cannot be shared by {heads} heads"
        )
    return EncoderWeights(
        words=arrays.get("embeddings.word_embeddings.weight"),
        positions=positions,
        norm=arrays.norm("embeddings.LayerNorm"),
        layers=tuple(_layer(arrays, family, family.layer.format(i)) for i in range(depth)),
        heads=heads,
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        activation=_activation(config, root),
        pooling=pooling,
        max_tokens=limit,
        tokenizer=clean_tokenizer(_read(root / "tokenizer.json"), max_tokens=limit),
    )


def clean_tokenizer(tokenizer: bytes, *, max_tokens: int) -> bytes:
    """Return `tokenizer` (tokenizer.json) without padding and cutting at `max_tokens` instead of its own limit.

    The public file pads every text to 128 tokens and cuts there, which would make short texts slow and long ones wrong.
    """
    try:
        tree = json.loads(tokenizer)
        model = tree["model"]["type"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnsupportedEncoder(f"tokenizer.json: expected a fast tokenizer's JSON, found {error!r}") from error
    if not isinstance(model, str):
        raise UnsupportedEncoder(f"tokenizer.json: expected the name of a model at model.type, found {model!r}")
    tree["padding"] = None
    tree["truncation"] = {"direction": "Right", "max_length": max_tokens, "strategy": "LongestFirst", "stride": 0}
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def _layer(arrays: _Arrays, family: _Family, place: str) -> Layer:
    query, key, value, output = (arrays.dense(place + name) for name in family.attention)
    up, down = (arrays.dense(place + name) for name in family.feed_forward)
    return Layer(
        query=query,
        key=key,
        value=value,
        output=output,
        attention_norm=arrays.norm(place + family.attention_norm),
        up=up,
        down=down,
        norm=arrays.norm(place + family.norm),
    )


def _transformer_and_pooling(directory: Path) -> tuple[Path, Pooling]:
    """Follow modules.json of sentence-transformers; without one the directory is the transformer, pooled by mean."""
    if not (directory / "modules.json").is_file():
        return directory, "mean"
    root = directory
    pooling: Pooling = "mean"
    for module in json.loads(_read(directory / "modules.json")):
        kind = str(module["type"]).rpartition(".")[2]
        if kind == "Transformer":
            root = directory / module["path"]
        elif kind == "Pooling":
            pooling = _pooling(directory / module["path"] / "config.json")
        elif kind != "Normalize":
            raise UnsupportedEncoder(
                f"{directory / 'modules.json'}: expected the modules Transformer, Pooling, Normalize, found {kind!r}"
            )
    return root, pooling


def _pooling(path: Path) -> Pooling:
    chosen = sorted(key for key, on in _read_json(path).items() if key.startswith("pooling_mode_") and on is True)
    if chosen == ["pooling_mode_mean_tokens"]:
        return "mean"
    if chosen == ["pooling_mode_cls_token"]:
        return "cls"
    raise UnsupportedEncoder(f"{path}: expected pooling by mean or by the first token, found {chosen}")


def _family(config: Mapping[str, Any], root: Path) -> _Family:
    found = config.get("model_type")
    family = _FAMILIES.get(str(found))
    if family is None:
        raise UnsupportedEncoder(f"{root / 'config.json'}: model_type {found!r}, expected one of {sorted(_FAMILIES)}")
    positions = config.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise UnsupportedEncoder(f"{root / 'config.json'}: position_embedding_type {positions!r}, expected 'absolute'")
    return family


def _activation(config: Mapping[str, Any], root: Path) -> Activation:
    found = config.get("hidden_act", config.get("activation", "gelu"))
    activation = _ACTIVATIONS.get(str(found))
    if activation is None:
        raise UnsupportedEncoder(
            f"{root / 'config.json'}: activation {found!r}, expected one of {sorted(_ACTIVATIONS)}"
        )
    return activation


def _number(config: Mapping[str, Any], root: Path, *names: str) -> int:
    for name in names:
        if isinstance(config.get(name), int):
            return int(config[name])
    raise UnsupportedEncoder(f"{root / 'config.json'}: expected a whole number at {names[0]!r}, found none")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnsupportedEncoder(f"{path}: expected a file of an encoder, found {error.strerror}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(_read(path))
    except ValueError as error:
        raise UnsupportedEncoder(f"{path}: expected JSON, found {error}") from error
    if not isinstance(tree, dict):
        raise UnsupportedEncoder(f"{path}: expected a JSON object, found {type(tree).__name__}")
    return tree
