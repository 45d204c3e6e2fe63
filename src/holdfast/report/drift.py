"""Drift: whether what a package is asked, and what it says, is still what it was made for; values in, shifts out.

A feature's distribution over the latest tickets is held against the package's own reference, tickets it never learnt
from, by the population stability index. Were both drawn from one source, PSI / (1/n + 1/m) would follow chi-square with
one degree of freedom less than there are bins: that is the correction for how many tickets there are on either side.
Source: B. Yurdakul, Statistical Properties of Population Stability Index, 2018, chapter 3.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.inference import Domain, TextOutput
from holdfast.report.shift import MIN_SAMPLES, Shift

__all__ = [
    "HeadReference",
    "Histogram",
    "Observation",
    "Reference",
    "chi_square_tail",
    "compare",
    "observations",
    "read_reference",
]

_LEAST_EXPECTED = 5.0  # of a bin, in tickets: the usual condition for chi-square (Cochran 1954); rarer ones are joined
_TENTHS = 10
_HALF = 0.5  # added to every count, so that an empty bin has a logarithm

Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Pair:
    """One feature: reference shares, counts now, and how many tickets the reference is made of."""

    feature: str
    shares: Counts
    counts: Counts
    rows: int
    harmless: bool = False
    """Whether a change in this direction says nothing against the package."""


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """How a number is distributed: shares of the bins between `edges`."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    rows: int = 0
    """How many numbers; of a head's histograms the head says it."""

    @classmethod
    def tenths(cls, values: Sequence[float]) -> Histogram:
        """Bins that hold about a tenth of `values` each; equal values share a bin."""
        inner = np.unique(np.quantile(np.asarray(values, float), np.linspace(0, 1, _TENTHS + 1)[1:-1]))
        counts = np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(inner) + 1)
        edges = (float(min(values)), *inner.tolist(), float(max(values)))
        return cls(edges=edges, shares=tuple((counts / len(values)).tolist()), rows=len(values))


class HeadReference(msgspec.Struct, frozen=True, kw_only=True):
    """What one head said of its own held-out tickets in the small tier."""

    rows: int
    labels: dict[str, float]
    confidence: Histogram
    words: Histogram
    outside: float
    """Share of texts outside the head's domain."""
    urgency: Histogram | None = None


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A package's reference file. A package without one has no heads in it, and is not watched."""

    schema: str = ""
    tier: str = "small"
    heads: dict[str, HeadReference] = {}


