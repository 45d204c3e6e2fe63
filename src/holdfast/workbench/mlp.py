"""Small networks that learn from the encoder's features what n-grams leave open, trained with numpy alone.

A network's logits are added to the n-grams' log-probabilities inside the loss, so it spends itself on the tickets the
n-grams are wrong or unsure about. Trained by themselves and averaged afterwards, the same networks gain half as much on
held-out tickets (docs/adr/0005-triage-model.md). The n-grams must not have learnt from the tickets they speak about.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.runtime.encoder_head import MlpWeights

__all__ = ["Examples", "MlpRecipe", "fit_networks"]

Features = NDArray[np.float16] | NDArray[np.float32]
Labels = NDArray[np.int64]
Array = NDArray[np.float32]

_MEAN_DECAY, _SQUARE_DECAY, _TINY = 0.9, 0.999, 1e-8  # Kingma and Ba (2015), their defaults
_STILL = 1e-2
_MATRIX = 2  # dimensions
_WEIGHT_DECAY = 0.01  # decoupled from the gradient: Loshchilov and Hutter (2019)


@dataclass(frozen=True, slots=True)
class MlpRecipe:
    """How the networks are trained; the defaults are what held-out routing tickets liked best."""

    networks: int = 4
    units: int = 128
    epochs: int = 8
    batch_rows: int = 256
    rate: float = 1e-3
    dropout: float = 0.5


@dataclass(frozen=True, slots=True)
class Examples:
    """What networks learn from."""

    features: Features
    """(n, d)"""
    labels: Labels
    """(n,)"""
    known: NDArray[np.float64]
    """(n, classes): log-probabilities of n-grams that have not learnt from these tickets."""
    weights: NDArray[np.float64]
    """(n,): how much each ticket counts; 1 on average."""

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """Some of the examples."""
        return Examples(self.features[rows], self.labels[rows], self.known[rows], self.weights[rows])


def fit_networks(
    examples: Examples,
    *,
    seed: int,
    recipe: MlpRecipe | None = None,
    told: Callable[[float], None] | None = None,
) -> MlpWeights:
    """Train networks and fold them, and the standardisation, into one. Deterministic for a seed.

    told: called with the share done, 0 to 1.
    """
    recipe = recipe or MlpRecipe()
    mean, spread = _standard(examples.features)
    lesson = _Lesson(_Standardised(examples.features, mean, spread), examples, recipe)
    progress = _Share(recipe.networks * recipe.epochs, told)

    def learn(index: int) -> _Network:
        rng = np.random.default_rng((seed, index))
        network = _Network.start(mean.shape[0], recipe.units, classes=examples.known.shape[1], rng=rng)
        for epoch in range(recipe.epochs):
            lesson.epoch(network, rng=rng, number=epoch)
            progress.one_more()
        return network

    # A core for each network: the same bytes however many cores there are, if BLAS keeps to one thread (trainer.py).
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        networks = list(pool.map(learn, range(recipe.networks)))
    return _folded(networks, mean, spread)


class _Share:
    """Counts epochs over all networks. The count is only shown, so a lost increment would do no harm."""

    def __init__(self, total: int, told: Callable[[float], None] | None) -> None:
        self._total, self._told, self._done = total, told, 0

    def one_more(self) -> None:
        """Say that another epoch is over."""
        self._done += 1
        if self._told is not None:
            self._told(self._done / self._total)


def _standard(features: Features) -> tuple[Array, Array]:
    """Mean and spread of each feature; a feature that hardly moves spreads without limit, so that it is left out."""
    total = np.zeros(features.shape[1])
    squares = np.zeros(features.shape[1])
    for first in range(0, len(features), 4096):
        block = features[first : first + 4096].astype(np.float64)
        total += block.sum(axis=0)
        squares += (block**2).sum(axis=0)
    mean = total / len(features)
    spread = np.sqrt(np.maximum(squares / len(features) - mean**2, 0))
    # A feature that hardly varies says nothing; dividing by its spread would overflow half precision.
    spread = np.maximum(spread, 0.01 * float(np.median(spread)) + 1e-6)
    return mean.astype(np.float32), spread.astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Standardised:
    features: Features
    mean: Array
    spread: Array

    def rows(self, chosen: NDArray[np.int64]) -> Array:
        return np.asarray((self.features[chosen].astype(np.float32) - self.mean) / self.spread, np.float32)


@dataclass(slots=True)
class _Network:
    """Weights of one network and the running moments of their gradients."""

    weights: list[Array]
    _means: list[Array]
    _squares: list[Array]
    steps: int = 0

    @classmethod
    def start(cls, inputs: int, units: int, *, classes: int, rng: np.random.Generator) -> _Network:
        """Draw first weights, He's scale for the rectified layer."""
        weights = [
            rng.standard_normal((inputs, units), dtype=np.float32) * np.float32(np.sqrt(2 / inputs)),
            np.zeros(units, np.float32),
            rng.standard_normal((units, classes), dtype=np.float32) * np.float32(np.sqrt(1 / units)),
            np.zeros(classes, np.float32),
        ]
        return cls(weights, [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights])

    def move(self, gradients: list[Array], rate: float) -> None:
        """One step of Adam with decoupled weight decay on the matrices."""
        self.steps += 1
        bias_mean = 1 - _MEAN_DECAY**self.steps
        bias_square = 1 - _SQUARE_DECAY**self.steps
        step = np.float32(rate * np.sqrt(bias_square) / bias_mean)
        for position, gradient in enumerate(gradients):
            self._means[position] += np.float32(1 - _MEAN_DECAY) * (gradient - self._means[position])
            self._squares[position] += np.float32(1 - _SQUARE_DECAY) * (gradient**2 - self._squares[position])
            weight = self.weights[position]
            if weight.ndim == _MATRIX:  # biases are not decayed
                np.multiply(weight, np.float32(1 - rate * _WEIGHT_DECAY), out=weight)
            weight -= step * self._means[position] / (np.sqrt(self._squares[position]) + np.float32(_TINY))


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What every network learns from, and how."""

    inputs: _Standardised
    examples: Examples
    recipe: MlpRecipe

    def epoch(self, network: _Network, *, rng: np.random.Generator, number: int) -> None:
        """Show every row once, in a fresh order."""
        rows = len(self.examples.labels)
        order = rng.permutation(rows)
        size = min(self.recipe.batch_rows, rows)
        for first in range(0, rows - size + 1, size):
            chosen = order[first : first + size]
            share = (number + first / rows) / self.recipe.epochs
            rate = self.recipe.rate * 0.5 * (1 + np.cos(np.pi * share))  # ends gently, with no patience to choose
            network.move(self._gradients(network, chosen, rng), float(rate))

    def _gradients(self, network: _Network, chosen: NDArray[np.int64], rng: np.random.Generator) -> list[Array]:
        """Gradients of the cross-entropy of n-grams and network together with respect to the four weights."""
        first, first_bias, second, second_bias = network.weights
        inputs = self.inputs.rows(chosen)
        kept = 1 - self.recipe.dropout
        hidden = np.maximum(inputs @ first + first_bias, 0)
        keep = (rng.random(hidden.shape, dtype=np.float32) < kept) / np.float32(kept)
        dropped = hidden * keep
        logits = dropped @ second + second_bias + self.examples.known[chosen].astype(np.float32)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        error = odds / odds.sum(axis=1, keepdims=True)
        error[np.arange(len(chosen)), self.examples.labels[chosen]] -= 1
        error *= (self.examples.weights[chosen, None] / len(chosen)).astype(np.float32)
        back = (error @ second.T) * keep * (hidden > 0)
        return [inputs.T @ back, back.sum(axis=0), dropped.T @ error, error.sum(axis=0)]


def _folded(networks: list[_Network], mean: Array, spread: Array) -> MlpWeights:
    """Side by side: hidden layers stacked, output layers divided by their number, standardisation inside."""
    hidden = np.concatenate([network.weights[0] for network in networks], axis=1) / spread[:, None]
    bias = np.concatenate([network.weights[1] for network in networks])
    output = np.concatenate([network.weights[2] for network in networks], axis=0) / np.float32(len(networks))
    output_bias = np.mean([network.weights[3] for network in networks], axis=0)
    # What a node multiplies with is rounded to half precision: fold the mean in after the rounding.
    rounded = hidden.astype(np.float16).astype(np.float32)
    return MlpWeights(
        hidden=np.ascontiguousarray(rounded.T),
        hidden_bias=np.asarray(bias - mean @ rounded, np.float32),
        output=np.ascontiguousarray(output.T),
        output_bias=np.asarray(output_bias, np.float32),
    )
