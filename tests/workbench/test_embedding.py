"""Embedding many texts: order, cache, and the same numbers as one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from holdfast.workbench.embedding import Embedder
from holdfast.workbench.encoder_package import EncoderFiles, build_encoder


@pytest.fixture(scope="module")
def files(public_weights: Path, bundled_texts: list[str]) -> EncoderFiles:
    return build_encoder(public_weights, precision="int8", calibration=bundled_texts)


def _embedder(files: EncoderFiles, cache: Path | None) -> Embedder:
    return Embedder(files.graph, files.tokenizer, files.max_tokens, cache)


def test_grouped_and_single_texts_get_the_same_features(files: EncoderFiles, bundled_texts: list[str]) -> None:
    embedder = _embedder(files, None)
    texts = [*bundled_texts[:24], "", "word " * 600]
    single, truncated = embedder.features(texts)
    np.testing.assert_array_equal(embedder.embed(texts), single.astype(np.float16))
    assert truncated[-1]
    assert not truncated[0]


def test_a_second_embedding_is_read_from_disk(files: EncoderFiles, bundled_texts: list[str], tmp_path: Path) -> None:
    texts = bundled_texts[:10]
    first = _embedder(files, tmp_path).embed(texts)
    broken = Embedder(files.graph, files.tokenizer, files.max_tokens, tmp_path)
    (part,) = tmp_path.glob("*.npy")
    np.save(part, np.full_like(first, 7))
    assert (broken.embed(texts) == 7).all()  # nothing was computed
    part.write_bytes(part.read_bytes()[:100])
    np.testing.assert_array_equal(broken.embed(texts), first)  # a part cut short is made again


def test_progress_counts_texts(files: EncoderFiles, bundled_texts: list[str]) -> None:
    told: list[tuple[str, int, int]] = []
    _embedder(files, None).embed(bundled_texts[:5], lambda *one: told.append(one))
    assert told[-1] == ("embedding", 5, 5)
