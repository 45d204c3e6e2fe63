"""Embedding many texts once: equal-length groups on every core, kept on disk by model and text."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from holdfast.digest import digest_bytes

__all__ = ["Embedder", "Progress", "cores"]

Progress = Callable[[str, int, int], None]
"""Told (what, done, total) now and then; whoever listens works out the time left."""

Matrix = NDArray[np.float16]

_TOKENS_PER_CALL = 1_024  # the runtime keeps memory for its largest call for ever
_TEXTS_PER_PART = 1_024  # what an interrupted build has to do again


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Embedder:
    """One encoder variant.

    One session serves as many threads as there are cores, one thread inside each call: more sessions, or more threads
    inside one, would spin against each other.
    """

    graph: bytes
    tokenizer: bytes
    max_tokens: int
    cache: Path | None = None
    """Where parts are kept, if anywhere."""

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Matrix:
        """Features (n, d) of `texts` in half precision: what the rounding to int8 inside loses is larger."""
        parts = [texts[first : first + _TEXTS_PER_PART] for first in range(0, len(texts), _TEXTS_PER_PART)]
        model = digest_bytes(self.graph) + digest_bytes(self.tokenizer) + str(self.max_tokens)
        done: list[Matrix] = []
        reader: _Reader | None = None
        for part in parts:
            path = None if self.cache is None else self.cache / f"{_part_name(model, part)}.npy"
            kept = _kept(path, len(part))
            if kept is None:
                reader = reader or _Reader(self)
                kept = reader.read(part)
                _keep(path, kept)
            done.append(kept)
            if progress is not None:
                progress("embedding", sum(map(len, done)), len(texts))
        return np.concatenate(done) if done else np.empty((0, 0), np.float16)

    def features(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], list[bool]]:
        """What a worker answers for `texts` (n, d), one by one and unrounded, and which of them were cut."""
        reader = _Reader(self)
        ids = reader.encode(texts)
        rows = [reader.run(np.array([one], np.int64)) for one in ids]
        return np.concatenate(rows), reader.truncated(texts)

    def milliseconds_per_text(self, texts: Sequence[str]) -> float:
        """CPU milliseconds that one text of `texts` costs alone."""
        reader = _Reader(self)
        ids = reader.encode(texts)
        reader.run(np.array([ids[0]], np.int64))
        started = time.thread_time()
        for one in ids:
            reader.run(np.array([one], np.int64))
        return (time.thread_time() - started) / max(len(ids), 1) * 1_000


class _Reader:
    """A live session and tokenizer."""

    def __init__(self, embedder: Embedder) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(embedder.graph, options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_buffer(embedder.tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(embedder.max_tokens)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, cut to the window."""
        return [one.ids for one in self._tokenizer.encode_batch(list(texts))]

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Which texts did not fit the window."""
        return [bool(one.overflowing) for one in self._tokenizer.encode_batch(list(texts))]

    def run(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of texts of equal length."""
        return np.asarray(self._session.run(["features"], {"ids": ids})[0], np.float32)

    def read(self, texts: Sequence[str]) -> Matrix:
        """Features of `texts`, in their order."""
        ids = self.encode(texts)
        chosen = list(_groups(ids))
        with ThreadPoolExecutor(cores()) as pool:
            found = list(pool.map(lambda rows: self.run(np.array([ids[row] for row in rows], np.int64)), chosen))
        features = np.empty((len(texts), found[0].shape[1]), np.float16)
        for rows, values in zip(chosen, found, strict=True):
            features[rows] = values
        return features


def _groups(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Rows of equal length, longest first so that no core is left with the long ones, under the token budget."""
    order = sorted(range(len(ids)), key=lambda row: (-len(ids[row]), row))
    for length, rows in groupby(order, key=lambda row: len(ids[row])):
        together = list(rows)
        size = max(1, _TOKENS_PER_CALL // max(length, 1))
        for first in range(0, len(together), size):
            yield together[first : first + size]


def _part_name(model: str, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(model.encode())
    for text in texts:
        digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()


def _kept(path: Path | None, rows: int) -> Matrix | None:
    """The part on disk, if it is whole."""
    if path is None or not path.exists():
        return None
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError):  # cut short by an interrupted build: made again
        return None
    return np.asarray(found, np.float16) if len(found) == rows else None


def _keep(path: Path | None, features: Matrix) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    with half.open("wb") as file:
        np.save(file, features, allow_pickle=False)
    half.replace(path)
