"""A bounded cache of answers, by model and text."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["BoundedCache", "text_key"]

Value = TypeVar("Value")


def text_key(model: str, text: str) -> bytes:
    """The key of `text` under `model` (a digest): whoever has another model never meets this one's answers."""
    return hashlib.sha256(f"{model}\0{text}".encode(errors="surrogatepass")).digest()


class BoundedCache(Generic[Value]):
    """At most `max_entries` values; the one unused longest goes first. One lock guards the map."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._values: OrderedDict[bytes, Value] = OrderedDict()

    def get(self, key: bytes) -> Value | None:
        """The value of `key`, null when it is not held."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: bytes, value: Value) -> None:
        """Hold `value`, and let go of what is too much."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._max_entries:
                self._values.popitem(last=False)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._values.clear()

    def __len__(self) -> int:
        return len(self._values)
