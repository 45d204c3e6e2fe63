"""A watch over one package: its latest tickets in a window, an alarm that rises and clears."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

from holdfast.report.drift import Histogram, Observation, Reference, compare
from holdfast.report.shift import MIN_SAMPLES, Shift

__all__ = ["WINDOW", "Settled", "Watch"]

WINDOW = 2_000
"""The latest tickets that are looked at: enough to see a group of one in twenty double, and no shift is older."""
_RAISE = 5e-4  # chance, all features counted: 30,000 unchanged tickets raise it once in about twenty such months
_CLEAR = 1e-2  # what no longer stands out; between the two nothing changes, so that an alarm does not flutter
_EVERY = 50  # new tickets between two looks: one look more often would find the same window again
_STREAK = 2  # looks in a row that must agree
_UNUSED = 0.5  # share of texts outside a head's domain from which it is not what these tickets are for
_BASELINE = 1_000  # scores that become the baseline of later ones


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What a watch has found out once, and must not find out anew after a restart: by then the drift may be there."""

    digest: str
    """Of the package."""
    policy: str
    baseline: Histogram | None
    unused: dict[str, bool]


class Watch:
    """Belongs to one thread.

    A package may bring a head for tickets that this node never gets: its reference says nothing about them. A head that
    is outside its domain for most of the first tickets is `unused`, and not compared until that changes, as long as
    another head is used: a package none of whose heads fits is asked something else altogether.
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self.baseline: Histogram | None = None
        """Of scores; None until there are enough."""
        self.unused: dict[str, bool] = {}
        """By head, once there are enough tickets to tell."""
        self._seen: dict[str, deque[Observation]] = {name: deque(maxlen=WINDOW) for name in reference.heads}
        self._scores: deque[float] = deque(maxlen=WINDOW)
        self._streak = self._fresh = 0
        self.total = 0
        self.found_after: int | None = None
        self.shifts: tuple[Shift, ...] = ()

    @property
    def drifting(self) -> bool:
        """Whether the alarm is up."""
        return self.found_after is not None

    @property
    def has_reference(self) -> bool:
        """Whether the package says what it was made for."""
        return bool(self._seen)

    @property
    def samples(self) -> int:
        """Tickets in the window."""
        return min(self.total, WINDOW)

    def add(self, said: Mapping[str, Observation], score: float) -> None:
        """Take in one ticket: what each head said of it, and the score it got."""
        for name, observation in said.items():
            if name in self._seen:
                self._seen[name].append(observation)
        self._scores.append(score)
        self._fresh += 1
        self.total += 1
        if self._fresh >= _EVERY:
            self._look()

    def forget_scores(self) -> None:
        """Begin a new baseline: what scores are made of was changed by hand."""
        self._scores.clear()
        self.baseline = None

    def _look(self) -> None:
        self._fresh = 0
        if self.baseline is None and len(self._scores) >= _BASELINE:
            self.baseline = Histogram.tenths(list(self._scores)[:_BASELINE])
            self._scores.clear()
        self._judge_heads()
        scores = (self.baseline, tuple(self._scores)) if self.baseline is not None else None
        used = {name: seen for name, seen in self._seen.items() if not self.unused.get(name, True)}
        shifts = compare(self._reference, used or self._seen, scores)
        self.shifts = tuple(sorted(shifts, key=lambda shift: (shift.chance, -shift.psi)))
        least = self.shifts[0].chance if self.shifts else 1.0
        self._streak = self._streak + 1 if least < _RAISE else 0
        if self._streak >= _STREAK and not self.drifting:
            self.found_after = self.total
        elif least > _CLEAR:
            self.found_after = None

    def _judge_heads(self) -> None:
        for name, seen in self._seen.items():
            if len(seen) >= MIN_SAMPLES and self.unused.get(name, True):
                self.unused[name] = sum(one.outside for one in seen) >= _UNUSED * len(seen)
