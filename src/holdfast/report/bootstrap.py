"""Bootstrap: how far a figure computed from a sample could have come out otherwise, by drawing the sample again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "Statistic", "difference", "interval"]

Sample: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Sample], float]
"""A figure of a sample (n,) or (n, columns): its mean, its median, a share, a ratio of two columns."""

_ROUNDS = 1_000  # Efron & Tibshirani, An Introduction to the Bootstrap, 14.3: enough for a 95 % interval's ends


class Interval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure and the range it could as well have come out in."""

    low: float
    estimate: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside: for a difference, `excludes(0)` is "there is one"."""
        return value < self.low or value > self.high


def interval(
    values: Sequence[float] | Sample,
    statistic: Statistic,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    rounds: int = _ROUNDS,
) -> Interval:
    """Return `statistic` of `values` with its percentile bootstrap interval at `level`.

    values: (n,), or (n, columns) where a row is drawn as a whole. Where all rows are alike the interval has no width:
    it tells how the sample varies, not how small it is. Raises ValueError when there is no value.
    Source: Efron & Tibshirani, An Introduction to the Bootstrap, 13.3.
    """
    sample = _sample(values)
    drawn = np.array([statistic(_draw(sample, rng)) for _ in range(rounds)])
    return _around(statistic(sample), drawn, level)


def difference(
    before: Sequence[float] | Sample,
    after: Sequence[float] | Sample,
    *,
    statistic: Statistic,
    rng: np.random.Generator,
    rounds: int = _ROUNDS,
) -> Interval:
    """Return `statistic` of `after` minus that of `before`, two independent samples, with its 95 % interval.

    Raises ValueError when either has no value.
    """
    first, second = _sample(before), _sample(after)
    drawn = np.array([statistic(_draw(second, rng)) - statistic(_draw(first, rng)) for _ in range(rounds)])
    return _around(statistic(second) - statistic(first), drawn, 0.95)


def _sample(values: Sequence[float] | Sample) -> Sample:
    sample = np.asarray(values, dtype=np.float64)
    if not len(sample):
        raise ValueError("expected at least one value to draw from, found none")
    return sample


def _draw(sample: Sample, rng: np.random.Generator) -> Sample:
    return sample[rng.integers(0, len(sample), len(sample))]


def _around(estimate: float, drawn: Sample, level: float) -> Interval:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), estimate=float(estimate), high=float(high))
