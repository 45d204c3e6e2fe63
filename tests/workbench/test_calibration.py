"""Temperatures that make confidence mean what it says."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.runtime.blend import log_softmax
from holdfast.workbench.calibration import fit_second_temperature, fit_temperature, log_loss

RNG = np.random.default_rng(2)
LOGITS = RNG.normal(0, 2, (20_000, 4))
LABELS = np.array([RNG.choice(4, p=row) for row in np.exp(log_softmax(LOGITS))])


@pytest.mark.parametrize("factor", [0.25, 1.0, 5.0])
def test_the_temperature_undoes_over_and_under_confidence(factor: float) -> None:
    assert fit_temperature(LOGITS * factor, LABELS) == pytest.approx(factor, rel=0.05)


def test_no_tickets_leave_the_logits_as_they_are() -> None:
    assert fit_temperature(np.empty((0, 4)), np.empty(0, np.int64)) == 1.0


def test_a_second_opinion_is_scaled_to_what_it_adds() -> None:
    known = log_softmax(LOGITS * 0.5)
    assert fit_second_temperature(known, LOGITS * 0.5 * 3.0, LABELS) == pytest.approx(3.0, rel=0.1)


def test_a_useless_second_opinion_is_muted() -> None:
    known = log_softmax(LOGITS)
    noise = RNG.normal(0, 1, LOGITS.shape)
    muted = fit_second_temperature(known, noise, LABELS)
    assert log_loss(known + noise / muted, LABELS) == pytest.approx(log_loss(known, LABELS), abs=1e-3)