class Observation(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What one head said of one ticket in the small tier."""

    label: str
    confidence: float
    words: int
    outside: bool
    urgency: float | None = None


def read_reference(content: bytes) -> Reference:
    """Read a package's reference file; one of another schema counts as none."""
    try:
        return msgspec.json.decode(content, type=Reference)
    except msgspec.DecodeError:
        return Reference()  # a package of an older or foreign make serves without being watched, and `findings` says so


def observations(
    output: TextOutput, text: str, *, heads: Mapping[str, tuple[Sequence[str], Sequence[float]]]
) -> dict[str, Observation]:
    """Return what matters of what the small tier said of `text`. heads: name -> its labels and their urgency."""
    words = len(text.split())
    found = {}
    for name, (labels, urgency) in heads.items():
        said = output.heads[name]
        best = max(range(len(labels)), key=said.probabilities.__getitem__)
        found[name] = Observation(
            label=labels[best],
            confidence=said.probabilities[best],
            words=words,
            outside=said.domain is not Domain.IN,
            urgency=sum(map(operator.mul, said.probabilities, urgency)) if urgency else None,
        )
    return found


def compare(
    reference: Reference,
    seen: Mapping[str, Sequence[Observation]],
    scores: tuple[Histogram, Sequence[float]] | None = None,
) -> tuple[Shift, ...]:
    """Hold what each head said against its reference, and `scores` against an earlier time's, feature by feature.

    Of whatever has fewer than MIN_SAMPLES nothing is said.
    """
    pairs: list[_Pair] = []
    for name, head in reference.heads.items():
        if head.rows and len(seen.get(name, ())) >= MIN_SAMPLES:
            pairs += _head_pairs(name, head, seen[name])
    if scores is not None and len(scores[1]) >= MIN_SAMPLES:
        pairs.append(_Pair("score", *_binned(*scores), scores[0].rows))
    return tuple(_tested(pair, len(pairs)) for pair in pairs)


def _head_pairs(name: str, head: HeadReference, seen: Sequence[Observation]) -> Iterator[_Pair]:
    labels = list(head.labels)
    places = {label: place for place, label in enumerate(labels)}
    said = np.bincount([places.get(one.label, len(labels)) for one in seen], minlength=len(labels) + 1)
    shares = np.array([*head.labels.values(), 0.0])
    yield _Pair(f"{name}.label", shares, said.astype(float), head.rows)
    for label, place in places.items():
        yield _Pair(f"{name}.label:{label}", *_binary(shares[place], said[place], len(seen)), head.rows)
    numbers = {"confidence": head.confidence, "words": head.words, "urgency": head.urgency}
    for feature, histogram in numbers.items():
        if histogram is not None:
            values = [getattr(one, feature) or 0.0 for one in seen]
            shares, counts = _binned(histogram, values)
            surer = feature == "confidence" and _is_higher(shares, counts)
            yield _Pair(f"{name}.{feature}", shares, counts, head.rows, harmless=surer)
    outside = sum(one.outside for one in seen)
    yield _Pair(f"{name}.outside", *_binary(head.outside, outside, len(seen)), head.rows)


def _binary(share: float, count: float, total: int) -> tuple[Counts, Counts]:
    return np.array([share, 1.0 - share]), np.array([count, total - count], float)


def _binned(histogram: Histogram, values: Sequence[float]) -> tuple[Counts, Counts]:
    """Values beyond the outer edges belong to the outer bins."""
    inner = np.array(histogram.edges[1:-1])
    counts = np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(histogram.shares))
    return np.array(histogram.shares), counts.astype(float)


def _is_higher(shares: Counts, counts: Counts) -> bool:
    """Whether the counts lie in higher bins than the shares, on average.

    A head is surer of tickets it learnt from than of its hold-out: to be surer is no sign of other tickets.
    """
    places = np.arange(len(shares))
    return bool(counts @ places / max(counts.sum(), 1.0) > shares @ places / max(shares.sum(), 1e-9))


def _tested(pair: _Pair, features: int) -> Shift:
    then, now = _joined(pair.shares * pair.rows, pair.counts)
    samples = int(pair.counts.sum())
    if len(now) < 2:  # one bin holds nearly everything, then and now
        return Shift(feature=pair.feature, psi=0.0, chance=1.0, samples=samples)
    p = (then + _HALF) / (then + _HALF).sum()
    q = (now + _HALF) / (now + _HALF).sum()
    psi = float(((q - p) * np.log(q / p)).sum())
    chance = chi_square_tail(psi / (1 / pair.rows + 1 / samples), len(now) - 1)
    chance = 1.0 if pair.harmless else min(1.0, chance * features)
    return Shift(feature=pair.feature, psi=round(psi, 6), chance=chance, samples=samples)


def _joined(then: Counts, now: Counts) -> tuple[Counts, Counts]:
    """Join each bin that is too rare in the smaller sample with its neighbour."""
    pooled = (then + now) * (min(then.sum(), now.sum()) / max(then.sum() + now.sum(), 1.0))
    starts, filled = [0], 0.0
    for place, expected in enumerate(pooled.tolist()):
        if filled >= _LEAST_EXPECTED:
            starts.append(place)
            filled = 0.0
        filled += expected
    if filled < _LEAST_EXPECTED and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(then, starts), np.add.reduceat(now, starts)


def chi_square_tail(value: float, freedom: int) -> float:
    """Return the chance that chi-square with `freedom` degrees exceeds `value`.

    Source: Abramowitz & Stegun 26.4.4 and 26.4.5: the upper incomplete gamma function of half of both, by recurrence.
    """
    half = value / 2.0
    if half <= 0.0:
        return 1.0
    order = 0.5 if freedom % 2 else 1.0
    tail = math.erfc(math.sqrt(half)) if freedom % 2 else math.exp(-half)
    while order < freedom / 2.0:
        tail += math.exp(order * math.log(half) - half - math.lgamma(order + 1.0))
        order += 1.0
    return min(tail, 1.0)
