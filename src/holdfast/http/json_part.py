"""Which part of a body is JSON."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["json_part"]

_JSON, _BINARY, _JSON_LENGTH = b"application/json", b"application/octet-stream", b"inference-header-content-length"
_MOST_DIGITS = 10


def json_part(body: bytes, headers: Mapping[bytes, bytes], media_types: tuple[bytes, ...]) -> bytes:
    """Return what of a body is JSON: all of it, or where the endpoint takes binary tensors too, what precedes them."""
    length = headers.get(_JSON_LENGTH, b"").strip(b" \t")
    if _BINARY in media_types and length:
        # A length that is no number is refused by the endpoint, before it decodes anything.
        return body[: int(length)] if length.isdigit() and len(length) <= _MOST_DIGITS else b""
    kind = headers.get(b"content-type", _JSON).partition(b";")[0].strip().lower()
    return body if kind in (_JSON, b"") or _BINARY in media_types else b""
