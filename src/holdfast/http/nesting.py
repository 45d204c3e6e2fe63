"""How deep a JSON text nests, found in linear time before any recursive decoder sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate

__all__ = ["deeper_than", "json_part"]

# Possessive, the closing quote optional: an unterminated string is consumed once, not tried again from each quote.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_JSON, _BINARY, _JSON_LENGTH = b"application/json", b"application/octet-stream", b"inference-header-content-length"
_MOST_DIGITS = 10
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def json_part(body: bytes, headers: Mapping[bytes, bytes], media_types: tuple[bytes, ...]) -> bytes:
    """Return what of a body is JSON: all of it, or where the endpoint takes binary tensors too, what precedes them."""
    length = headers.get(_JSON_LENGTH, b"").strip(b" \t")
    if _BINARY in media_types and length:
        # A length that is no number is refused by the endpoint, before it decodes anything.
        return body[: int(length)] if length.isdigit() and len(length) <= _MOST_DIGITS else b""
    kind = headers.get(b"content-type", _JSON).partition(b";")[0].strip().lower()
    return body if kind in (_JSON, b"") or _BINARY in media_types else b""


def deeper_than(text: bytes, limit: int) -> bool:
    """Say whether brackets outside strings nest deeper than `limit`; text that is not JSON may give either answer."""
    if text.count(b"[") + text.count(b"{") <= limit:
        return False
    brackets = _STRING.sub(b"", text).translate(None, _NOT_BRACKETS)
    return any(depth > limit for depth in accumulate(map(_STEP.__getitem__, brackets)))
