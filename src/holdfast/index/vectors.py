"""Vectors: int8 rows in an anonymous memory map, bounded, found again by exact cosine."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rows", "Vectors"]

Rows = NDArray[np.int8]

_BLOCK = 512  # rows made float at a time: what a core's second-level cache holds


class Vectors:
    """At most `capacity` rows in groups that never see each other; the oldest makes room for the next.

    One thread at a time may change it. Any thread may search meanwhile: what `nearest` names may have been replaced by
    then, so the caller asks `similarity` again under the lock that guards the changes.
    """

    def __init__(self, capacity: int, dim: int) -> None:
        self.capacity = capacity
        self._map = mmap.mmap(-1, capacity * dim)  # no file: pages are taken as rows come, and never reach a disk
        self._rows = np.frombuffer(self._map, np.int8).reshape(capacity, dim)
        self._inverse = np.zeros(capacity, np.float32)  # of each row's length; 0 for a slot that holds none
        self._ages = np.zeros(capacity, np.int64)
        self._groups = np.zeros(capacity, np.int32)
        self._free: list[int] = []
        self._top = 0  # slots from here on were never used
        self._several = False

    def __len__(self) -> int:
        """How many rows there are."""
        return self._top - len(self._free)

    def slot_for_next(self) -> int:
        """The slot that the next `put` should take: a free one, else that of the oldest row."""
        if self._free:
            return self._free[-1]
        return self._top if self._top < self.capacity else int(self._ages.argmin())

    def put(self, slot: int, row: Rows, *, age: int, group: int) -> None:
        """Keep `row` (dim,) in `slot`. The smallest `age` is the oldest; groups count from 0."""
        if self._free and slot == self._free[-1]:
            self._free.pop()
        self._top = max(self._top, slot + 1)
        self._several |= group > 0
        self._inverse[slot] = 0.0
        self._rows[slot] = row
        self._ages[slot], self._groups[slot] = age, group
        self._inverse[slot] = _inverse(row)

    def drop(self, slot: int) -> None:
        """Forget the row in `slot`: its bytes are overwritten."""
        self._inverse[slot] = 0.0
        self._rows[slot] = 0
        self._free.append(slot)

    def nearest(self, queries: Rows, *, group: int, count: int) -> NDArray[np.int64]:
        """Slots of the `count` rows of `group` nearest to each query (n, dim), in no order: (n, at most count)."""
        top = self._top
        found = np.empty((top, len(queries)), np.float32)
        wanted = np.ascontiguousarray(queries.T, np.float32)
        scratch = np.empty((min(_BLOCK, top), queries.shape[1]), np.float32)
        for begin in range(0, top, _BLOCK):
            end = min(begin + _BLOCK, top)
            block = scratch[: end - begin]
            block[:] = self._rows[begin:end]
            np.matmul(block, wanted, out=found[begin:end])
        found *= self._inverse[:top, None]
        if self._several:
            found[self._groups[:top] != group] = -np.inf
        if top <= count:
            return np.tile(np.arange(top), (len(queries), 1))
        return np.argpartition(found, top - count, axis=0)[top - count :].T

    def similarity(self, query: Rows, slot: int) -> float:
        """Cosine of `query` (dim,) with the row in `slot` now; 0 where there is none."""
        product = int(np.dot(query.astype(np.int32), self._rows[slot].astype(np.int32)))
        return product * float(self._inverse[slot]) * _inverse(query)


def _inverse(row: Rows) -> float:
    wide = row.astype(np.int32)
    length = float(np.sqrt(np.dot(wide, wide)))
    return 1.0 / length if length else 0.0
