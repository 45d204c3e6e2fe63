"""Bootstrap intervals cover what they say, and say nothing of an empty sample."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.report.bootstrap import difference, interval

_mean = np.mean


def test_a_95_percent_interval_of_a_mean_covers_the_truth_about_95_times_in_100() -> None:
    world = np.random.default_rng(1)
    inside = 0
    for _ in range(300):
        found = interval(world.normal(5.0, 2.0, 60), _mean, rng=world, rounds=300)
        inside += not found.excludes(5.0)
    assert 0.91 <= inside / 300 <= 0.98


def test_the_interval_of_a_mean_is_as_wide_as_its_standard_error_asks() -> None:
    values = np.random.default_rng(2).normal(0.0, 1.0, 400)
    found = interval(values, _mean, rng=np.random.default_rng(3))
    assert found.estimate == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_a_difference_that_is_there_is_found_and_one_that_is_not_seldom_is() -> None:
    rng = np.random.default_rng(4)
    there = difference(rng.normal(10, 2, 300), rng.normal(8, 2, 300), statistic=_mean, rng=rng)
    claimed = 0
    for _ in range(60):
        claimed += difference(
            rng.normal(10, 2, 80), rng.normal(10, 2, 80), statistic=_mean, rng=rng, rounds=200
        ).excludes(0.0)
    assert there.excludes(0.0)
    assert claimed <= 7  # 3 are expected


def test_rows_of_two_columns_are_drawn_as_a_whole() -> None:
    rows = np.array([[1.0, 2.0], [2.0, 4.0], [5.0, 10.0]])
    found = interval(rows, lambda drawn: drawn[:, 1].sum() / drawn[:, 0].sum(), rng=np.random.default_rng(5))
    assert (found.low, found.estimate, found.high) == pytest.approx((2.0, 2.0, 2.0))


def test_equal_seeds_give_equal_intervals() -> None:
    first, second = (interval(range(50), np.median, rng=np.random.default_rng(6)) for _ in range(2))
    assert first == second


def test_a_sample_of_nothing_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        interval([], _mean, rng=np.random.default_rng(7))
