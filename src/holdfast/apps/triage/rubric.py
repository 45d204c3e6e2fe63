"""Rubric: the weights, tables and bands a score is made with, as an operator may set them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from holdfast.apps.triage.decision import Priority
from holdfast.errors import InvalidInput

__all__ = [
    "Bands",
    "InvalidRubric",
    "RampPoint",
    "Rubric",
    "Weights",
    "deadline_value",
    "requester_value",
    "zone_named",
]

_SECONDS_PER_HOUR = 3600.0
_WEIGHTS_OFF = 0.001  # so that 0.333 three times will do
_MOST_HOURS = 87_600.0  # ten years


class InvalidRubric(InvalidInput):
    """A scoring setting is out of its range; `field` is its dotted key."""


def _expect_between(value: float, low: float, high: float, *, field: str) -> None:
    if not low <= value <= high:
        raise InvalidRubric(f"{field}: expected a number from {low:g} to {high:g}, found {value}", field=field)


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much each factor counts. Weights of absent factors are shared pro rata among the present ones."""

    model: float = 0.6
    deadline: float = 0.2
    requester: float = 0.15
    keywords: float = 0.05

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _expect_between(getattr(self, name), 0.0, 1.0, field=f"triage.weights.{name}")
        total = self.model + self.deadline + self.requester + self.keywords
        if abs(total - 1.0) > _WEIGHTS_OFF:
            raise InvalidRubric(
                f"triage.weights: expected weights that sum to 1, found {total:g}", field="triage.weights"
            )


