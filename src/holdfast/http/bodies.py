"""From body bytes to typed values: what cannot be decoded is 400, what decodes to the wrong thing is 422."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from holdfast.http.problems import InvalidField, MalformedBody

__all__ = ["decode", "encode", "pointer_of", "whole_number"]

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder()
_PATH = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")

encode = _ENCODER.encode
"""Any msgspec value as JSON bytes."""


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode `body`. Raises MalformedBody (not JSON) or InvalidField (JSON of the wrong shape, pointer named)."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        text = str(error)
        raise InvalidField(_PATH.sub("", text), field=pointer_of(text)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedBody(f"body: expected JSON in UTF-8, found {error}") from error


def pointer_of(message: str) -> str:
    """Return the JSON pointer (RFC 6901) of the place a msgspec message names; empty for the whole body."""
    found = _PATH.search(message)
    if found is None:
        return ""
    steps = (name or index for name, index in _STEP.findall(found[1]))
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def whole_number(text: str, name: str, *, least: int, most: int) -> int:
    """Read a query parameter or header as a whole number in a range. Raises InvalidField."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise InvalidField(f"{name}: expected a whole number from {least} to {most}, found {text[:40]!r}", field=name)
    return int(text)
