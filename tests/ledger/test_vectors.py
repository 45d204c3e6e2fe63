"""The format as docs/spec/ledger.md writes it down: a verifier that shares no code with ours agrees on every vector."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.ledger.chain import Audit, Link, erased_through

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "ledger").glob("*.json"))
Entry = dict[str, Any]

each_vector = pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)


def _first_break(entries: list[Entry]) -> int | None:
    """Section 4 and 5 of the specification, step by step, with the standard library alone."""
    headers = [json.loads(entry["header"]) for entry in entries]
    previous, expected = bytes(32), 1
    broken: list[int] = []
    for entry, header in zip(entries, headers, strict=True):
        sequence, sealed = entry["sequence"], entry["sealed"]
        computed = hashlib.sha256(b"holdfast-ledger-1\n" + previous + entry["header"].encode()).hexdigest()
        holds = sequence == expected and computed == entry["hash"] and header["sequence"] == sequence
        if holds and sealed is not None:
            holds = hashlib.sha256(base64.b64decode(sealed)).hexdigest() == header["payload_sha256"]
        elif holds and header["payload_sha256"] is not None:
            holds = _is_explained(header, headers)
        if not holds:
            broken.append(sequence)
        previous, expected = bytes.fromhex(entry["hash"]), sequence + 1
    return min(broken) if broken else None


def _is_explained(header: Entry, headers: list[Entry]) -> bool:
    for later in headers:
        if later["sequence"] <= header["sequence"]:
            continue
        if later["kind"] == "retention" and header["sequence"] <= int(later["band"].removeprefix("through ")):
            return True
        if later["kind"] == "erasure" and later["subject_hmac"] == header["subject_hmac"] is not None:
            return True
    return False


def _ours(entries: list[Entry]) -> Audit:
    headers = [json.loads(entry["header"]) for entry in entries]
    claims = [erased_through(header["band"]) for header in headers if header["kind"] == "retention"]
    audit = Audit(claimed_through=max(claims, default=0))
    audit.take(
        Link(
            entry["sequence"],
            entry["header"].encode(),
            bytes.fromhex(entry["hash"]),
            base64.b64decode(entry["sealed"]) if entry["sealed"] is not None else None,
        )
        for entry in entries
    )
    return audit


@each_vector
def test_an_independent_verifier_reaches_the_verdict_in_the_file(path: Path) -> None:
    vector = json.loads(path.read_bytes())
    assert _first_break(vector["entries"]) == vector["verdict"]["first_break"]


@each_vector
def test_ours_reaches_the_verdict_in_the_file(path: Path) -> None:
    vector = json.loads(path.read_bytes())
    found = _ours(vector["entries"]).verdict()
    assert found.ok == vector["verdict"]["ok"]
    assert (min(found.breaks)[0] if found.breaks else None) == vector["verdict"]["first_break"]


def test_the_whole_ledger_counts_what_was_erased_and_what_was_never_kept() -> None:
    vector = json.loads(next(path for path in VECTORS if path.stem == "whole").read_bytes())
    found = _ours(vector["entries"]).verdict()
    expected = {key: vector["verdict"][key] for key in ("entries", "sealed", "erased", "headers_only")}
    assert {key: getattr(found, key) for key in expected} == expected


def test_the_anchor_is_signed_as_the_specification_says() -> None:
    vector = json.loads(next(path for path in VECTORS if path.stem == "whole").read_bytes())
    text = vector["anchor"]["file"]
    key = hmac.digest(bytes.fromhex(vector["anchor"]["node_key"]), b"holdfast anchor\x01", "sha256")
    signed = text[len('{"anchor":') : text.index(',"hmac":')].encode()
    assert json.loads(text)["hmac"] == hmac.digest(key, signed, "sha256").hex()
    assert json.loads(signed)["hash"] == vector["entries"][-1]["hash"]
