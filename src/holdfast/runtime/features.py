"""Hashed n-grams: how every linear head of a package sees a batch of texts, extracted once for all of them.

A text is lower-cased; every run of characters that are not letters, digits or `_` becomes a space. Words (two bytes or
more) give word n-grams; bytes give character n-grams that lie inside one word and the spaces beside it (`char_wb` of
scikit-learn). The whole batch is one byte buffer, so that the cost is a few vector operations whatever the number of
texts. Everything is integer arithmetic modulo 2**32: the same rows on every machine. `FEATURES_VERSION` names it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.errors import HumanNeeded
from holdfast.manifest import NgramSpec

__all__ = [
    "FEATURES_VERSION",
    "MAX_CHARACTERS",
    "Family",
    "Features",
    "Plan",
    "UnknownFeatures",
    "extract",
    "groups",
]

FEATURES_VERSION = "ngrams/1"
MAX_CHARACTERS = 16_384
"""N-grams read this much of a text: an adversarial megabyte costs no more than a long ticket."""

_MAX_BYTES = 1 << 17  # a group is at most MAX_CHARACTERS characters of four bytes, and the spaces between its texts
_SPACE = 32
_ASCII_END = 128
_SHORTEST_WORD = 2  # bytes: a single letter says nothing and is everywhere
_CHAR_ORDERS = (2, 3, 4)  # a window must fit 32 bits
_WORD_ORDERS = (1, 2, 3)

_BASE = 0x01000193  # FNV-1's 32-bit prime: odd, so it has an inverse modulo 2**32
_CHAIN = np.uint32(0x85EBCA6B)  # MurmurHash3's finaliser constants
_SPREAD = np.uint32(0x9E3779B1)  # 2**32 / golden ratio (Knuth 6.4): multiplicative hashing keeps the high bits
_SALT = {2: np.uint32(0x27D4EB2F), 3: np.uint32(0x165667B1), 4: np.uint32(0xC2B2AE35)}
_WINDOW_MASK = {2: np.uint32(0xFFFF), 3: np.uint32(0xFFFFFF), 4: np.uint32(0xFFFFFFFF)}

_NOT_WORD = re.compile(r"\W+")
_KEPT = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_")
_FOLD = bytes(code if code in _KEPT or code >= _ASCII_END else _SPACE for code in bytes(range(256)).lower())


class UnknownFeatures(HumanNeeded):
    """A package asks for n-grams that this version cannot make."""


Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Family:
    """Rows of one n-gram order over the whole batch: those of text i are `rows[bounds[i]:bounds[i + 1]]`."""

    rows: Rows
    bounds: Rows
    """(texts + 1,)"""


@dataclass(frozen=True, slots=True)
class Features:
    """The n-grams of a batch of texts, and where its words stand, for the evidence."""

    texts: int
    words: dict[int, Family]
    chars: dict[int, Family]
    buffer: bytes
    word_starts: Rows
    word_ends: Rows

    def word(self, position: int) -> str:
        """The word (order-1 n-gram) at `position` of the batch, folded."""
        return self.buffer[self.word_starts[position] : self.word_ends[position]].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Plan:
    """The orders that one extraction makes: the union of what all heads of a package read."""

    word_orders: tuple[int, ...]
    char_orders: tuple[int, ...]
    hash_bits: int

    @classmethod
    def over(cls, specs: Iterable[NgramSpec]) -> Plan:
        """The plan that serves every spec. Raises UnknownFeatures when one cannot be served."""
        wanted = tuple(specs)
        bits = {spec.hash_bits for spec in wanted}
        words = {order for spec in wanted for order in spec.word_orders}
        chars = {order for spec in wanted for order in spec.char_orders}
        if len(bits) != 1 or not 8 <= min(bits) <= 24:  # 256 rows are a toy, 2**24 take a gigabyte
            raise UnknownFeatures(f"heads of one package share hash_bits from 8 to 24, found {sorted(bits)}")
        if not words <= set(_WORD_ORDERS) or not chars <= set(_CHAR_ORDERS):
            raise UnknownFeatures(
                f"word orders {list(_WORD_ORDERS)} and character orders {list(_CHAR_ORDERS)} are known, "
                f"found {sorted(words)} and {sorted(chars)}"
            )
        return cls(tuple(sorted(words)), tuple(sorted(chars)), bits.pop())


def groups(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut a long sequence into runs that one extraction takes, so that scratch arrays stay in a core's cache."""
    first, characters = 0, 0
    for position, text in enumerate(texts):
        length = min(len(text), MAX_CHARACTERS) + 1
        if characters + length > MAX_CHARACTERS + 1 and position > first:
            yield texts[first:position]
            first, characters = position, 0
        characters += length
    if first < len(texts):
        yield texts[first:]


