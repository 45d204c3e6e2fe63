"""Static int8: which range of every activation becomes uint8, chosen once on real texts.

A scale per call (dynamic int8) would let a text's numbers depend on the texts beside it. Percentile ranges cut the few
large values that carry the meaning; the range with the least squared error of the rounded values keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from holdfast.errors import InvalidInput
from holdfast.workbench.encoder import EncoderWeights
from holdfast.workbench.graph import Activation8, Pooled, write_fp32_graph, write_int8_graph

__all__ = ["MIN_TEXTS", "TooFewTexts", "choose_range", "measure_activations", "open_graph", "quantised_graph"]

MIN_TEXTS = 16
"""Fewer texts do not show the range of a layer; 162 real tickets were enough for cosine .98."""
_BINS = 4096
_LEVELS = 255
_CANDIDATES = 48
_SMALLEST_SHARE = 0.05
"""The narrowest range tried, as a share of the widest value seen on that side."""


class TooFewTexts(InvalidInput):
    """The calibration texts are too few to choose ranges from."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """How often each value of one activation was seen, in `_BINS` equal steps from `low` to `high` (0 is inside)."""

    low: float
    high: float
    counts: NDArray[np.int64]


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
    tokenizer = Tokenizer.from_str(weights.tokenizer.decode())
    ids = [encoded.ids for encoded in tokenizer.encode_batch(list(texts))]
    session = open_graph(write_fp32_graph(weights, Pooled((), (len(weights.layers),)), watched=True))
    return {site: choose_range(seen.low, seen.high, seen.counts) for site, seen in _watch(session, ids).items()}


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


def _watch(session: onnxruntime.InferenceSession, ids: Sequence[Sequence[int]]) -> Mapping[str, _Seen]:
    """Run every text twice: first for the ends of each range, then for the counts between them."""
    sites = [output.name for output in session.get_outputs() if output.name not in {"features", "embedding"}]
    low, high = dict.fromkeys(sites, 0.0), dict.fromkeys(sites, 0.0)
    for text in ids:
        for site, values in zip(sites, session.run(sites, {"ids": np.array([text], np.int64)}), strict=True):
            low[site] = min(low[site], float(values.min()))
            high[site] = max(high[site], float(values.max()))
    counts = {site: np.zeros(_BINS, np.int64) for site in sites}
    for text in ids:
        for site, values in zip(sites, session.run(sites, {"ids": np.array([text], np.int64)}), strict=True):
            counts[site] += np.histogram(values, _BINS, (low[site], high[site]))[0]
    return {site: _Seen(low[site], high[site], counts[site]) for site in sites}
