"""The depth of a JSON text, found without recursion and in linear time."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.nesting import deeper_than

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab"\\[]{}:,'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='"[{\\'), inner, max_size=3),
    max_leaves=40,
)


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(VALUES, st.integers(0, 6))
def test_the_depth_of_any_json_is_the_depth_of_its_brackets(value: object, limit: int) -> None:
    assert deeper_than(json.dumps(value).encode(), limit) == (depth(value) > limit)


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(text: bytes) -> None:
    assert deeper_than(text, 2) in (True, False)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 1_000_000,
        b"[" + b"[]," * 340_000 + b"[]]",
        b'{"a":"' + b'\\"' * 500_000,
        b'"a' * 350_000 + b"[" * 70,
        b'"\\' * 300_000 + b"[" * 70,
        (b"[" * 63 + b"]" * 63) * 8_000,
    ],
    ids=["deep", "flat", "escapes", "unterminated", "backslashes", "saw"],
)
def test_a_megabyte_made_to_hurt_takes_no_time(text: bytes) -> None:
    started = time.process_time()
    deeper_than(text, 64)
    assert time.process_time() - started < 0.25