class Bands(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lowest score of each band; below `p2` is P3."""

    p0: float = 90.0
    p1: float = 70.0
    p2: float = 40.0

    def __post_init__(self) -> None:
        if not 0 < self.p2 < self.p1 < self.p0 <= 100:
            raise InvalidRubric(
                f"triage.bands: expected 0 < p2 < p1 < p0 <= 100, found {self.p2}, {self.p1}, {self.p0}",
                field="triage.bands",
            )

    def priority(self, score: float) -> Priority:
        """Return the band `score` falls in."""
        if score >= self.p1:
            return Priority.P0 if score >= self.p0 else Priority.P1
        return Priority.P2 if score >= self.p2 else Priority.P3


class RampPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The deadline factor `hours` before the deadline; negative hours are overdue."""

    hours: float
    value: float


_RAMP = (
    RampPoint(hours=168.0, value=0.0),
    RampPoint(hours=72.0, value=0.25),
    RampPoint(hours=24.0, value=0.5),
    RampPoint(hours=8.0, value=0.7),
    RampPoint(hours=2.0, value=0.85),
    RampPoint(hours=0.0, value=0.95),
    RampPoint(hours=-24.0, value=1.0),
)
_ROLES = {
    "ceo": 1.0,
    "executive": 1.0,
    "vip": 1.0,
    "director": 0.8,
    "on-call": 0.8,
    "manager": 0.6,
    "support": 0.5,
    "engineer": 0.5,
    "employee": 0.4,
    "user": 0.4,
    "contractor": 0.3,
    "guest": 0.1,
}
_TIERS = {
    "platinum": 1.0,
    "enterprise": 1.0,
    "gold": 0.8,
    "business": 0.7,
    "premium": 0.7,
    "silver": 0.5,
    "standard": 0.4,
    "bronze": 0.3,
    "basic": 0.3,
    "free": 0.1,
    "trial": 0.1,
}


class Rubric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Everything about scoring that an operator may set, with the defaults. Raises InvalidRubric when built wrong."""

    weights: Weights = Weights()
    bands: Bands = Bands()
    ramp: tuple[RampPoint, ...] = _RAMP
    """From far to overdue; straight lines between, level outside."""
    roles: dict[str, float] = msgspec.field(default_factory=lambda: dict(_ROLES))
    """Requester role -> value of the requester factor; names are compared without case."""
    tiers: dict[str, float] = msgspec.field(default_factory=lambda: dict(_TIERS))
    """Requester or customer tier -> value; the highest of role and tiers counts."""
    timezone: str = "UTC"
    """Where instants without an offset are."""
    attachments: float = 0.1
    """Weight of what attached logs say, on top of the others; 0: attachments are not read."""
    minimum_confidence: float | None = None
    """Below it a route is `needs-triage`; the package's own when null."""
    languages: tuple[str, ...] = ("de", "en", "es", "fr", "it", "nl", "pt")
    """Of the built-in vocabulary."""
    keywords: dict[str, float] = msgspec.field(default_factory=dict)
    """Phrases of your own -> weight in [0, 1]; 0 silences a built-in phrase."""

    def __post_init__(self) -> None:
        _check_ramp(self.ramp)
        _expect_between(self.attachments, 0.0, 1.0, field="triage.attachments")
        for table in ("roles", "tiers", "keywords"):
            for name, value in getattr(self, table).items():
                _expect_between(value, 0.0, 1.0, field=f"triage.{table}.{name}")
        if self.minimum_confidence is not None:
            _expect_between(self.minimum_confidence, 0.0, 1.0, field="triage.minimum_confidence")
        zone_named(self.timezone, field="triage.timezone")

    @cached_property
    def zone(self) -> tzinfo:
        """The zone `timezone` names."""
        return zone_named(self.timezone, field="triage.timezone")

    @cached_property
    def folded_roles(self) -> Mapping[str, float]:
        """`roles` with names folded, built once."""
        return {name.strip().casefold(): value for name, value in self.roles.items()}

    @cached_property
    def folded_tiers(self) -> Mapping[str, float]:
        """`tiers` with names folded, built once."""
        return {name.strip().casefold(): value for name, value in self.tiers.items()}


def zone_named(name: str, *, field: str) -> tzinfo:
    """Return the IANA time zone `name`. Raises InvalidRubric naming `field`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidRubric(
            f"{field}: expected an IANA time zone such as Europe/Berlin, found {name[:80]!r}", field=field
        ) from error


def deadline_value(ramp: tuple[RampPoint, ...], *, deadline_at: datetime, at: datetime) -> float:
    """Return the deadline factor at `at`, in [0, 1]: never falls as `at` comes nearer or passes the deadline."""
    hours = (deadline_at - at).total_seconds() / _SECONDS_PER_HOUR
    if hours >= ramp[0].hours:
        return ramp[0].value
    for before, after in pairwise(ramp):
        if hours >= after.hours:
            share = (before.hours - hours) / (before.hours - after.hours)
            return before.value + share * (after.value - before.value)
    return ramp[-1].value


def requester_value(rubric: Rubric, *, role: str | None, tiers: tuple[str | None, ...]) -> tuple[float, str] | None:
    """Return the highest value the tables know of `role` and `tiers`, and whose it is; None if they know none."""
    known: list[tuple[float, str]] = []
    if role is not None:
        value = rubric.folded_roles.get(role.strip().casefold())
        if value is not None:
            known.append((value, f"role {role}"))
    for tier in tiers:
        value = None if tier is None else rubric.folded_tiers.get(tier.strip().casefold())
        if value is not None:
            known.append((value, f"tier {tier}"))
    return max(known, default=None)


def _check_ramp(ramp: tuple[RampPoint, ...]) -> None:
    if not ramp:
        raise InvalidRubric("triage.ramp: expected at least one point, found none", field="triage.ramp")
    for index, point in enumerate(ramp):
        _expect_between(point.value, 0.0, 1.0, field=f"triage.ramp.{index}.value")
        _expect_between(point.hours, -_MOST_HOURS, _MOST_HOURS, field=f"triage.ramp.{index}.hours")
    for index, (before, after) in enumerate(pairwise(ramp), start=1):
        if not (before.hours > after.hours and before.value <= after.value):
            raise InvalidRubric(
                f"triage.ramp.{index}: expected fewer hours and no lower value than the point before, "
                f"found {after.hours:g} h = {after.value:g} after {before.hours:g} h = {before.value:g}",
                field=f"triage.ramp.{index}",
            )
