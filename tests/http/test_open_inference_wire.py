"""Open Inference Protocol tensors: what goes in comes out, and what is wrong is named."""

from __future__ import annotations

import contextlib
import json
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.http.open_inference import OutputTensor, TensorMismatch, decode_infer, encode_infer


def _json_body(**change: object) -> bytes:
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a", "b"], **change}
    return json.dumps({"id": "7", "inputs": [tensor]}).encode()


def _binary_body(texts: list[str]) -> tuple[bytes, int]:
    elements = [text.encode() for text in texts]
    raw = b"".join(struct.pack("<I", len(one)) + one for one in elements)
    tensor = {
        "name": "text",
        "shape": [len(texts), 1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(raw)},
    }
    header = json.dumps(
        {"inputs": [tensor], "outputs": [{"name": "score", "parameters": {"binary_data": True}}]}
    ).encode()
    return header + raw, len(header)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_texts_sent_in_binary_form_arrive_unchanged(texts: list[str]) -> None:
    body, header_bytes = _binary_body(texts)
    assert decode_infer(body, header_bytes=header_bytes).texts == tuple(texts)


def test_a_column_of_texts_is_as_good_as_a_row() -> None:
    column = decode_infer(_json_body(shape=[2, 1], data=[["a"], ["b"]]), header_bytes=None)
    assert column.texts == decode_infer(_json_body(), header_bytes=None).texts == ("a", "b")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "image"}, "inputs must be the one tensor 'text'"),
        ({"datatype": "FP32"}, "datatype must be BYTES"),
        ({"shape": [3]}, "means 3 texts, found 2"),
        ({"shape": [2, 2]}, r"shape must be \[n\] or \[n,1\]"),
        ({"shape": [-1]}, "n must be from 1 to 256"),
        ({"data": [1, 2]}, "data must be a list of strings"),
        ({"data": None}, "data must be a list of strings"),
        ({"parameters": {"binary_data_size": 9}}, "0 bytes follow the JSON header"),
    ],
)
def test_a_wrong_tensor_is_refused_by_name(change: dict[str, object], said: str) -> None:
    with pytest.raises(TensorMismatch, match=said):
        decode_infer(_json_body(**change), header_bytes=None)


@given(st.binary(max_size=64), st.integers(-5, 80))
def test_any_bytes_are_a_request_or_a_named_refusal(body: bytes, header_bytes: int) -> None:
    with contextlib.suppress(TensorMismatch, msgspec.DecodeError):
        decode_infer(body, header_bytes=header_bytes)


def test_a_truncated_binary_tensor_is_refused() -> None:
    body, header_bytes = _binary_body(["VPN does not connect"])
    with pytest.raises(TensorMismatch, match="bytes follow the JSON header"):
        decode_infer(body[:-1], header_bytes=header_bytes)


def test_only_the_outputs_asked_for_are_sent_each_in_the_form_asked_for() -> None:
    tensors = [OutputTensor("score", "FP32", (1,), [42.5]), OutputTensor("route", "BYTES", (1,), ["Hardware"])]
    body, header_bytes = encode_infer({"id": "7"}, tensors, outputs={"route": False, "score": True})
    header = json.loads(body[:header_bytes])
    assert [output["name"] for output in header["outputs"]] == ["route", "score"]
    assert header["outputs"][0]["data"] == ["Hardware"]
    assert struct.unpack("<f", body[header_bytes:]) == (42.5,)
