"""Open Inference Protocol v2 on the wire: infer requests and answers, as JSON tensors or with the binary extension.

Source: the protocol's REST specification ("Predict Protocol - Version 2"), and for raw tensors Triton's "Binary Tensor
Data Extension": a JSON header of `Inference-Header-Content-Length` bytes, then each binary tensor in order; an element
of type BYTES is a 4-byte little-endian length and that many bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from holdfast.errors import InvalidInput

__all__ = [
    "INPUT",
    "OUTPUTS",
    "InferQuestion",
    "OutputTensor",
    "TensorMismatch",
    "decode_infer",
    "encode_infer",
    "model_metadata",
]

_MOST_TEXTS = 256  # as many as a batch of tickets

INPUT: dict[str, Any] = {"name": "text", "datatype": "BYTES", "shape": [-1]}
OUTPUTS: tuple[dict[str, Any], ...] = (
    {"name": "score", "datatype": "FP32", "shape": [-1]},
    {"name": "priority_probabilities", "datatype": "FP32", "shape": [-1, 4]},
    {"name": "priority", "datatype": "BYTES", "shape": [-1]},
    {"name": "route", "datatype": "BYTES", "shape": [-1]},
)
_OUTPUT_NAMES = tuple(output["name"] for output in OUTPUTS)


class TensorMismatch(InvalidInput):
    """A tensor that is not what the model takes or gives."""


class _Parameters(msgspec.Struct, frozen=True):
    binary_data: bool | None = None
    binary_data_size: int | None = None


class _Input(msgspec.Struct, frozen=True):
    name: str
    shape: tuple[int, ...]
    datatype: str
    parameters: _Parameters = _Parameters()
    data: msgspec.Raw = msgspec.Raw()


class _Output(msgspec.Struct, frozen=True):
    name: str
    parameters: _Parameters = _Parameters()


class _RequestParameters(msgspec.Struct, frozen=True):
    binary_data_output: bool = False
    deadline_ms: float | None = None


class _Request(msgspec.Struct, frozen=True):
    inputs: tuple[_Input, ...]
    id: str = ""
    parameters: _RequestParameters = _RequestParameters()
    outputs: tuple[_Output, ...] = ()


@dataclass(frozen=True, slots=True)
class InferQuestion:
    """A decoded infer request."""

    id: str
    texts: tuple[str, ...]
    outputs: dict[str, bool]
    """Names of the outputs to return, in order, and whether each is wanted in binary form."""
    deadline_ms: float | None


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output: FP32 values are floats, BYTES values are strings; row-major."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[float] | Sequence[str]


_DECODER = msgspec.json.Decoder(_Request)


def decode_infer(body: bytes, *, header_bytes: int | None) -> InferQuestion:
    """Decode an infer request; `header_bytes` is the value of `Inference-Header-Content-Length`, if sent.

    Raises TensorMismatch, or msgspec's errors for what is not a request at all.
    """
    if header_bytes is not None and not 0 < header_bytes <= len(body):
        raise TensorMismatch(f"Inference-Header-Content-Length is {header_bytes}, the body has {len(body)} bytes")
    request = _DECODER.decode(body if header_bytes is None else body[:header_bytes])
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT["name"]:
        names = [one.name for one in request.inputs]
        raise TensorMismatch(f"inputs must be the one tensor 'text', found {names[:8]}", field="/inputs")
    texts = _texts(request.inputs[0], memoryview(body)[header_bytes:] if header_bytes is not None else None)
    return InferQuestion(request.id, texts, _wanted(request), request.parameters.deadline_ms)


def _wanted(request: _Request) -> dict[str, bool]:
    default = request.parameters.binary_data_output
    wanted = {
        output.name: default if output.parameters.binary_data is None else output.parameters.binary_data
        for output in request.outputs
    }
    unknown = [name for name in wanted if name not in _OUTPUT_NAMES]
    if unknown:
        raise TensorMismatch(f"outputs must be among {list(_OUTPUT_NAMES)}, found {unknown[:8]}", field="/outputs")
    return wanted or dict.fromkeys(_OUTPUT_NAMES, default)


def _texts(given: _Input, binary: memoryview | None) -> tuple[str, ...]:
    if given.datatype != "BYTES":
        raise TensorMismatch(f"datatype must be BYTES, found {given.datatype!r}", field="/inputs/0/datatype")
    count = _count(given.shape)
    size = given.parameters.binary_data_size
    if size is not None:
        texts = _from_binary(binary, size)
    elif given.data:
        texts = _from_json(given.data)
    else:
        raise TensorMismatch(
            "a tensor has either data or parameters.binary_data_size, found neither", field="/inputs/0"
        )
    if len(texts) != count:
        raise TensorMismatch(
            f"shape {list(given.shape)} means {count} texts, found {len(texts)}", field="/inputs/0/shape"
        )
    return texts


def _count(shape: tuple[int, ...]) -> int:
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
        raise TensorMismatch(f"shape must be [n] or [n,1], found {list(shape[:8])}", field="/inputs/0/shape")
    if not 1 <= shape[0] <= _MOST_TEXTS:
        raise TensorMismatch(f"n must be from 1 to {_MOST_TEXTS}, found {shape[0]}", field="/inputs/0/shape")
    return shape[0]


def _from_json(raw: msgspec.Raw) -> tuple[str, ...]:
    """A flat list of strings, or the nested one that follows shape [n,1]."""
    try:
        rows = msgspec.json.decode(raw, type=list[str | list[str]])
    except msgspec.ValidationError as error:
        raise TensorMismatch(f"data must be a list of strings: {error}", field="/inputs/0/data") from error
    flat = [[row] if isinstance(row, str) else row for row in rows]
    return tuple(text for row in flat for text in row)


def _from_binary(binary: memoryview | None, size: int) -> tuple[str, ...]:
    if binary is None or len(binary) != size:
        found = 0 if binary is None else len(binary)
        raise TensorMismatch(
            f"binary_data_size is {size}, {found} bytes follow the JSON header", field="/inputs/0/parameters"
        )
    texts: list[str] = []
    position = 0
    while position < size:
        if position + 4 > size:
            raise TensorMismatch("the binary tensor ends inside an element's length", field="/inputs/0/parameters")
        (length,) = struct.unpack_from("<I", binary, position)
        position += 4
        if position + length > size:
            raise TensorMismatch("the binary tensor ends inside an element", field="/inputs/0/parameters")
        try:
            texts.append(str(binary[position : position + length], "utf-8"))
        except UnicodeDecodeError as error:
            raise TensorMismatch(f"element {len(texts)} is not UTF-8: {error}", field="/inputs/0/parameters") from error
        position += length
        if len(texts) > _MOST_TEXTS:
            raise TensorMismatch(f"more than {_MOST_TEXTS} texts in one request", field="/inputs/0/shape")
    return tuple(texts)


def encode_infer(
    head: Mapping[str, Any], tensors: Sequence[OutputTensor], *, outputs: Mapping[str, bool]
) -> tuple[bytes, int | None]:
    """Encode an answer; return the body, and the JSON header's length when binary tensors follow it.

    `head` holds `model_name`, `model_version`, `id` and `parameters`; of `tensors` those in `outputs` are sent.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    described: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name, in_binary in outputs.items():
        tensor = by_name[name]
        one: dict[str, Any] = {"name": name, "datatype": tensor.datatype, "shape": tensor.shape}
        if in_binary:
            parts.append(_to_binary(tensor))
            one["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            one["data"] = tensor.values
        described.append(one)
    header = msgspec.json.encode({**head, "outputs": described})
    return (b"".join([header, *parts]), len(header)) if parts else (header, None)


def _to_binary(tensor: OutputTensor) -> bytes:
    if tensor.datatype == "FP32":
        return struct.pack(f"<{len(tensor.values)}f", *tensor.values)
    encoded = [str(value).encode() for value in tensor.values]
    return b"".join(struct.pack("<I", len(one)) + one for one in encoded)


def model_metadata(name: str, versions: Sequence[str]) -> dict[str, Any]:
    """The answer to `GET /v2/models/{name}`: a triage model's real tensors."""
    return {
        "name": name,
        "versions": list(versions),
        "platform": "holdfast_triage",
        "inputs": [INPUT],
        "outputs": list(OUTPUTS),
    }
