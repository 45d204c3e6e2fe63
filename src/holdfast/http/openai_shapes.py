"""OpenAI's shapes on the wire: models, embeddings, and the error object its clients read.

Source: OpenAI's published OpenAPI description (`/models`, `/embeddings`, `Error`).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from holdfast.errors import InvalidInput

__all__ = [
    "EmbeddingQuestion",
    "EmbeddingRefused",
    "embeddings",
    "error_object",
    "model_list",
    "model_object",
    "questions",
]

_MOST_INPUTS = 256
_TokenId: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class EmbeddingRefused(InvalidInput):
    """An embeddings request that asks for something the model does not do."""


class EmbeddingQuestion(msgspec.Struct, frozen=True):
    """The body of `POST /v1/embeddings`; unknown fields are ignored, as OpenAI's server does with `user`."""

    model: str
    input: str | list[str | _TokenId | list[_TokenId]]
    """One text, a list of texts, one list of token ids, or a list of those; never mixed."""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


def questions(asked: EmbeddingQuestion, *, dimensions: int) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """The texts, or the token id lists, that are to be embedded: one of the two is empty.

    Raises EmbeddingRefused for an empty input, too many, or a length other than the model's `dimensions`.
    """
    if asked.dimensions is not None and asked.dimensions != dimensions:
        raise EmbeddingRefused(
            f"this model's embeddings have {dimensions} dimensions and cannot be shortened, found {asked.dimensions}",
            field="dimensions",
        )
    rows = _rows(asked.input)
    if not rows or len(rows) > _MOST_INPUTS:
        raise EmbeddingRefused(f"input must hold 1 to {_MOST_INPUTS} texts, found {len(rows)}", field="input")
    if not all(rows):
        raise EmbeddingRefused("input must not hold an empty text", field="input")
    return tuple(row for row in rows if isinstance(row, str)), tuple(row for row in rows if isinstance(row, tuple))


def _rows(given: str | list[str | int | list[int]]) -> list[str] | list[tuple[int, ...]]:
    if isinstance(given, str):
        return [given]
    texts = [row for row in given if isinstance(row, str)]
    ids = [row for row in given if isinstance(row, int)]
    lists = [tuple(row) for row in given if isinstance(row, list)]
    if len(given) not in (len(texts), len(ids), len(lists)):
        raise EmbeddingRefused("input mixes texts and token ids; send one kind", field="input")
    if ids:
        return [tuple(ids)]
    return lists or texts


def embeddings(
    model: str, vectors: Sequence[Sequence[float]], *, tokens: int, encoding_format: Literal["float", "base64"]
) -> dict[str, Any]:
    """The answer to `POST /v1/embeddings`. vectors: (n, d), float32."""
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _encoded(vector, encoding_format)}
            for index, vector in enumerate(vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _encoded(vector: Sequence[float], encoding_format: Literal["float", "base64"]) -> Sequence[float] | str:
    if encoding_format == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def model_object(name: str, *, created: int) -> dict[str, Any]:
    """One entry of `GET /v1/models`. `created`: Unix seconds."""
    return {"id": name, "object": "model", "created": created, "owned_by": "holdfast"}


def model_list(names: Sequence[str], *, created: int) -> dict[str, Any]:
    """The answer to `GET /v1/models`."""
    return {"object": "list", "data": [model_object(name, created=created) for name in names]}


def error_object(message: str, *, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The error object. kind: `invalid_request_error`, `server_error`, `rate_limit_error`, ..."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
