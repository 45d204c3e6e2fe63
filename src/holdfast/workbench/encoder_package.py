"""From a directory of weights to the files of one encoder variant: graph, tokenizer, known vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from holdfast.manifest import EncoderSpec
from holdfast.workbench.encoder import load_encoder
from holdfast.workbench.graph import default_pooled, write_fp32_graph
from holdfast.workbench.quantise import quantised_graph
from holdfast.workbench.vectors import known_vectors

__all__ = ["EncoderFiles", "build_encoder"]

Precision = Literal["int8", "fp32"]

_MINIMUM_COSINE: dict[Precision, float] = {"int8": 0.995, "fp32": 0.9999}
"""What another CPU must reach on the known vectors. Adding in another order moves some int8 values by one step, which
costs up to .003; arithmetic that does not suit the graph costs more (.015 where 16-bit sums saturate)."""


@dataclass(frozen=True, slots=True)
class EncoderFiles:
    """The files of one encoder variant, and what its specification says of them."""

    graph: bytes
    tokenizer: bytes
    vectors: bytes
    max_tokens: int
    features_dim: int
    embedding_dim: int
    precision: Precision
    minimum_cosine: float

    def spec(self, *, graph: str, tokenizer: str) -> EncoderSpec:
        """The manifest's words for these files, kept at paths `graph` and `tokenizer` of the package."""
        return EncoderSpec(
            graph=graph,
            tokenizer=tokenizer,
            max_tokens=self.max_tokens,
            features_dim=self.features_dim,
            embedding_dim=self.embedding_dim,
            precision=self.precision,
        )


def build_encoder(source_dir: Path, *, precision: Precision, calibration: Sequence[str] = ()) -> EncoderFiles:
    """Build one variant of the encoder in `source_dir`; equal inputs give equal bytes on one kind of machine.

    `calibration`: texts like those to be served (162 are enough), from which int8 chooses its ranges; fp32 needs none.
    Raises UnsupportedEncoder, TooFewTexts.
    """
    weights = load_encoder(source_dir)
    pooled = default_pooled(len(weights.layers))
    int8 = precision == "int8"
    graph = quantised_graph(weights, pooled, calibration) if int8 else write_fp32_graph(weights, pooled)
    width = weights.words.shape[1]
    return EncoderFiles(
        graph=graph,
        tokenizer=weights.tokenizer,
        vectors=known_vectors(graph, weights.tokenizer),
        max_tokens=weights.max_tokens,
        features_dim=width * pooled.blocks,
        embedding_dim=width,
        precision=precision,
        minimum_cosine=_MINIMUM_COSINE[precision],
    )
