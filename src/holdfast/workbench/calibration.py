"""Calibration: make a model's confidence mean what it says, on tickets the model has not learnt from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from holdfast.runtime.blend import log_softmax

__all__ = ["Calibration", "calibration_error", "fit_offsets", "fit_temperature", "log_loss"]

_LOG_TEMPERATURE_RANGE = (np.log(0.02), np.log(20.0))
_BINS = 15  # of equal width, as in Guo et al.

Logits = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns logits into calibrated ones: add `offsets`, then divide by `temperature`."""

    temperature: float
    offsets: NDArray[np.float64]


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


def fit_offsets(logits: Logits, labels: Labels, *, pull: float = 1.0) -> Calibration:
    """Temperature and one offset per class: undoes the class balancing a model was fitted with.

    pull: how many rows' worth of doubt keep a class with few rows near the others.
    """
    rows, classes = logits.shape
    if not rows:
        return Calibration(1.0, np.zeros(classes))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_probabilities = log_softmax(logits * np.exp(parameters[0]) + parameters[1:])
        residual = np.exp(log_probabilities)
        residual[np.arange(rows), labels] -= 1.0
        value = -log_probabilities[np.arange(rows), labels].mean() + pull / rows * float((parameters[1:] ** 2).sum())
        slope = np.empty_like(parameters)
        slope[0] = (residual * logits).sum() * np.exp(parameters[0]) / rows
        slope[1:] = residual.mean(axis=0) + 2 * pull / rows * parameters[1:]
        return float(value), slope

    bounds = [(-_LOG_TEMPERATURE_RANGE[1], -_LOG_TEMPERATURE_RANGE[0]), *[(-20.0, 20.0)] * classes]
    found = minimize(loss, np.zeros(1 + classes), jac=True, method="L-BFGS-B", bounds=bounds)
    temperature = float(np.exp(-found.x[0]))
    return Calibration(temperature, np.asarray(found.x[1:] * temperature, np.float64))


def calibration_error(probabilities: NDArray[np.float64], labels: Labels) -> float:
    """Expected calibration error of the winning label: mean distance of confidence and accuracy over equal bins."""
    confidence = probabilities.max(axis=1)
    hits = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    weights = np.bincount(bins, minlength=_BINS)
    gaps = np.bincount(bins, confidence, _BINS) - np.bincount(bins, hits.astype(np.float64), _BINS)
    return float(np.abs(gaps).sum() / max(int(weights.sum()), 1))
