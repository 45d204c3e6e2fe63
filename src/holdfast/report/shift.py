"""Shifts: what a watch over a package reports. Apart from the arithmetic, so that telling it loads no numpy."""

from __future__ import annotations

import msgspec

__all__ = ["MIN_SAMPLES", "DriftReport", "Drifts", "Shift"]

MIN_SAMPLES = 340
"""Fewer tickets say nothing: ten bins then expect 34 each, and the chi-square of their PSI holds."""


class Shift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One feature, now against then."""

    feature: str
    """`route.label`, `route.label:Hardware`, `route.confidence`, `priority.urgency`, `route.words`, `route.outside`,
    `score`."""
    psi: float
    chance: float
    """How likely so large an index is when nothing has changed, times the number of features looked at; at most 1."""
    samples: int


class DriftReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the watch over one package sees now."""

    package: str
    version: str
    team: str = ""
    watched: bool
    """False when the package brings no reference to hold its tickets against; then only scores are watched."""
    samples: int
    """Tickets in the window; below 340 nothing is said."""
    drifting: bool
    raised_at: str | None = None
    found_after: int | None = None
    """Tickets this watch had seen when the alarm rose."""
    unused: tuple[str, ...] = ()
    """Heads for which most of the tickets here were never of their kind: they answer with their prior, and are not
    compared."""
    features: tuple[Shift, ...] = ()
    """The most unusual first."""


class Drifts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One report for each package in service."""

    packages: tuple[DriftReport, ...]
