"""Changes of tier on their way to the disk: sent again until they are durable."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from functools import partial

from holdfast.database import Database
from holdfast.errors import Unavailable
from holdfast.facts import Facts
from holdfast.tier import Transition

__all__ = ["Transitions"]

_MOST = 1_000  # beyond it the oldest go: a disk that is full for hours must not cost memory
_AGAIN_S = 1.0


class Transitions:
    """Belongs to the supervise loop; never waits for the disk."""

    def __init__(self, database: Database, facts: Facts) -> None:
        self._database, self._facts = database, facts
        self._waiting: deque[Transition] = deque(maxlen=_MOST)
        self._sent: list[tuple[Transition, Future[None]]] = []
        self._next_s = 0.0

    def add(self, transition: Transition) -> None:
        """Take one that has just happened."""
        self._waiting.append(transition)

    @property
    def kept_back(self) -> int:
        """How many are not durable yet."""
        return len(self._waiting) + len(self._sent)

    def step(self, now_s: float) -> None:
        """Take back what failed, send what waits."""
        done = [(transition, future) for transition, future in self._sent if future.done()]
        self._sent = [(transition, future) for transition, future in self._sent if not future.done()]
        failed = [transition for transition, future in done if future.exception() is not None]
        if failed:
            self._next_s = now_s + _AGAIN_S
            self._waiting = deque([*failed, *self._waiting], maxlen=_MOST)
        if now_s < self._next_s:
            return
        while self._waiting and len(self._sent) < _MOST:
            unit = partial(self._facts.add_transition, self._waiting[0])
            try:
                future = self._database.submit(unit)
            except Unavailable:
                self._next_s = now_s + _AGAIN_S  # the queue is full, or the node is stopping
                return
            self._sent.append((self._waiting.popleft(), future))
