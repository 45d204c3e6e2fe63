"""Networks on the encoder's features, as a node computes them."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.runtime.encoder_head import EncoderHead, MlpWeights
from holdfast.runtime.tensors import TensorsUnreadable


@pytest.fixture
def weights() -> MlpWeights:
    rng = np.random.default_rng(5)
    return MlpWeights(
        hidden=rng.standard_normal((12, 40)).astype(np.float16).astype(np.float32),
        hidden_bias=rng.standard_normal(12).astype(np.float32),
        output=rng.standard_normal((3, 12)).astype(np.float32),
        output_bias=rng.standard_normal(3).astype(np.float32),
    )


def test_a_ticket_gets_the_same_bits_alone_and_in_company(weights: MlpWeights) -> None:
    head = EncoderHead.load(weights.to_bytes(), features_dim=40, classes=3)
    features = np.random.default_rng(6).standard_normal((17, 40)).astype(np.float32)
    together = head.logits(features)
    assert all(head.logits(features[i : i + 1]).tobytes() == together[i].tobytes() for i in range(17))


def test_logits_are_those_of_the_definition(weights: MlpWeights) -> None:
    features = np.random.default_rng(7).standard_normal((5, 40)).astype(np.float32)
    hidden = np.maximum(features @ weights.hidden.T + weights.hidden_bias, 0)
    wanted = hidden @ weights.output.T + weights.output_bias
    np.testing.assert_allclose(EncoderHead(weights).logits(features), wanted, rtol=1e-4, atol=1e-4)


def test_no_texts_give_no_logits(weights: MlpWeights) -> None:
    assert EncoderHead(weights).logits(np.empty((0, 40), np.float32)).shape == (0, 3)


@pytest.mark.parametrize(("dim", "classes"), [(41, 3), (40, 4)])
def test_weights_for_other_features_or_labels_are_refused(weights: MlpWeights, dim: int, classes: int) -> None:
    with pytest.raises(TensorsUnreadable):
        EncoderHead.load(weights.to_bytes(), features_dim=dim, classes=classes)
