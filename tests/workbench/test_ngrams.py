"""N-gram models: counted as a node counts, rounded without harm."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.manifest import NgramSpec
from holdfast.runtime.features import Plan, extract
from holdfast.runtime.linear import LinearHead
from holdfast.workbench.ngrams import count, fit_balanced, fit_margins, with_output

SPEC = NgramSpec(word_orders=(1, 2), char_orders=(3,), hash_bits=14)
TOPICS = {
    0: "printer toner paper tray jam {}",
    1: "password reset login account locked {}",
    2: "invoice purchase order approval budget {}",
}


def _texts(rows: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, rows)
    texts = []
    for label in labels.tolist():
        words = TOPICS[label].format(f"ticket{rng.integers(1000)}").split()
        texts.append(" ".join(rng.permutation(words)[: rng.integers(3, 6)].tolist()))
    return texts, labels


def test_counts_are_those_of_a_node() -> None:
    texts, _ = _texts(50)
    counts = count(texts, SPEC)
    features = extract(texts, Plan.over([SPEC]))
    for row in (0, 17, 49):
        wanted = np.zeros(1 << 14)
        for order in SPEC.word_orders:
            family = features.words[order]
            np.add.at(wanted, family.rows[family.bounds[row] : family.bounds[row + 1]], 1)
        np.testing.assert_array_equal(counts.words[row].toarray().ravel(), wanted)


@pytest.mark.parametrize("fitter", [fit_margins, fit_balanced])
def test_a_rounded_model_tells_topics_apart(fitter: object) -> None:
    texts, labels = _texts(600)
    counts = count(texts, SPEC)
    weights = fitter(counts.take(np.arange(400)), labels[:400], classes=3, seed=0)  # type: ignore[operator]
    head = LinearHead.load(weights.to_bytes(), spec=SPEC, classes=3)
    said = head.logits(extract(texts[400:], Plan.over([SPEC]))).argmax(axis=1)
    assert (said == labels[400:]).mean() > 0.97


def test_a_label_without_a_ticket_is_never_said() -> None:
    texts, labels = _texts(300)
    weights = fit_margins(count(texts, SPEC), labels, classes=5, seed=0)
    logits = LinearHead(SPEC, weights).logits(extract(texts, Plan.over([SPEC])))
    assert logits.argmax(axis=1).max() <= 2


def test_two_labels_get_a_row_of_weights_each() -> None:
    texts, labels = _texts(300)
    two = np.minimum(labels, 1)
    weights = fit_margins(count(texts, SPEC), two, classes=2, seed=0)
    said = LinearHead(SPEC, weights).logits(extract(texts, Plan.over([SPEC]))).argmax(axis=1)
    assert (said == two).mean() > 0.97


def test_a_lift_moves_one_label_only() -> None:
    texts, labels = _texts(200)
    weights = fit_margins(count(texts, SPEC), labels, classes=3, seed=0)
    lifted = with_output(weights, shift=np.array([0.0, 2.0, 0.0]))
    features = extract(texts, Plan.over([SPEC]))
    moved = LinearHead(SPEC, lifted).logits(features) - LinearHead(SPEC, weights).logits(features)
    np.testing.assert_allclose(moved, np.tile([0.0, 2.0, 0.0], (200, 1)), atol=1e-9)
