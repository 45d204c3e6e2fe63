"""The safetensors layout, written and read without its library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from holdfast.runtime.tensors import TensorsUnreadable, read_tensors, write_tensors

ARRAYS = {
    "a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "b": np.array([1, -2, 3], np.int8),
    "c": np.array([[0.5]], np.float64),
    "d": np.arange(3, dtype=np.float16),
}


def test_the_library_reads_what_we_write() -> None:
    found = load(write_tensors(ARRAYS, {"features": "ngrams/1"}))
    assert set(found) == set(ARRAYS)
    assert all(np.array_equal(found[name], array) for name, array in ARRAYS.items())


def test_we_read_what_the_library_writes() -> None:
    found = read_tensors(save(ARRAYS, {"note": "x"}))
    assert found.notes == {"note": "x"}
    assert all(np.array_equal(found.arrays[name], array) for name, array in ARRAYS.items())


def test_equal_arrays_give_equal_bytes_whatever_their_order() -> None:
    assert write_tensors(ARRAYS) == write_tensors(dict(reversed(ARRAYS.items())))


def test_wide_rows_are_aligned_so_that_they_need_no_copy() -> None:
    content = write_tensors({"rows": np.ones((4, 8), np.int8), "one": np.ones(3, np.float64)})
    assert read_tensors(content).arrays["rows"].view("<u8").shape == (4, 1)


def test_an_array_of_another_shape_or_type_is_named() -> None:
    tensors = read_tensors(write_tensors(ARRAYS))
    with pytest.raises(TensorsUnreadable, match=r"'a'.*float32"):
        tensors.get("a", "F64", (None, 4))
    with pytest.raises(TensorsUnreadable, match=r"'z'.*\['a', 'b', 'c', 'd'\]"):
        tensors.get("z", "F32", (1,))


def test_a_file_cut_short_is_refused() -> None:
    content = write_tensors(ARRAYS)
    for length in (0, 7, 20, len(content) - 1):
        with pytest.raises(TensorsUnreadable):
            read_tensors(content[:length])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_and_never_crash(content: bytes) -> None:
    with pytest.raises(TensorsUnreadable):
        read_tensors(content)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_changed_header_is_refused_or_read_as_whole_arrays(data: st.DataObject) -> None:
    content = bytearray(write_tensors(ARRAYS))
    place = data.draw(st.integers(0, 120))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        tensors = read_tensors(bytes(content))
    except TensorsUnreadable:
        return
    assert sum(array.nbytes for array in tensors.arrays.values()) <= len(content)
