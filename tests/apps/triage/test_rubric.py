"""The rubric: what may be set, and the ramp."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.rubric import (
    Bands,
    InvalidRubric,
    RampPoint,
    Rubric,
    Weights,
    deadline_value,
    requester_value,
)
from tests.apps.triage.examples import NOON

RAMP = Rubric().ramp


def value(hours: float) -> float:
    return deadline_value(RAMP, deadline_at=NOON + timedelta(hours=hours), at=NOON)


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: Weights(model=0.5), "triage.weights"),
        (lambda: Weights(model=-0.1), "triage.weights.model"),
        (lambda: Weights(keywords=float("nan")), "triage.weights.keywords"),
        (lambda: Bands(p0=60), "triage.bands"),
        (lambda: Bands(p0=101), "triage.bands"),
        (lambda: Bands(p2=0), "triage.bands"),
        (lambda: Rubric(ramp=()), "triage.ramp"),
        (lambda: Rubric(ramp=(RampPoint(hours=1, value=1), RampPoint(hours=0, value=0.5))), "triage.ramp.1"),
        (lambda: Rubric(ramp=(RampPoint(hours=0, value=0), RampPoint(hours=1, value=1))), "triage.ramp.1"),
        (lambda: Rubric(ramp=(RampPoint(hours=0, value=2),)), "triage.ramp.0.value"),
        (lambda: Rubric(roles={"ceo": 1.5}), "triage.roles.ceo"),
        (lambda: Rubric(keywords={"x": -1}), "triage.keywords.x"),
        (lambda: Rubric(timezone="Middle/Earth"), "triage.timezone"),
        (lambda: Rubric(minimum_confidence=2), "triage.minimum_confidence"),
    ],
)
def test_what_is_out_of_range_is_refused_by_its_key(build, field: str) -> None:
    with pytest.raises(InvalidRubric) as caught:
        build()
    assert caught.value.field == field


@given(st.floats(-2000, 2000), st.floats(0, 2000))
def test_the_ramp_never_falls_as_the_deadline_comes_nearer(hours: float, more: float) -> None:
    assert 0.0 <= value(hours + more) <= value(hours) <= 1.0


@pytest.mark.parametrize(
    ("hours", "wanted"), [(1000, 0), (168, 0), (48, 0.375), (24, 0.5), (0, 0.95), (-24, 1), (-900, 1)]
)
def test_the_ramp_goes_through_its_points_and_is_level_beyond(hours: float, wanted: float) -> None:
    assert value(hours) == pytest.approx(wanted)


def test_the_highest_of_role_and_tiers_counts_and_names_itself() -> None:
    assert requester_value(Rubric(), role="Employee", tiers=(None, " GOLD ")) == (0.8, "tier  GOLD ")
    assert requester_value(Rubric(), role="CEO", tiers=("free", None)) == (1.0, "role CEO")
    assert requester_value(Rubric(), role="astronaut", tiers=(None, None)) is None


@given(st.floats(0, 100), st.floats(0, 100))
def test_a_higher_score_is_never_in_a_lower_band(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert list(Priority).index(Bands().priority(high)) <= list(Priority).index(Bands().priority(low))
