"""Calibration: make a model's confidence mean what it says, on tickets the model has not learnt from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from holdfast.runtime.blend import log_softmax

__all__ = ["fit_second_temperature", "fit_temperature", "log_loss"]

_LOG_TEMPERATURE_RANGE = (np.log(0.02), np.log(20.0))

Logits = NDArray[np.float64]
Labels = NDArray[np.int64]


def log_loss(logits: Logits, labels: Labels, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the labels."""
    return float(-log_softmax(logits, temperature)[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """The one divisor that makes held-out logits most likely.

    Source: Guo et al., On calibration of modern neural networks (2017), section 4.2.
    """
    if not len(labels):
        return 1.0
    found = minimize_scalar(
        lambda exponent: log_loss(logits, labels, float(np.exp(exponent))),
        bounds=_LOG_TEMPERATURE_RANGE,
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def fit_second_temperature(known: Logits, logits: Logits, labels: Labels) -> float:
    """The divisor of `logits` that makes the labels most likely once `known` log-probabilities are added."""
    found = minimize_scalar(
        lambda exponent: log_loss(known + logits / float(np.exp(exponent)), labels),
        bounds=_LOG_TEMPERATURE_RANGE,
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))
