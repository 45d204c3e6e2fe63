"""Digests, and the one canonical encoding that is hashed."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NewType

import msgspec

from holdfast.errors import InvalidInput

__all__ = ["Digest", "InvalidDigest", "canonical", "digest_bytes", "digest_value", "parse_digest"]

Digest = NewType("Digest", str)
"""`sha256:` and 64 lower-case hexadecimal digits."""

_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")
_ENCODER = msgspec.json.Encoder(order="sorted")


class InvalidDigest(InvalidInput):
    """A string that is not `sha256:` and 64 lower-case hexadecimal digits."""


def digest_bytes(content: bytes | bytearray | memoryview) -> Digest:
    """Return the digest of `content`."""
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def canonical(value: Any) -> bytes:  # any value msgspec can encode
    """Encode `value` as JSON with sorted keys and no spaces: equal values give equal bytes."""
    return _ENCODER.encode(value)


def digest_value(value: Any) -> Digest:  # any value msgspec can encode
    """Return the digest of the canonical encoding of `value`."""
    return digest_bytes(canonical(value))


def parse_digest(text: str) -> Digest:
    """Return `text` as a Digest. Raises InvalidDigest."""
    if not _PATTERN.fullmatch(text):
        raise InvalidDigest(f"a digest is 'sha256:' and 64 lower-case hex digits, found {text[:80]!r}")
    return Digest(text)
