"""Encoders of every supported layout load; anything else is refused by name."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from holdfast.workbench.encoder import UnsupportedEncoder, clean_tokenizer, load_encoder

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "vectors" / "encoder" / "tokens.tsv"
TinyEncoder = Callable[..., Path]


def _as_sentence_transformer(directory: Path, *, pooling: str = "mean_tokens", extra: str = "") -> Path:
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules += [("3_Extra", extra)] if extra else []
    (directory / "1_Pooling").mkdir()
    (directory / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    rows = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in modules]
    (directory / "modules.json").write_text(json.dumps(rows))
    return directory


@pytest.mark.parametrize(("family", "prefix"), [("bert", "bert."), ("roberta", ""), ("distilbert", "distilbert.")])
def test_every_family_loads_with_and_without_its_prefix(tiny_encoder: TinyEncoder, family: str, prefix: str) -> None:
    weights = load_encoder(tiny_encoder(family, prefix=prefix))
    assert weights.positions.shape == (24, 32)
    assert [layer.up.weight.shape for layer in weights.layers] == [(32, 64), (32, 64)]
    assert weights.max_tokens == 24


def test_the_first_token_pools_when_the_encoder_was_trained_so(tiny_encoder: TinyEncoder) -> None:
    assert load_encoder(_as_sentence_transformer(tiny_encoder(), pooling="cls_token")).pooling == "cls"


def test_a_module_after_the_pooling_is_refused_by_name(tiny_encoder: TinyEncoder) -> None:
    with pytest.raises(UnsupportedEncoder, match="expected the modules Transformer, Pooling, Normalize, found 'Dense'"):
        load_encoder(_as_sentence_transformer(tiny_encoder(), extra="Dense"))


def test_an_unknown_pooling_is_refused_by_name(tiny_encoder: TinyEncoder) -> None:
    with pytest.raises(UnsupportedEncoder, match=r"expected pooling by mean or by the first token, found .*max_tokens"):
        load_encoder(_as_sentence_transformer(tiny_encoder(), pooling="max_tokens"))


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2', expected one of"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key', expected 'absolute'"),
        ({"hidden_act": "swish"}, "activation 'swish', expected one of"),
        ({"num_hidden_layers": "two"}, "expected a whole number at 'num_hidden_layers', found none"),
        ({"num_hidden_layers": 3}, "expected an array 'encoder.layer.2.attention.self.query.weight', found none"),
        ({"num_attention_heads": 5}, "32 features cannot be shared by 5 heads"),
    ],
)
def test_what_cannot_be_represented_is_refused_by_name(
    tiny_encoder: TinyEncoder, config: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UnsupportedEncoder, match=sentence):
        load_encoder(tiny_encoder(**config))


def test_pickled_weights_are_never_opened(tiny_encoder: TinyEncoder) -> None:
    directory = tiny_encoder()
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    with pytest.raises(UnsupportedEncoder, match="expected encoder weights as safetensors"):
        load_encoder(directory)


def test_half_precision_weights_load_as_float32(tiny_encoder: TinyEncoder) -> None:
    directory = tiny_encoder()
    arrays = load_file(directory / "model.safetensors")
    save_file({name: value.astype(np.float16) for name, value in arrays.items()}, directory / "model.safetensors")
    assert load_encoder(directory).words.dtype == np.float32


def test_an_array_of_whole_numbers_is_refused_by_name(tiny_encoder: TinyEncoder) -> None:
    directory = tiny_encoder()
    arrays = load_file(directory / "model.safetensors")
    arrays["embeddings.LayerNorm.bias"] = np.zeros(32, np.int8)
    save_file(arrays, directory / "model.safetensors")
    with pytest.raises(UnsupportedEncoder, match=r"array 'embeddings\.LayerNorm\.bias' is I8, expected one of F16"):
        load_encoder(directory)


def test_a_clean_tokenizer_neither_pads_nor_cuts_early(tiny_encoder: TinyEncoder) -> None:
    given = (tiny_encoder() / "tokenizer.json").read_bytes()
    tokenizer = Tokenizer.from_str(clean_tokenizer(given, max_tokens=12).decode())
    assert len(Tokenizer.from_str(given.decode()).encode("help").ids) == 16
    assert [len(tokenizer.encode(text).ids) for text in ("help", "help " * 9, "help " * 90)] == [3, 11, 12]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"model":{}}', b'{"model":{"type":3}}', b"\xff\xfe"])
def test_a_broken_tokenizer_is_refused(content: bytes) -> None:
    with pytest.raises(UnsupportedEncoder, match=r"tokenizer\.json"):
        clean_tokenizer(content, max_tokens=12)


def test_the_ids_of_1000_bundled_tickets_are_those_of_another_tokenizer(public_weights: Path) -> None:
    tokenizer = Tokenizer.from_str(load_encoder(public_weights).tokenizer.decode())
    golden = [line.split("\t") for line in GOLDEN.read_text().splitlines()]
    rows = {name: _rows(name) for name in {line[0] for line in golden}}
    ids = [encoded.ids for encoded in tokenizer.encode_batch([rows[name][int(row)] for name, row, *_ in golden])]
    found = [(str(len(one)), hashlib.sha256(",".join(map(str, one)).encode()).hexdigest()[:16]) for one in ids]
    assert len(golden) == 1000
    assert found == [(count, digest) for _, _, count, digest in golden]


def _rows(name: str) -> list[str]:
    with gzip.open(ROOT / "data" / name, "rt", encoding="utf-8", newline="") as file:
        return [row["text"] if "text" in row else f"{row['title']}\n{row['body']}" for row in csv.DictReader(file)]


def test_tokenizing_never_imports_the_hub_client(tiny_encoder: TinyEncoder) -> None:
    program = (
        "import sys; from tokenizers import Tokenizer; "
        "ids = Tokenizer.from_str(open(sys.argv[1]).read()).encode('help').ids; "
        "print(len(ids), 'huggingface_hub' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tiny_encoder() / "tokenizer.json")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.split() == ["16", "False"]
