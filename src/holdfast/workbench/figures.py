"""Held-out figures of one head: probabilities against what people decided; numpy only, no state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.workbench.report import Bin, ClassFigures, CurvePoint, Figures, UrgentCurve

__all__ = ["average_precision", "confusion_matrix", "macro_f1", "macro_f1_error", "measure", "roc_auc", "urgent_curve"]

_BINS = 10
_CURVE_POINTS = 60  # enough for a smooth line, few enough for a small page
_RESAMPLES = 400  # the standard error of the standard error is then 3.5 %
_TINY = 1e-12  # log of zero

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def measure(
    probabilities: Floats,
    truth: Ints,
    *,
    labels: Sequence[str],
    urgent: Sequence[Sequence[str]] = (),
    predicted: Ints | None = None,
) -> Figures:
    """Measure `probabilities` (n, c), rows summing to 1, against the label positions `truth` (n,).

    `urgent`: each a set of labels whose joint probability is judged as a detector, most urgent first. `predicted`: the
    label positions the head stands for, if they are not simply the most probable (`runtime.blend.label_of`).
    """
    said = probabilities.argmax(axis=1) if predicted is None else predicted
    rows = np.arange(len(truth))
    confusion = confusion_matrix(said, truth, classes=len(labels))
    chosen = np.clip(probabilities[rows, truth], _TINY, 1.0)
    bins, calibration_error = _reliability(probabilities[rows, said], said == truth)
    return Figures(
        rows=len(truth),
        macro_f1=macro_f1(confusion),
        macro_f1_error=macro_f1_error(confusion),
        accuracy=float(np.trace(confusion) / max(len(truth), 1)),
        log_loss=float(-np.log(chosen).mean()),
        calibration_error=calibration_error,
        classes=_classes(confusion, labels),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        reliability=bins,
        urgent=tuple(
            urgent_curve(probabilities, truth, labels=labels, urgent=some)
            for some in urgent
            if _told(truth, labels, some)
        ),
    )


def confusion_matrix(predicted: Ints, truth: Ints, *, classes: int) -> Ints:
    """Count (truth, predicted) pairs: (classes, classes)."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def macro_f1(confusion: Ints | Floats) -> float:
    """Mean F1 over the labels that occur in truth or prediction, as scikit-learn takes it."""
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    present = both > 0
    return float((2.0 * np.diagonal(confusion)[present] / both[present]).mean()) if present.any() else 0.0


def macro_f1_error(confusion: Ints, *, seed: int = 0) -> float:
    """One standard error of macro-F1: the spread over resampled hold-outs of the same size (bootstrap)."""
    total = int(confusion.sum())
    if total == 0:
        return 0.0
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(total, confusion.ravel() / total, size=_RESAMPLES)
    return float(np.std([macro_f1(one.reshape(confusion.shape)) for one in drawn], ddof=1))


def _classes(confusion: Ints, labels: Sequence[str]) -> tuple[ClassFigures, ...]:
    right = np.diagonal(confusion).astype(float)
    support, said = confusion.sum(axis=1), confusion.sum(axis=0)
    return tuple(
        ClassFigures(
            label=label,
            support=int(support[i]),
            precision=float(right[i] / max(said[i], 1)),
            recall=float(right[i] / max(support[i], 1)),
            f1=float(2 * right[i] / max(support[i] + said[i], 1)),
        )
        for i, label in enumerate(labels)
    )


def _reliability(confidence: Floats, right: NDArray[np.bool_]) -> tuple[tuple[Bin, ...], float]:
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    bins = []
    error = 0.0
    for b in range(_BINS):
        inside = place == b
        count = int(inside.sum())
        if count:
            sure, share = float(confidence[inside].mean()), float(right[inside].mean())
            bins.append(Bin(confidence=sure, right=share, count=count))
            error += count / len(confidence) * abs(sure - share)
    return tuple(bins), error


def _told(truth: Ints, labels: Sequence[str], urgent: Sequence[str]) -> bool:
    """Say whether both urgent and other tickets occur, without which no curve exists."""
    positive = np.isin(truth, [i for i, label in enumerate(labels) if label in set(urgent)])
    return bool(positive.any() and not positive.all())


def urgent_curve(probabilities: Floats, truth: Ints, *, labels: Sequence[str], urgent: Sequence[str]) -> UrgentCurve:
    """Judge the joint probability of the labels `urgent` as a detector of them."""
    chosen = [i for i, label in enumerate(labels) if label in set(urgent)]
    score = probabilities[:, chosen].sum(axis=1)
    positive = np.isin(truth, chosen)
    return UrgentCurve(
        labels=tuple(labels[i] for i in chosen),
        support=int(positive.sum()),
        auc=roc_auc(score, positive),
        average_precision=average_precision(score, positive),
        points=_curve(score, positive),
    )


def roc_auc(score: Floats, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that a positive ranks above a negative, ties counted half."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2.0)[place]
    n = int(positive.sum())
    m = len(positive) - n
    return float((rank[positive].sum() - n * (n + 1) / 2.0) / (n * m)) if n and m else 0.5


def average_precision(score: Floats, positive: NDArray[np.bool_]) -> float:
    """Area under precision against recall, as a sum of steps (no interpolation)."""
    precision, recall, _ = _steps(score, positive)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def _steps(score: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and threshold at each distinct score, from the highest down."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.nonzero(np.diff(ordered, append=-np.inf))[0]
    found = np.cumsum(positive[order])[last].astype(float)
    return found / (last + 1.0), found / max(int(positive.sum()), 1), ordered[last]


def _curve(score: Floats, positive: NDArray[np.bool_]) -> tuple[CurvePoint, ...]:
    precision, recall, threshold = _steps(score, positive)
    # From the first one found on: before it, precision is 0 by definition and says nothing.
    steps = np.searchsorted(recall, np.linspace(recall[recall > 0.0][0], 1.0, _CURVE_POINTS))
    wanted = np.unique(steps.clip(0, len(recall) - 1))
    return tuple(
        CurvePoint(threshold=float(threshold[i]), precision=float(precision[i]), recall=float(recall[i]))
        for i in wanted
    )
