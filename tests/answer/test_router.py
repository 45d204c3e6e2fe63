"""Routes, for every combination of conditions."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from holdfast.answer.pressure import Pressure, PressureLimits, advance
from holdfast.answer.router import Standing, attempt_s, route
from holdfast.runtime.engine import Condition
from holdfast.tier import TIERS, Reason, Signal, Tier

seconds = st.floats(0, 10, allow_nan=False)
conditions = st.builds(
    Condition, refuses=st.none() | st.sampled_from(Reason), wait_s=seconds, service_s=seconds, depth=st.integers(0, 99)
)
standings = st.builds(
    Standing,
    conditions=st.dictionaries(st.sampled_from([Tier.FULL, Tier.SMALL]), conditions),
    absent=st.dictionaries(st.sampled_from([Tier.FULL, Tier.SMALL]), st.sampled_from(Reason)),
    configured=st.sampled_from(Tier),
    pressure=st.none() | st.sampled_from([Reason.TEMPERATURE, Reason.MEMORY_PRESSURE]),
)


@given(standings, st.floats(-5, 60))
def test_every_route_names_every_tier_in_order_and_ends_with_the_rules(standing, remaining_s) -> None:
    steps = route(standing, remaining_s).steps
    assert tuple(step.tier for step in steps) == TIERS
    assert steps[-1].skipped is None


@given(standings, st.floats(-5, 60))
def test_a_tier_without_an_engine_or_above_the_configured_one_is_never_tried(standing, remaining_s) -> None:
    for tier in route(standing, remaining_s).to_try[:-1]:
        assert tier in standing.conditions
        assert TIERS.index(tier) >= TIERS.index(standing.configured)


@given(standings, st.floats(0, 60), st.floats(0, 60))
def test_more_time_never_takes_a_tier_away(standing, first_s, second_s) -> None:
    less, more = sorted((first_s, second_s))
    assert set(route(standing, less).to_try) <= set(route(standing, more).to_try)


@given(st.floats(-10, 30))
def test_what_is_left_after_an_attempt_is_enough_for_another(remaining_s) -> None:
    assert 0 <= attempt_s(remaining_s) <= max(0.0, remaining_s) * 0.6


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(20, 110), st.integers(0, 1 << 31)), max_size=60))
def test_pressure_never_changes_twice_within_its_cooldown(readings) -> None:
    limits, state, at_s, changes = PressureLimits(cooldown_s=60.0), Pressure(), 0.0, []
    for pause_s, temperature_c, free in readings:
        at_s += pause_s
        signals = [
            Signal(kind="temperature_c", value=temperature_c, taken_at_s=at_s),
            Signal(kind="available_bytes", value=free, taken_at_s=at_s),
        ]
        after = advance(state, signals, limits=limits, at_s=at_s)
        changes += [at_s] if after.reason != state.reason else []
        state = after
    assert all(later - earlier >= limits.cooldown_s for earlier, later in itertools.pairwise(changes))


def test_a_temperature_between_the_marks_changes_nothing() -> None:
    between = [Signal(kind="temperature_c", value=76.0, taken_at_s=0.0)]
    hot = Pressure(Reason.TEMPERATURE, -100.0)
    assert advance(Pressure(), between, limits=PressureLimits(), at_s=0.0).reason is None
    assert advance(hot, between, limits=PressureLimits(), at_s=0.0) is hot
