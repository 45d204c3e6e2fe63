"""Tensors: named arrays in the safetensors layout, written and read with numpy alone.

The layout is eight bytes with the length of a JSON header, the header, then the arrays. A node has no safetensors
library; a reader of that library opens these files, and this one opens its files. Nothing in them is executable.
Source: https://github.com/huggingface/safetensors, section "Format".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.digest import canonical
from holdfast.errors import HumanNeeded

__all__ = ["Tensors", "TensorsUnreadable", "read_tensors", "write_tensors"]

_LENGTH_BYTES = 8
_ALIGNMENT = 8  # so that rows of eight int8 can be read as one integer
_MAX_HEADER_BYTES = 1 << 20
_TYPES = {"I8": "<i1", "U8": "<u1", "I32": "<i4", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8"}
_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}


class TensorsUnreadable(HumanNeeded):
    """A file that does not hold the arrays its reader expects."""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tensors:
    """The arrays of one file, views into the very bytes that were read, and the file's own notes."""

    arrays: Mapping[str, NDArray[Any]]
    notes: Mapping[str, str]

    def get(self, name: str, dtype: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """The array `name`. Raises TensorsUnreadable unless its type and shape (None: any) are these."""
        array = self.arrays.get(name)
        if array is None:
            raise TensorsUnreadable(f"expected an array {name!r}, found {sorted(self.arrays)}")
        fits = len(shape) == array.ndim and all(
            want in (None, has) for want, has in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype != np.dtype(_TYPES[dtype]):
            raise TensorsUnreadable(f"array {name!r}: expected {dtype} {shape}, found {array.dtype} {array.shape}")
        return array


def write_tensors(arrays: Mapping[str, NDArray[Any]], notes: Mapping[str, str] | None = None) -> bytes:
    """Encode `arrays`: widest type first, then by name, so that equal content gives equal bytes."""
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header: dict[str, Any] = {"__metadata__": dict(notes)} if notes else {}
    chunks: list[bytes] = []
    offset = 0
    for name, array in ordered:
        content = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        span = [offset, offset + len(content)]
        header[name] = {
            "dtype": _NAMES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": span,
        }
        chunks.append(content)
        offset += len(content)
    encoded = canonical(header)
    encoded += b" " * (-len(encoded) % _ALIGNMENT)
    return b"".join([len(encoded).to_bytes(_LENGTH_BYTES, "little"), encoded, *chunks])


def read_tensors(content: bytes | memoryview) -> Tensors:
    """Decode `content` without copying it. Raises TensorsUnreadable."""
    view = memoryview(content)
    if len(view) < _LENGTH_BYTES:
        raise TensorsUnreadable(f"expected a tensor file, found {len(view)} bytes")
    length = int.from_bytes(view[:_LENGTH_BYTES], "little")
    if length > min(_MAX_HEADER_BYTES, len(view) - _LENGTH_BYTES):
        raise TensorsUnreadable(f"expected a header inside {len(view)} bytes, found a length of {length}")
    try:
        header = msgspec.json.decode(view[_LENGTH_BYTES : _LENGTH_BYTES + length], type=dict[str, msgspec.Raw])
        notes = msgspec.json.decode(header.pop("__metadata__", msgspec.Raw(b"{}")), type=dict[str, str])
        entries = {name: msgspec.json.decode(raw, type=_Entry) for name, raw in header.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TensorsUnreadable(f"the header of a tensor file is not what the layout says: {error}") from error
    body = view[_LENGTH_BYTES + length :]
    _check_cover(entries, len(body))
    return Tensors({name: _view(name, entry, body) for name, entry in entries.items()}, notes)


def _check_cover(entries: Mapping[str, _Entry], size: int) -> None:
    """The arrays must follow each other without gap or overlap and end where the file ends."""
    end = 0
    for first, last in sorted(entry.data_offsets for entry in entries.values()):
        if first != end or last < first:
            raise TensorsUnreadable(f"expected an array to begin at byte {end}, found {first} to {last}")
        end = last
    if end != size:
        raise TensorsUnreadable(f"expected arrays of {end} bytes, found {size}")


def _view(name: str, entry: _Entry, body: memoryview) -> NDArray[Any]:
    code = _TYPES.get(entry.dtype)
    if code is None:
        raise TensorsUnreadable(f"array {name!r}: expected one of {sorted(_TYPES)}, found {entry.dtype!r}")
    first, last = entry.data_offsets
    if min(entry.shape, default=0) < 0 or prod(entry.shape) * np.dtype(code).itemsize != last - first:
        raise TensorsUnreadable(f"array {name!r}: {entry.dtype} {entry.shape} does not fill {last - first} bytes")
    return np.frombuffer(body[first:last], np.dtype(code)).reshape(entry.shape)
