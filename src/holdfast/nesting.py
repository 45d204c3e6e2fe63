"""How deep a JSON text nests, found in linear time before any recursive decoder sees it."""

from __future__ import annotations

import re
from itertools import accumulate

__all__ = ["deeper_than"]

# Possessive, the closing quote optional: an unterminated string is consumed once, not tried again from each quote.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def deeper_than(text: bytes, limit: int) -> bool:
    """Say whether brackets outside strings nest deeper than `limit`; text that is not JSON may give either answer."""
    if text.count(b"[") + text.count(b"{") <= limit:
        return False
    brackets = _STRING.sub(b"", text).translate(None, _NOT_BRACKETS)
    return any(depth > limit for depth in accumulate(map(_STEP.__getitem__, brackets)))
