"""Frames: what the node and a worker say to each other, and how it is spelled in bytes.

A frame is its body's length (4 bytes, big-endian) and its body (msgpack). Vectors are float32, little-endian.
"""

from __future__ import annotations

import struct
from typing import Literal, TypeAlias

import msgspec

from holdfast.errors import HoldfastError

__all__ = [
    "EXIT_OUT_OF_MEMORY",
    "EXIT_UNFIT",
    "HEADER_BYTES",
    "MAX_FRAME_BYTES",
    "MAX_TEXT_CHARS",
    "Ask",
    "BadFrame",
    "Fault",
    "Frame",
    "Load",
    "Ping",
    "Pong",
    "Ready",
    "Reply",
    "Row",
    "Unfit",
    "Vector",
    "pack",
    "take",
]

HEADER_BYTES = 4
MAX_FRAME_BYTES = 16 << 20
"""A frame that claims more is garbage, and is refused before anything is allocated for it."""
MAX_TEXT_CHARS = 16_384
"""A worker reads no more of a text: 256 tokens are rarely more than 2,000 characters, and tokenising a mebibyte to
throw it away takes longer than the answer."""
EXIT_UNFIT = 65
"""A worker's exit code: the model is not one it can serve here."""
EXIT_OUT_OF_MEMORY = 71
"""A worker's exit code: it could not allocate what a request needed."""
_LENGTH = struct.Struct(">I")

Vector: TypeAlias = Literal["features", "embedding"]
"""The graph's output that is wanted: `features` for heads, `embedding` for clients."""
Fault: TypeAlias = Literal["", "late", "invalid", "failed"]


class BadFrame(HoldfastError):
    """Bytes on a lane that are not a frame: whoever wrote them is not in its right mind."""


class Load(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="load"):
    """To a new worker: the model, as open files it inherited, and its limits."""

    graph_fd: int
    tokenizer_fd: int
    lane_fds: tuple[int, ...]
    max_tokens: int
    features_dim: int
    embedding_dim: int
    token_budget: int
    data_limit_bytes: int
    niceness: int
    vectors: bytes
    """Known vectors (JSONL) to be met before it calls itself ready; empty: none."""
    minimum_cosine: float


class Ready(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="ready"):
    """From a worker that can answer."""

    runtime: str
    load_ms: float
    lowest_cosine: float | None
    """Of the known vectors; null when it was not given any."""


class Unfit(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="unfit"):
    """From a worker that will never answer with this model; it ends after this."""

    sentence: str


class Ping(msgspec.Struct, frozen=True, array_like=True, tag="ping"):
    """To a worker: say that you are there."""

    number: int


class Pong(msgspec.Struct, frozen=True, array_like=True, tag="pong"):
    """From a worker: the number of the ping."""

    number: int


class Ask(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="ask"):
    """On a lane: texts, or texts already cut into token ids; one of both is empty."""

    number: int
    deadline_s: float
    """CLOCK_BOOTTIME, the same in every process: what is late when its turn comes is not computed."""
    wanted: Vector
    texts: tuple[str, ...] = ()
    token_ids: tuple[tuple[int, ...], ...] = ()


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What the encoder made of one text."""

    vector: bytes
    token_count: int
    truncated: bool


class Reply(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="reply"):
    """On a lane: one row per text, in order, or a fault."""

    number: int
    rows: tuple[Row, ...] = ()
    fault: Fault = ""
    sentence: str = ""


Frame: TypeAlias = Load | Ready | Unfit | Ping | Pong | Ask | Reply

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Frame)


def pack(frame: Frame) -> bytes:
    """The bytes of `frame`. Raises BadFrame when they would be more than a reader accepts."""
    body = _ENCODER.encode(frame)
    if len(body) > MAX_FRAME_BYTES:
        raise BadFrame(f"a frame holds at most {MAX_FRAME_BYTES} bytes, found {len(body)}")
    return _LENGTH.pack(len(body)) + body


def take(received: bytearray) -> Frame | None:
    """Remove the first whole frame from `received` and return it; null when there is none yet. Raises BadFrame."""
    if len(received) < HEADER_BYTES:
        return None
    (length,) = _LENGTH.unpack_from(received)
    if length > MAX_FRAME_BYTES:
        raise BadFrame(f"a frame holds at most {MAX_FRAME_BYTES} bytes, found a header that says {length}")
    end = HEADER_BYTES + length
    if len(received) < end:
        return None
    try:
        frame: Frame = _DECODER.decode(memoryview(received)[HEADER_BYTES:end])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFrame(f"a frame of {length} bytes is not one of ours: {error}") from error
    finally:
        del received[:end]
    return frame
