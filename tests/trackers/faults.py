"""Faults: how the fake tracker misbehaves, on command and reproducibly."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Any

__all__ = ["KINDS", "Fault", "Faults"]

KINDS = (
    "500",  # nothing done, an error page
    "502",
    "503",  # with Retry-After where `retry_after_s` is given
    "429",
    "drop",  # the connection is cut before anything is done
    "cut",  # done, then the connection is cut before the answer
    "hang",  # nothing done, no answer for `seconds`
    "late",  # done, answered after `seconds`
    "drip",  # done, the answer comes a byte at a time, `seconds` apart
    "garbage",  # done, 200 with bytes that are no JSON
    "huge",  # 200 with 64 MiB
    "redirect",  # 302 to `location`
    "401",
    "404",
    "422",
)


@dataclass(frozen=True)
class Fault:
    """One misbehaviour. `on` is `read`, `write` or empty for both."""

    kind: str
    on: str = ""
    times: int = 1
    """How many requests it hits; -1: until told otherwise."""
    seconds: float = 0.0
    retry_after_s: float | None = None
    location: str = ""


@dataclass
class Faults:
    """What is to go wrong: `planned` in order, then by chance."""

    rng: random.Random = field(default_factory=lambda: random.Random(0))
    ratio: float = 0.0
    """Share of requests that fail by chance."""
    chance: tuple[str, ...] = ("500", "503", "429", "drop", "cut")
    planned: list[Fault] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    """Fault -> how often it was played."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, given: list[dict[str, Any]]) -> None:
        """Replace what is planned."""
        with self._lock:
            self.planned = [Fault(**one) for one in given]

    def chances(self, ratio: float, *, seed: int, kinds: list[str]) -> None:
        """From now on this share of requests fails, in one of these ways."""
        with self._lock:
            self.ratio, self.rng, self.chance = ratio, random.Random(seed), tuple(kinds) or self.chance

    def next(self, access: str) -> Fault | None:
        """What happens to this request (`read` or `write`)."""
        with self._lock:
            fault = self._planned(access) or self._by_chance()
            if fault is not None:
                self.seen[fault.kind] = self.seen.get(fault.kind, 0) + 1
            return fault

    def _planned(self, access: str) -> Fault | None:
        for place, fault in enumerate(self.planned):
            if fault.on in {"", access}:
                if fault.times > 0:
                    left = [Fault(**{**fault.__dict__, "times": fault.times - 1})] if fault.times > 1 else []
                    self.planned[place : place + 1] = left
                return fault
        return None

    def _by_chance(self) -> Fault | None:
        if self.ratio and self.rng.random() < self.ratio:
            return Fault(self.rng.choice(self.chance))
        return None
