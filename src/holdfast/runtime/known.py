"""Known vectors: whether a model answers on this CPU as it did where it was built."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from holdfast.runtime.onnx_engine import OnnxEncoder, UnfitModel

__all__ = ["KnownVector", "check_vectors", "read_vectors"]


class KnownVector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text, its token ids, and the unit vector the model made of it when it was built."""

    text: str
    ids: tuple[int, ...]
    embedding: tuple[float, ...]


_DECODER = msgspec.json.Decoder(KnownVector)


def read_vectors(lines: bytes) -> tuple[KnownVector, ...]:
    """The rows of a package's vectors file (JSONL). Raises UnfitModel naming the line."""
    rows = []
    for number, line in enumerate(lines.splitlines(), start=1):
        try:
            rows.append(_DECODER.decode(line))
        except msgspec.DecodeError as error:
            raise UnfitModel(f"known vectors, line {number}: {error}") from error
    return tuple(rows)


def check_vectors(encoder: OnnxEncoder, rows: Sequence[KnownVector], *, minimum_cosine: float) -> float:
    """The lowest cosine of `rows`. Raises UnfitModel when tokens differ or a cosine is below `minimum_cosine`."""
    lowest = 1.0
    for row, (ids, _) in zip(rows, encoder.tokenize([row.text for row in rows]), strict=True):
        if tuple(ids) != row.ids:
            raise UnfitModel(
                f"known text {row.text[:40]!r}: expected {len(row.ids)} tokens, found other ones ({len(ids)})"
            )
        (answer,) = encoder.encode_tokens([(ids, False)], "embedding")
        found = np.frombuffer(answer.vector, dtype=np.float32)
        if len(found) != len(row.embedding):
            raise UnfitModel(f"known vectors: expected length {len(row.embedding)}, found {len(found)}")
        lowest = min(lowest, _cosine(found, np.array(row.embedding)))
        if not lowest >= minimum_cosine:  # also when it is not a number
            raise UnfitModel(
                f"known text {row.text[:40]!r}: expected a cosine of at least {minimum_cosine}, found {lowest:.4f}; "
                "this CPU's arithmetic does not suit this variant, another variant may"
            )
    return lowest


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
