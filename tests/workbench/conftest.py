"""The public encoder for tests that need the real one, and a tiny one of any family for those that do not."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from holdfast.workbench.weights import WeightsUnreachable, fetch_public_weights

ROOT = Path(__file__).parents[2]
WORDS = [
    "the",
    "server",
    "is",
    "down",
    "again",
    "please",
    "help",
    "printer",
    "toner",
    "empty",
    "since",
    "monday",
    "##s",
    "##ing",
    "a",
    "b",
    "c",
]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
DIM, HEADS, DEPTH, INNER, POSITIONS = 32, 4, 2, 64, 24


@pytest.fixture(scope="session")
def public_weights() -> Path:
    """The directory of all-MiniLM-L6-v2, from the cache or downloaded into it."""
    try:
        return fetch_public_weights(Path(os.environ.get("HOLDFAST_CACHE", ROOT / ".cache" / "weights")))
    except WeightsUnreachable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def bundled_texts() -> list[str]:
    """162 tickets, a third from each bundled file, evenly spread over it."""
    texts: list[str] = []
    for path in sorted((ROOT / "data").glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        chosen = [rows[i * len(rows) // 54] for i in range(54)]
        texts += [row["text"] if "text" in row else f"{row['title']}\n{row['body']}" for row in chosen]
    return texts


@pytest.fixture
def tiny_encoder(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a random two-layer encoder in the layout of one family and returns its directory."""

    def write(family: str = "bert", *, prefix: str = "", **config: Any) -> Path:
        directory = tmp_path / family
        directory.mkdir()
        arrays, shape = _FAMILIES[family]()
        save_file({prefix + name: value for name, value in arrays.items()}, directory / "model.safetensors")
        (directory / "config.json").write_text(json.dumps({"model_type": family, **shape, **config}))
        (directory / "tokenizer.json").write_text(_tokenizer().to_str())
        return directory

    return write


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(8)
    return tokenizer


def _array(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) * 0.3).astype(np.float32)


def _norm(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"weight": 1 + _array(rng, DIM), "bias": _array(rng, DIM)}


def _dense(rng: np.random.Generator, size_in: int, size_out: int) -> dict[str, np.ndarray]:
    return {"weight": _array(rng, size_out, size_in), "bias": _array(rng, size_out)}


def _named(name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{name}.{key}": value for key, value in arrays.items()}


def _embeddings(rng: np.random.Generator, positions: int) -> dict[str, np.ndarray]:
    return {
        "embeddings.word_embeddings.weight": _array(rng, len(VOCABULARY), DIM),
        "embeddings.position_embeddings.weight": _array(rng, positions, DIM),
        **_named("embeddings.LayerNorm", _norm(rng)),
    }


def _blocks(rng: np.random.Generator, place: str, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    query, key, value, output, attention_norm, up, down, norm = names
    arrays: dict[str, np.ndarray] = {}
    for layer in range(DEPTH):
        where = place.format(layer)
        for name in (query, key, value, output):
            arrays |= _named(where + name, _dense(rng, DIM, DIM))
        arrays |= _named(where + up, _dense(rng, DIM, INNER)) | _named(where + down, _dense(rng, INNER, DIM))
        arrays |= _named(where + attention_norm, _norm(rng)) | _named(where + norm, _norm(rng))
    return arrays


_BERT_NAMES = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
_DISTIL_NAMES = (
    "attention.q_lin",
    "attention.k_lin",
    "attention.v_lin",
    "attention.out_lin",
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
)


def _bert(positions: int = POSITIONS) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    rng = np.random.default_rng(5)
    arrays = _embeddings(rng, positions) | _blocks(rng, "encoder.layer.{}.", _BERT_NAMES)
    arrays["embeddings.token_type_embeddings.weight"] = _array(rng, 2, DIM)
    return arrays, {"num_hidden_layers": DEPTH, "num_attention_heads": HEADS, "hidden_act": "gelu"}


def _distilbert() -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    rng = np.random.default_rng(6)
    arrays = _embeddings(rng, POSITIONS) | _blocks(rng, "transformer.layer.{}.", _DISTIL_NAMES)
    return arrays, {"n_layers": DEPTH, "n_heads": HEADS, "activation": "gelu"}


_FAMILIES: dict[str, Callable[[], tuple[dict[str, np.ndarray], dict[str, Any]]]] = {
    "bert": _bert,
    "roberta": lambda: _bert(POSITIONS + 2),
    "distilbert": _distilbert,
}
