"""Progress of long work: steps with known weights, the share done, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TextIO

__all__ = ["LineProgress", "Progress", "TerminalProgress", "Told", "Watcher", "remaining_s", "watched"]

Told = Callable[[str, int, int], None]
"""Told (what, done, total) now and then by long work."""

_BAR_CELLS = 28
_REDRAW_S = 0.2
_MIN_SHARE_FOR_ESTIMATE = 0.03  # before, the estimate would jump about


class Progress(Protocol):
    """Told by long work where it is; must be cheap to call."""

    def step(self, name: str) -> None:
        """The work of `name` begins; what came before is done."""

    def advance(self, share: float) -> None:
        """`share` (0 to 1) of the current step is done."""


class Watcher:
    """Turns what work tells (what, done, total) into steps of a Progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._what = ""

    def told(self, what: str, done: int, total: int) -> None:
        """`done` of `total` units of `what` are done."""
        if what != self._what:
            self._what = what
            self._progress.step(what)
        self._progress.advance(done / max(total, 1))


def remaining_s(spent_s: float, share: float) -> float | None:
    """Estimate of the seconds left, or None while too little is done to say."""
    return spent_s * (1.0 - share) / share if share >= _MIN_SHARE_FOR_ESTIMATE else None


class _Weighed:
    """The share of all work that is done, by steps of known relative cost."""

    def __init__(self, weights: Mapping[str, float], clock_s: Callable[[], float]) -> None:
        self._weights, self._clock_s = weights, clock_s
        self._started_s = clock_s()
        self._done = 0.0
        self.name = ""
        self._within = 0.0

    def step(self, name: str) -> None:
        self._done += self._weights.get(self.name, 0.0)
        self.name, self._within = name, 0.0

    def advance(self, share: float) -> None:
        self._within = min(max(share, self._within), 1.0)

    @property
    def share(self) -> float:
        total = sum(self._weights.values()) or 1.0
        return min((self._done + self._within * self._weights.get(self.name, 0.0)) / total, 1.0)

    @property
    def spent_s(self) -> float:
        return self._clock_s() - self._started_s

    def left(self) -> str:
        left_s = remaining_s(self.spent_s, self.share)
        return "" if left_s is None else f"about {_spoken(left_s)} left"


def _spoken(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


class TerminalProgress:
    """A bar on a terminal, redrawn in place at most five times a second."""

    def __init__(
        self, out: TextIO, *, weights: Mapping[str, float], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """`weights`: step name -> its relative cost."""
        self._out, self._clock_s = out, clock_s
        self._work = _Weighed(weights, clock_s)
        self._drawn_s = float("-inf")

    def step(self, name: str) -> None:
        """See Progress."""
        self._work.step(name)
        self._draw()

    def advance(self, share: float) -> None:
        """See Progress."""
        self._work.advance(share)
        if self._clock_s() - self._drawn_s >= _REDRAW_S:
            self._draw()

    def close(self) -> None:
        """Take the bar away."""
        self._out.write("\r\x1b[2K")
        self._out.flush()

    def _draw(self) -> None:
        self._drawn_s = self._clock_s()
        full = round(self._work.share * _BAR_CELLS)
        bar = "#" * full + "." * (_BAR_CELLS - full)
        self._out.write(f"\r\x1b[2K[{bar}] {self._work.share:4.0%}  {self._work.name}  {self._work.left()}")
        self._out.flush()


class LineProgress:
    """A line per step, for logs and pipes: no cursor, no colour."""

    def __init__(
        self, out: TextIO, *, weights: Mapping[str, float], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """`weights`: step name -> its relative cost."""
        self._out = out
        self._work = _Weighed(weights, clock_s)

    def step(self, name: str) -> None:
        """See Progress."""
        self._work.step(name)
        left = self._work.left()
        self._out.write(f"{self._work.share:4.0%}  {name}{', ' + left if left else ''}\n")
        self._out.flush()

    def advance(self, share: float) -> None:
        """See Progress."""
        self._work.advance(share)

    def close(self) -> None:
        """Say how long it all took."""
        self._out.write(f"done in {_spoken(self._work.spent_s)}\n")
        self._out.flush()


@contextmanager
def watched(out: TextIO, weights: Mapping[str, float]) -> Iterator[Told]:
    """Show work on `out`: a bar on a terminal, a line per step elsewhere. `weights`: step -> its relative cost."""
    kind = TerminalProgress if out.isatty() else LineProgress
    progress = kind(out, weights=weights)
    try:
        yield Watcher(progress).told
    finally:
        progress.close()
