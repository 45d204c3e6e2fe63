"""Frames survive any cut, and garbage is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime.frames import (
    MAX_FRAME_BYTES,
    Ask,
    BadFrame,
    Frame,
    Load,
    Ping,
    Pong,
    Ready,
    Reply,
    Row,
    Unfit,
    pack,
    take,
)

FRAMES: tuple[Frame, ...] = (
    Ping(7),
    Pong(7),
    Ready(runtime="onnxruntime-1/avx2", load_ms=1.5, lowest_cosine=0.99),
    Unfit(sentence="no"),
    Ask(number=1, deadline_s=2.0, wanted="features", texts=("a", "ü🖨️")),
    Ask(number=2, deadline_s=2.0, wanted="embedding", token_ids=((1, 2), (3,))),
    Reply(number=1, rows=(Row(b"\0" * 6144, 12, truncated=True),)),
    Reply(number=2, fault="failed", sentence="oh"),
    Load(
        graph_fd=3,
        tokenizer_fd=4,
        lane_fds=(5, 6),
        max_tokens=256,
        features_dim=8,
        embedding_dim=4,
        token_budget=1024,
        data_limit_bytes=0,
        niceness=0,
        vectors=b"{}",
        minimum_cosine=0.9,
    ),
)


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_frame_arrives_whole_however_it_is_cut(frame: Frame) -> None:
    sent, received, taken = pack(frame) * 2, bytearray(), []
    for start in range(0, len(sent), 5):
        received += sent[start : start + 5]
        while (one := take(received)) is not None:
            taken.append(one)
    assert taken == [frame, frame]


@given(st.binary(max_size=200))
def test_garbage_is_a_bad_frame_or_no_frame_yet(content: bytes) -> None:
    received = bytearray(content)
    try:
        frame = take(received)
    except BadFrame:
        return
    assert frame is None or isinstance(frame, Frame)


def test_a_header_that_claims_too_much_is_refused_before_anything_is_read() -> None:
    with pytest.raises(BadFrame, match="holds at most"):
        take(bytearray((MAX_FRAME_BYTES + 1).to_bytes(4, "big")))


def test_a_frame_too_large_to_read_is_not_sent() -> None:
    with pytest.raises(BadFrame, match="holds at most"):
        pack(Unfit(sentence="x" * MAX_FRAME_BYTES))