def extract(texts: Sequence[str], plan: Plan) -> Features:
    """Hash the n-grams of one of the `groups` of texts. Pure; the rows of a text do not depend on its neighbours."""
    encoded = [_encode(text) for text in texts]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    # One space before, between and after: a window never crosses two texts. Four more for the last 32-bit load.
    buffer = (b" " + b" ".join(encoded) + b"     ").translate(_FOLD)
    edges = np.zeros(len(encoded) + 1, np.int64)  # where the space before text i stands
    np.cumsum(lengths + 1, out=edges[1:])
    flat = np.frombuffer(buffer, np.uint8)
    letters = flat != _SPACE
    starts, ends = _word_spans(letters)
    return Features(
        texts=len(encoded),
        words=_word_families(_word_hashes(flat, starts, ends), starts.searchsorted(edges), plan),
        chars=_char_families(buffer, letters, edges, plan=plan),
        buffer=buffer,
        word_starts=starts,
        word_ends=ends,
    )


def _encode(text: str) -> bytes:
    """Fold and cut one text; ASCII takes the short way, to the same bytes once the buffer is translated."""
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS]
    if text.isascii():
        return text.encode()
    return _NOT_WORD.sub(" ", text.lower())[:MAX_CHARACTERS].encode("utf-8", "replace")


def _word_spans(letters: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Start and end (exclusive) of every word; the buffer begins and ends with spaces."""
    turns = np.flatnonzero(letters[1:] != letters[:-1]) + 1
    starts, ends = turns[0::2], turns[1::2]
    long_enough = ends - starts >= _SHORTEST_WORD
    return starts[long_enough], ends[long_enough]


@functools.cache
def _powers() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Powers of the base and of its inverse modulo 2**32, once per process: half a megabyte each."""
    inverse = pow(_BASE, -1, 1 << 32)
    tables = []
    for base in (_BASE, inverse):
        table = np.full(_MAX_BYTES, base, np.uint32)
        table[0] = 1
        tables.append(np.multiply.accumulate(table, dtype=np.uint32))
    return tables[0], tables[1]


def _word_hashes(flat: NDArray[np.uint8], starts: Rows, ends: Rows) -> NDArray[np.uint32]:
    """A polynomial hash of each word, from prefix sums: no loop over words.

    Source: Karp and Rabin, Efficient randomized pattern-matching algorithms (1987), modulus 2**32.
    """
    powers, inverses = _powers()
    prefix = np.zeros(len(flat) + 1, np.uint32)
    np.cumsum(flat * powers[: len(flat)], dtype=np.uint32, out=prefix[1:])
    return (prefix[ends] - prefix[starts]) * inverses[starts]


def _to_rows(hashes: NDArray[np.uint32], bits: int) -> Rows:
    mixed = (hashes ^ (hashes >> np.uint32(15))) * _SPREAD
    return (mixed >> np.uint32(32 - bits)).astype(np.int64)


def _word_families(hashes: NDArray[np.uint32], bounds: Rows, plan: Plan) -> dict[int, Family]:
    """Chain neighbouring word hashes; an n-gram that would cross into the next text is left out."""
    families = {}
    inner = bounds[1:-1]
    chained = hashes
    for order in range(1, max(plan.word_orders, default=0) + 1):
        if order > 1:
            chained = chained[:-1] * _CHAIN + hashes[order - 1 :] if len(chained) else chained
        if order in plan.word_orders:
            families[order] = _inside(chained, bounds, inner, order=order, bits=plan.hash_bits)
    return families


def _inside(chained: NDArray[np.uint32], bounds: Rows, inner: Rows, *, order: int, bits: int) -> Family:
    """Keep the n-grams whose first and last word belong to one text."""
    if order == 1:
        return Family(_to_rows(chained, bits), bounds)
    if not len(inner):  # one text: nothing to cross into
        return Family(_to_rows(chained, bits), np.array([0, len(chained)]))
    keep = np.ones(len(chained), np.bool_)
    for back in range(1, order):
        crossing = inner - back
        keep[crossing[(crossing >= 0) & (crossing < len(chained))]] = False
    kept_before = np.zeros(len(chained) + 1, np.int64)
    np.cumsum(keep, out=kept_before[1:])
    return Family(_to_rows(chained[keep], bits), kept_before[np.minimum(bounds, len(chained))])


def _char_families(buffer: bytes, letters: NDArray[np.bool_], edges: Rows, *, plan: Plan) -> dict[int, Family]:
    """Every window of n bytes whose inner bytes are letters, so that spaces stand only at its ends."""
    families = {}
    count = len(letters) - 4
    # Overlapping 32-bit little-endian loads at every byte.
    windows = np.ndarray((count,), np.dtype("<u4"), buffer, strides=(1,)).astype(np.uint32)
    for order in plan.char_orders:
        inner = letters[1 : count + 1]
        for offset in range(2, order - 1):
            inner = inner & letters[offset : count + offset]
        positions = np.flatnonzero(inner)
        grams = (windows[positions] & _WINDOW_MASK[order]) * _CHAIN ^ _SALT[order]
        families[order] = Family(_to_rows(grams, plan.hash_bits), positions.searchsorted(edges))
    return families
