"""Urgency of priority labels: the order trackers mean by their words, as numbers that the score is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from holdfast.errors import InvalidInput

__all__ = ["SCALES", "UnknownUrgency", "order_labels", "parse_urgency"]

SCALES: tuple[tuple[str, ...], ...] = (
    ("informational", "info", "trivial", "none", "lowest", "cosmetic", "very low"),
    ("low", "minor", "p3", "sev4", "s4", "p4"),
    ("medium", "moderate", "normal", "major", "average", "p2", "sev3", "s3", "warning"),
    ("high", "important", "severe", "p1", "sev2", "s2", "urgent"),
    ("critical", "blocker", "highest", "emergency", "disaster", "p0", "sev1", "s1", "very high"),
)
"""Words trackers use, from the least urgent step to the most; compared in lower case."""

_STEP = {word: step for step, words in enumerate(SCALES) for word in words}
_NUMBERED = re.compile(r"(?:p|s|sev|prio|priority|severity)?[ _-]?(\d)", re.IGNORECASE)
_LEAST, _MOST = 0.1, 1.0  # nothing is worth nothing, and the top step is worth all of the factor


class UnknownUrgency(InvalidInput):
    """Priority labels whose order cannot be told from their words."""


def order_labels(labels: Iterable[str]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Order priority labels from the least urgent to the most, with the urgency of each in [0, 1].

    Known words go by SCALES; labels that are numbers, or a letter and a number, go by the number, 1 the most urgent.
    Raises UnknownUrgency naming a label that fits neither.
    """
    wanted = sorted(set(labels))
    numbers = [_number(label) for label in wanted]
    if len(wanted) > 1 and all(number is not None for number in numbers):
        ranked = sorted(zip(wanted, numbers, strict=True), key=lambda pair: -(pair[1] or 0))
        return tuple(label for label, _ in ranked), _evenly(len(ranked))
    return _by_words(wanted)


def _number(label: str) -> int | None:
    found = _NUMBERED.fullmatch(label.strip())
    return int(found.group(1)) if found else None


def _by_words(labels: Sequence[str]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    unknown = [label for label in labels if label.strip().lower() not in _STEP]
    if unknown:
        raise UnknownUrgency(
            f"the urgency of label {unknown[0]!r} is not known; give the urgency of each label from 0 to 1, "
            f"for example {' '.join(f'--urgency {label!r}=0.5' for label in unknown[:2])}"
        )
    # Within a step the order of SCALES holds: Jira's `major` is above `normal`, its `blocker` above `critical`.
    ordered = tuple(sorted(labels, key=_place))
    return ordered, _evenly(len(ordered))


def _place(label: str) -> tuple[int, int]:
    word = label.strip().lower()
    step = _STEP[word]
    return step, SCALES[step].index(word)


def _evenly(count: int) -> tuple[float, ...]:
    """Equal steps from the least to the most, so that a head with more labels is no more urgent as a whole."""
    if count < 2:
        return (_MOST,) * count
    return tuple(round(_LEAST + (_MOST - _LEAST) * i / (count - 1), 3) for i in range(count))


def parse_urgency(texts: Iterable[str], labels: Iterable[str]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Read `LABEL=NUMBER` for every one of `labels`, ordered by urgency. Raises UnknownUrgency."""
    given: dict[str, float] = {}
    for text in texts:
        label, equals, number = text.rpartition("=")
        value = _ratio(number)
        if not equals or value is None:
            raise UnknownUrgency(f"expected --urgency LABEL=NUMBER from 0 to 1, found {text!r}")
        given[label] = value
    _require_same(given, sorted(set(labels)))
    ranked = sorted(given.items(), key=lambda pair: (pair[1], pair[0]))
    return tuple(label for label, _ in ranked), tuple(value for _, value in ranked)


def _ratio(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


def _require_same(given: Mapping[str, float], labels: Sequence[str]) -> None:
    missing = [label for label in labels if label not in given]
    surplus = [label for label in given if label not in labels]
    if missing:
        raise UnknownUrgency(f"--urgency names no number for label {missing[0]!r}; give one for each label")
    if surplus:
        raise UnknownUrgency(
            f"--urgency names {surplus[0]!r}, which no ticket is labelled; labels: {', '.join(labels)}"
        )
