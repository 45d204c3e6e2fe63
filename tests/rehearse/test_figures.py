"""Figures are what textbooks say they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from holdfast.rehearse.figures import auc, macro_f1, percentile


def test_the_median_of_an_even_count_is_the_lower_middle_value() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.0


def test_nothing_measured_is_no_number_rather_than_zero() -> None:
    assert math.isnan(percentile([], 95))
    assert math.isnan(macro_f1([], []))
    assert math.isnan(auc([], [1.0]))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1))
def test_macro_f1_agrees_with_the_reference_library(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = [t for t, _ in pairs], [p for _, p in pairs]
    expected = f1_score(truth, predicted, labels=sorted(set(truth)), average="macro", zero_division=0)
    assert macro_f1(truth, predicted) == pytest.approx(expected)


def test_an_abstention_costs_the_class_it_missed_and_is_no_class_itself() -> None:
    assert macro_f1(["a", "a", "b"], ["a", "needs-triage", "b"]) == pytest.approx((2 / 3 + 1) / 2)


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_auc_agrees_with_the_reference_library_ties_included(positive: list[int], negative: list[int]) -> None:
    truth = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    assert auc(positive, negative) == pytest.approx(roc_auc_score(truth, np.r_[positive, negative]))
