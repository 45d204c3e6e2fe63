"""Static int8: how every activation becomes uint8, chosen once on real texts.

A scale per call (dynamic int8) would let a text's numbers depend on the texts beside it. Percentile ranges cut the few
large values that carry the meaning; the range with the least squared error of the rounded values keeps them. After each
LayerNorm a factor per feature moves part of the features' difference in size into the weights.
Source of the factors: Xiao et al., SmoothQuant (2023), equation 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from holdfast.errors import InvalidInput
from holdfast.workbench.encoder import EncoderWeights
from holdfast.workbench.graph import (
    Activation8,
    Pooled,
    default_pooled,
    smoothed_sites,
    write_fp32_graph,
    write_int8_graph,
)

Array = NDArray[np.float32]

__all__ = ["MIN_TEXTS", "TooFewTexts", "choose_range", "measure_activations", "open_graph", "quantised_graph"]

MIN_TEXTS = 16
"""Fewer texts do not show the range of a layer; 162 real tickets were enough for cosine .98."""
_MAX_TEXTS = 192
_TOKENS_PER_TEXT = 24
"""Places looked at in each text, the first and the last among them: their values are the largest."""
_BINS = 4096
_LEVELS = 255
_CANDIDATES = 48
_SMALLEST_SHARE = 0.05
"""The narrowest range tried, as a share of the widest value seen on that side."""
_MIGRATION = 0.5
"""SmoothQuant's alpha: .3 to .85 differ by less than .002 of mean cosine."""
_SMALLEST = 1e-5


class TooFewTexts(InvalidInput):
    """The calibration texts are too few to choose ranges from."""


def open_graph(graph: bytes) -> onnxruntime.InferenceSession:
    """Open `graph` as the node's worker does: one thread, nodes exactly as written."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The optimizer would replace nodes by its own equivalents, which are slower here and differ between its versions.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def quantised_graph(weights: EncoderWeights, pooled: Pooled, texts: Sequence[str]) -> bytes:
    """Return the int8 graph with ranges chosen on `texts`. Raises TooFewTexts."""
    return write_int8_graph(weights, pooled, measure_activations(weights, texts))


def measure_activations(weights: EncoderWeights, texts: Sequence[str]) -> dict[str, Activation8]:
    """Return how each activation is rounded, chosen on `texts` with the fp32 graph. Raises TooFewTexts."""
    if len(texts) < MIN_TEXTS:
        raise TooFewTexts(f"calibration of the int8 encoder: expected at least {MIN_TEXTS} texts, found {len(texts)}")
    seen = _watch(weights, [texts[i] for i in _places(len(texts), _MAX_TEXTS)])
    readers = smoothed_sites(weights)
    return {site: _rounding(values, readers.get(site)) for site, values in seen.items()}


def _rounding(values: Array, readers: Array | None) -> Activation8:
    factors = None
    if readers is not None:
        factors = _factors(values, readers)
        values = values * factors
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    chosen = choose_range(low, high, np.histogram(values, _BINS, (low, high))[0])
    return Activation8(scale=chosen.scale, zero_point=chosen.zero_point, factors=factors)


def _factors(values: Array, readers: Array) -> Array:
    """The inverse of SmoothQuant's s, scaled to a geometric mean of 1."""
    sizes = np.maximum(np.abs(values).max(axis=0), _SMALLEST)
    weights = np.maximum(np.abs(readers).max(axis=1), _SMALLEST)
    logs = (1 - _MIGRATION) * np.log(weights) - _MIGRATION * np.log(sizes)
    factors: Array = np.exp(logs - logs.mean()).astype(np.float32)
    return factors


def choose_range(low: float, high: float, counts: NDArray[np.int64]) -> Activation8:
    """Return the rounding with the least squared error over a histogram of equal steps from `low` to `high`.

    0 always keeps an exact code, so `low` <= 0 <= `high`. Either end is moved in turn until neither move helps.
    """
    step = (high - low) / len(counts)
    centres = np.linspace(low + step / 2, high - step / 2, len(counts), dtype=np.float64)
    shares = np.linspace(_SMALLEST_SHARE, 1.0, _CANDIDATES)
    best_low, best_high = low, high
    best = _squared_error(centres, counts, _activation(low, high))
    improved = True
    while improved:
        improved = False
        tries = [(low * share, best_high) for share in shares] + [(best_low, high * share) for share in shares]
        for candidate in tries:
            error = _squared_error(centres, counts, _activation(*candidate))
            if error < best:
                best, improved = error, True
                best_low, best_high = candidate
    return _activation(best_low, best_high)


def _activation(low: float, high: float) -> Activation8:
    scale = max(high - low, 1e-8) / _LEVELS
    return Activation8(scale=float(np.float32(scale)), zero_point=int(np.clip(np.rint(-low / scale), 0, _LEVELS)))


def _squared_error(centres: NDArray[np.float64], counts: NDArray[np.int64], chosen: Activation8) -> float:
    codes = np.clip(np.rint(centres / chosen.scale) + chosen.zero_point, 0, _LEVELS)
    return float(counts @ np.square((codes - chosen.zero_point) * chosen.scale - centres))


def _watch(weights: EncoderWeights, texts: Sequence[str]) -> dict[str, Array]:
    """The values (places, features) of every site on `texts`, from the fp32 graph."""
    tokenizer = Tokenizer.from_str(weights.tokenizer.decode())
    session = open_graph(write_fp32_graph(weights, default_pooled(len(weights.layers)), watched=True))
    sites = [output.name for output in session.get_outputs() if output.name not in {"features", "embedding"}]
    kept: dict[str, list[Array]] = {site: [] for site in sites}
    for encoded in tokenizer.encode_batch(list(texts)):
        for site, values in zip(sites, session.run(sites, {"ids": np.array([encoded.ids], np.int64)}), strict=True):
            kept[site].append(values[0, _places(values.shape[1], _TOKENS_PER_TEXT)])
    return {site: np.concatenate(values) for site, values in kept.items()}


def _places(length: int, count: int) -> list[int]:
    """At most `count` places out of `length`, evenly spread, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, length - 1, min(count, length))})
