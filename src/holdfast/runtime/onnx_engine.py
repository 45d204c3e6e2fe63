"""The encoder on ONNX Runtime: texts to vectors, on one thread, in groups of equal length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from holdfast.errors import HoldfastError
from holdfast.runtime.cpu import cpu_class
from holdfast.runtime.engine import InvalidTokens
from holdfast.runtime.frames import MAX_TEXT_CHARS, Row, Vector
from holdfast.runtime.group import equal_length_groups

__all__ = ["OnnxEncoder", "UnfitModel"]

_ERRORS_ONLY = 3
_SHRINK_ABOVE_TOKENS = 160
"""After a larger call the arena gives back what it grew by: 15 MB less for two lanes, at a cost nobody could measure.
After every call it would cost 8 % of the time."""


class UnfitModel(HoldfastError):
    """The model cannot be loaded here, or does not answer here as it did where it was built."""


class OnnxEncoder:
    """One session for any number of threads; ONNX Runtime lets go of the interpreter while it works."""

    def __init__(self, graph: str, tokenizer: str, *, max_tokens: int, token_budget: int = 1024) -> None:
        """`graph`, `tokenizer`: paths. Raises UnfitModel."""
        self._max_tokens, self._token_budget = max_tokens, token_budget
        try:
            self._tokenizer = Tokenizer.from_file(tokenizer)
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(max_tokens)
            self._session = onnxruntime.InferenceSession(graph, _options(), providers=["CPUExecutionProvider"])
        except Exception as error:  # both libraries raise bare Exceptions of many kinds; all mean the same here
            raise UnfitModel(f"the model cannot be loaded: {error}") from error
        self._shrinking = onnxruntime.RunOptions()
        self._shrinking.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self._vocabulary_size = self._tokenizer.get_vocab_size()

    @property
    def runtime(self) -> str:
        """The engine, its version and the CPU feature class."""
        return f"onnxruntime-{onnxruntime.__version__}/{cpu_class()}"

    def require(self, dimensions: dict[Vector, int]) -> None:
        """Raise UnfitModel unless the graph's outputs are as long as `dimensions` says."""
        found = {output.name: output.shape[-1] for output in self._session.get_outputs()}
        for name, length in dimensions.items():
            if found.get(name) != length:
                raise UnfitModel(f"graph output {name!r}: expected length {length}, found {found.get(name)}")

    def tokenize(self, texts: Sequence[str]) -> list[tuple[list[int], bool]]:
        """For each text its token ids and whether it was cut to the window."""
        encoded = [self._tokenizer.encode(text[:MAX_TEXT_CHARS]) for text in texts]
        return [
            (one.ids, bool(one.overflowing) or len(text) > MAX_TEXT_CHARS)
            for one, text in zip(encoded, texts, strict=True)
        ]

    def check_tokens(self, token_ids: Sequence[Sequence[int]]) -> None:
        """Raise InvalidTokens unless every list is a text this model could have been given."""
        for ids in token_ids:
            if not 0 < len(ids) <= self._max_tokens:
                raise InvalidTokens(f"token ids: expected 1 to {self._max_tokens}, found {len(ids)}", field="/input")
            if min(ids) < 0 or max(ids) >= self._vocabulary_size:
                raise InvalidTokens(
                    f"token ids: expected 0 to {self._vocabulary_size - 1}, found {min(ids)} to {max(ids)}",
                    field="/input",
                )

    def encode(self, texts: Sequence[str], wanted: Vector) -> list[Row]:
        """One row per text, in order."""
        return self.encode_tokens(self.tokenize(texts), wanted)

    def encode_tokens(self, tokenized: Sequence[tuple[Sequence[int], bool]], wanted: Vector) -> list[Row]:
        """One row per list of token ids, in order; each with whether it was cut."""
        rows: list[Row] = [_NO_ROW] * len(tokenized)
        for group in equal_length_groups([len(ids) for ids, _ in tokenized], self._token_budget):
            ids = np.array([tokenized[i][0] for i in group], dtype=np.int64)
            large = self._shrinking if ids.size > _SHRINK_ABOVE_TOKENS else None
            (vectors,) = self._session.run([wanted], {"ids": ids}, large)
            for i, vector in zip(group, vectors, strict=True):
                rows[i] = Row(vector.tobytes(), ids.shape[1], tokenized[i][1])
        return rows


_NO_ROW = Row(b"", 0, truncated=False)


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # two-thread sessions stall when a neighbour takes a core
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # a plan per length of text: they only pile up
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
