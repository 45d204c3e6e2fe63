"""Encoder heads: small networks on the encoder's features, computed row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.runtime.tensors import read_tensors, write_tensors

__all__ = ["EncoderHead", "MlpWeights"]


@dataclass(frozen=True, slots=True)
class MlpWeights:
    """Several one-layer networks side by side; their mean is one linear layer over all their hidden units."""

    hidden: NDArray[np.float32]
    """(units of all networks, d); the standardisation of the features is folded in."""
    hidden_bias: NDArray[np.float32]
    """(units,)"""
    output: NDArray[np.float32]
    """(classes, units), already divided by the number of networks."""
    output_bias: NDArray[np.float32]
    """(classes,)"""

    def to_bytes(self) -> bytes:
        """Encode for a package; the large matrix in half precision."""
        arrays: dict[str, NDArray[Any]] = {
            "hidden": self.hidden.astype(np.float16),
            "hidden_bias": self.hidden_bias,
            "output": self.output,
            "output_bias": self.output_bias,
        }
        return write_tensors(arrays)


class EncoderHead:
    """One head's networks. Immutable: any number of threads may ask it."""

    def __init__(self, weights: MlpWeights) -> None:
        self._weights = weights

    @classmethod
    def load(cls, content: bytes | memoryview, *, features_dim: int, classes: int) -> EncoderHead:
        """Read a head's file. Raises TensorsUnreadable when it does not fit the features and labels."""
        tensors = read_tensors(content)
        hidden = tensors.get("hidden", "F16", (None, features_dim))
        units = hidden.shape[0]
        return cls(
            MlpWeights(
                hidden=hidden.astype(np.float32),
                hidden_bias=tensors.get("hidden_bias", "F32", (units,)),
                output=tensors.get("output", "F32", (classes, units)),
                output_bias=tensors.get("output_bias", "F32", (classes,)),
            )
        )

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean logits of the networks, (n, classes), of features (n, d).

        Row by row: a matrix product may add in another order for another number of rows, and one ticket must get one
        answer alone and in company.
        """
        weights = self._weights
        logits = np.empty((len(features), len(weights.output_bias)), np.float64)
        for row, vector in enumerate(features):
            hidden = np.maximum(weights.hidden @ vector + weights.hidden_bias, 0)
            logits[row] = weights.output @ hidden + weights.output_bias
        return logits
