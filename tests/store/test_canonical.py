"""The canonical encoding of docs/spec/package.md, section 3, written a second time from its text alone."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.digest import canonical
from holdfast.store.package import open_package

SHORT = {0x22: '\\"', 0x5C: "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}


def encode(value: Any) -> str:
    """Section 3, rule by rule."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):  # rule 2
        members = sorted(value.items(), key=lambda member: member[0].encode())
        return "{" + ",".join(f"{encode(name)}:{encode(inner)}" for name, inner in members) + "}"
    if isinstance(value, list):  # rule 6
        return "[" + ",".join(map(encode, value)) + "]"
    if isinstance(value, str):  # rule 3
        return '"' + "".join(SHORT.get(ord(c), c if ord(c) >= 0x20 else f"\\u00{ord(c):02x}") for c in value) + '"'
    return str(value) if isinstance(value, int) else number(value)  # rules 4 and 5


def number(value: float) -> str:
    """Rule 5; Python's repr gives the fewest digits."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if value == 0:
        return f"{sign}0.0"
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction.removesuffix("0" if fraction == "0" else "")).lstrip("0")
    leading = len(whole + fraction) - len((whole + fraction).lstrip("0"))
    e = int(exponent or 0) + len(whole) - 1 - leading
    digits = digits.rstrip("0") or "0"
    if not -5 <= e <= 15:
        return f"{sign}{digits[0]}{'.' + digits[1:] if digits[1:] else ''}e{e}"
    if e < 0:
        return f"{sign}0.{'0' * (-e - 1)}{digits}"
    return f"{sign}{digits[: e + 1].ljust(e + 1, '0')}.{digits[e + 1 :] or '0'}"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(values)
@settings(derandomize=True, max_examples=500)
def test_the_specification_and_the_code_agree(value: Any) -> None:
    assert canonical(value) == encode(value).encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (1e-5, "0.00001"),
        (9.9e-6, "9.9e-6"),
        (1e-7, "1e-7"),
        (1.5e17, "1.5e17"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e16"),
        (-0.0, "-0.0"),
        (5e-324, "5e-324"),
    ],
)
def test_numbers_look_as_the_specification_says(value: float, text: str) -> None:
    assert canonical(value).decode() == number(value) == text


def test_a_real_manifest_is_its_encoding_by_the_specification(package) -> None:
    with open_package(package) as opened:
        assert encode(json.loads(opened.manifest_bytes)).encode() == opened.manifest_bytes
