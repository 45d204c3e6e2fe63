"""The figures of a report are those that scikit-learn would print."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, f1_score, log_loss, roc_auc_score

from holdfast.workbench.figures import macro_f1_error, measure

LABELS = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


def _made(n: int, *, seed: int, decimals: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, size=n, p=[0.1, 0.5, 0.3, 0.1])
    logits = rng.normal(size=(n, 4))
    logits[np.arange(n), truth] += 1.0
    probabilities = np.exp(logits).round(decimals)
    return probabilities / probabilities.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("decimals", [1, 12])
def test_macro_f1_confusion_and_log_loss_agree_with_scikit_learn(seed: int, decimals: int) -> None:
    probabilities, truth = _made(500, seed=seed, decimals=decimals)
    figures = measure(probabilities, truth, labels=LABELS)
    said = probabilities.argmax(axis=1)
    assert figures.macro_f1 == pytest.approx(f1_score(truth, said, average="macro"))
    assert np.array_equal(figures.confusion, confusion_matrix(truth, said))
    assert figures.log_loss == pytest.approx(log_loss(truth, np.clip(probabilities, 1e-12, 1)), rel=1e-3)


@pytest.mark.parametrize("decimals", [1, 12])
def test_urgent_curves_agree_with_scikit_learn_ties_included(decimals: int) -> None:
    probabilities, truth = _made(500, seed=5, decimals=decimals)
    figures = measure(probabilities, truth, labels=LABELS, urgent=[("CRITICAL",), ("HIGH", "CRITICAL")])
    critical, both = figures.urgent
    assert critical.auc == pytest.approx(roc_auc_score(truth == 3, probabilities[:, 3]))
    assert both.average_precision == pytest.approx(
        average_precision_score(truth >= 2, probabilities[:, 2:].sum(axis=1))
    )
    assert (both.points[-1].recall, both.support) == (1.0, int((truth >= 2).sum()))


def test_the_standard_error_is_the_spread_over_fresh_hold_outs() -> None:
    fresh = [measure(*_made(400, seed=seed), labels=LABELS) for seed in range(200)]
    spread = np.std([figures.macro_f1 for figures in fresh])
    assert macro_f1_error(np.array(fresh[0].confusion)) == pytest.approx(spread, rel=0.3)


def test_reliability_of_a_head_that_knows_its_doubt_is_straight() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet([1.0] * 4, size=20_000)
    truth = np.array([rng.choice(4, p=row) for row in probabilities])
    figures = measure(probabilities, truth, labels=LABELS)
    assert figures.calibration_error < 0.015
    assert all(abs(one.confidence - one.right) < 0.05 for one in figures.reliability if one.count > 500)


def test_a_label_nobody_used_has_no_curve_and_breaks_nothing() -> None:
    probabilities, truth = _made(50, seed=2)
    figures = measure(probabilities, np.zeros_like(truth), labels=LABELS, urgent=[("CRITICAL",)])
    assert figures.urgent == ()
    assert figures.classes[3].support == 0
