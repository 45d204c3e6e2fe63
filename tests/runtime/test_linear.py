"""Linear heads: packed integer sums equal plain ones."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.manifest import NgramSpec
from holdfast.runtime.features import Features, Plan, extract
from holdfast.runtime.linear import LinearHead, LinearWeights, row_width
from holdfast.runtime.tensors import TensorsUnreadable

BITS = 12
BOTH = NgramSpec(word_orders=(1, 2), char_orders=(3, 4), hash_bits=BITS)
WORDS = NgramSpec(word_orders=(1, 2, 3), char_orders=(), hash_bits=BITS)
TEXTS = ["", "a", "printer out of toner", "the disk is full " * 150, "", "größer als je zuvor"]


def _weights(classes: int, spec: NgramSpec) -> LinearWeights:
    rng = np.random.default_rng(classes)
    shape = (1 << BITS, row_width(classes))
    return LinearWeights(
        words=rng.integers(-127, 128, shape, np.int8) if spec.word_orders else None,
        chars=rng.integers(-127, 128, shape, np.int8) if spec.char_orders else None,
        scales=rng.random((2, classes)),
        bias=rng.random(classes),
    )


def _plain(weights: LinearWeights, spec: NgramSpec, features: Features) -> np.ndarray:
    """The same logits by the definition, one row at a time."""
    classes = len(weights.bias)
    logits = np.tile(weights.bias, (features.texts, 1))
    for index, (table, families, orders) in enumerate(
        ((weights.words, features.words, spec.word_orders), (weights.chars, features.chars, spec.char_orders))
    ):
        for text in range(features.texts if table is not None else 0):
            bounds = [(families[o].bounds[text], families[o].bounds[text + 1]) for o in orders]
            rows = np.concatenate([families[o].rows[a:b] for o, (a, b) in zip(orders, bounds, strict=True)])
            sums = table[rows, :classes].astype(int).sum(axis=0)
            logits[text] += sums / np.sqrt(max(len(rows), 1)) * weights.scales[index]
    return logits


@pytest.mark.parametrize("spec", [BOTH, WORDS], ids=["both", "words"])
@pytest.mark.parametrize("classes", [2, 4, 5, 8, 9, 22])
def test_packed_sums_equal_plain_sums(classes: int, spec: NgramSpec) -> None:
    weights = _weights(classes, spec)
    head = LinearHead.load(weights.to_bytes(), spec=spec, classes=classes)
    features = extract(TEXTS, Plan.over([spec]))
    np.testing.assert_allclose(head.logits(features), _plain(weights, spec, features), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("classes", [3, 8, 22])
def test_a_text_gets_the_same_bits_alone_and_in_company(classes: int) -> None:
    head = LinearHead(BOTH, _weights(classes, BOTH))
    plan = Plan.over([BOTH])
    together = head.logits(extract(TEXTS, plan))
    for row, text in zip(together, TEXTS, strict=True):
        assert head.logits(extract([text], plan)).tobytes() == row.tobytes()


def test_extreme_weights_do_not_spill_into_the_next_class() -> None:
    table = np.full((1 << BITS, 8), -128, np.int8)
    table[:, 1::2] = 127
    weights = LinearWeights(table, None, np.ones((2, 8)), np.zeros(8))
    spec = NgramSpec(word_orders=(1,), char_orders=(), hash_bits=BITS)
    logits = LinearHead(spec, weights).logits(extract(["ab " * 2_000], Plan.over([spec])))
    assert logits.tolist() == [pytest.approx([-128 * 2000**0.5, 127 * 2000**0.5] * 4)]


def test_evidence_names_the_words_that_pull_hardest() -> None:
    spec = NgramSpec(word_orders=(1,), char_orders=(), hash_bits=BITS)
    plan = Plan.over([spec])
    table = np.zeros((1 << BITS, 4), np.int8)
    table[extract(["toner printer please"], plan).words[1].rows, 2] = [100, 50, -20]
    head = LinearHead(spec, LinearWeights(table, None, np.full((2, 4), 0.1), np.zeros(4)))
    features = extract(["Please: Printer, printer has no toner", ""], plan)
    (first, nothing) = head.evidence(features, np.array([2, 2]), wanted=[True, True], limit=2)
    assert [word for word, _ in first] == ["printer", "toner"]
    assert sum(pull for _, pull in first) == pytest.approx((50 + 50 + 100) * 0.1 / 6**0.5)
    assert nothing == ()
    assert head.evidence(features, np.array([2, 2]), wanted=[False, False], limit=2) == [(), ()]


def test_weights_of_other_features_are_refused() -> None:
    content = _weights(8, BOTH).to_bytes()
    with pytest.raises(TensorsUnreadable, match="words"):
        LinearHead.load(content, spec=BOTH, classes=9)
    with pytest.raises(TensorsUnreadable, match="features"):
        LinearHead.load(content.replace(b"ngrams/1", b"ngrams/9"), spec=BOTH, classes=8)
