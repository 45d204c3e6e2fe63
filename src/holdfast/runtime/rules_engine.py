"""The RULES engine: a fixed table of words answers when no model can."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.inference import HeadOutput, InferenceRequest, Stage, TextOutput
from holdfast.manifest import Head
from holdfast.runtime.engine import Condition
from holdfast.runtime.rules_table import RulesTable
from holdfast.tier import Tier

__all__ = ["BUILTIN_HEADS", "RulesEngine", "RulesHead", "rules_heads"]

_MAX_CHARS = 32_768  # bounds the time of the tier that must never be late: about 5 ms on a slow core
_MAX_EVIDENCE = 8
_ROUTE_WEIGHT = 3.0  # one matched word makes a label this much likelier than its prior
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class RulesHead:
    """One question, in the words of the package it stands in for."""

    name: str
    labels: tuple[str, ...]
    prior: tuple[float, ...]
    urgency: tuple[float, ...] = ()
    """Each label's urgency for a priority; empty for a route."""


BUILTIN_HEADS: tuple[RulesHead, ...] = (
    RulesHead(
        name="priority",
        labels=("low", "medium", "high", "critical"),
        prior=(0.4, 0.35, 0.2, 0.05),
        urgency=(0.1, 0.4, 0.75, 1.0),
    ),
    RulesHead(name="route", labels=("needs-triage",), prior=(1.0,)),
)
"""What is answered when there is no package at all."""


def rules_heads(heads: Sequence[Head]) -> tuple[RulesHead, ...]:
    """The heads of a package, as RULES answers them: same names, labels and order."""
    return tuple(
        RulesHead(name=head.name, labels=head.labels, prior=head.prior, urgency=head.urgency) for head in heads
    )


class RulesEngine:
    """Depends on nothing but its arguments, keeps no state, and cannot be unavailable."""

    def __init__(self, table: RulesTable, heads: Sequence[RulesHead] = BUILTIN_HEADS) -> None:
        self._table = table
        self._heads = tuple(heads)
        self._longest = max((len(phrase.split()) for phrase in table.severity), default=1)
        self._route_words = {head.name: _route_words(head, table) for head in self._heads if not head.urgency}

    tier = Tier.RULES
    variant = "builtin"

    @property
    def runtime(self) -> str:
        """See Engine."""
        return f"rules-{self._table.version}"

    def answer(self, request: InferenceRequest) -> tuple[TextOutput, ...]:
        """See Engine; always answers, late or not."""
        return tuple(self._judge(text) for text in request.texts)

    def condition(self, text_count: int) -> Condition:  # noqa: ARG002 - the Protocol's signature
        """See Engine."""
        return Condition()

    def release(self) -> None:
        """See Engine; there is nothing to give back."""

    def _judge(self, text: str) -> TextOutput:
        words = [word.casefold() for word in _WORD.findall(text[:_MAX_CHARS])]
        found = self._severities(words) if any(head.urgency for head in self._heads) else {}
        present = frozenset(words)
        heads = {
            head.name: self._priority(head, found) if head.urgency else self._route(head, present)
            for head in self._heads
        }
        return TextOutput(heads=heads, approximate=len(text) > _MAX_CHARS)

    def _severities(self, words: list[str]) -> dict[str, float]:
        """Phrases of the table in the text that are not denied just before: phrase -> weight."""
        found: dict[str, float] = {}
        for start in range(len(words)):
            for length in range(1, self._longest + 1):
                phrase = " ".join(words[start : start + length])
                weight = self._table.severity.get(phrase)
                if weight is not None and not self._denied(words, start):
                    found[phrase] = weight
        return found

    def _denied(self, words: list[str], start: int) -> bool:
        """Say whether one of the two words before is a negation: `no outage`, `not an outage`."""
        return not self._table.negations.isdisjoint(words[max(0, start - 2) : start])

    def _priority(self, head: RulesHead, found: dict[str, float]) -> HeadOutput:
        if not found:
            return HeadOutput(probabilities=head.prior, stage=Stage.RULES)
        calm = 1.0 - sum(p * u for p, u in zip(head.prior, head.urgency, strict=True))
        for weight in found.values():
            calm *= 1.0 - max(0.0, weight)
        urgency = 1.0 - calm
        for weight in found.values():
            urgency *= 1.0 + min(0.0, weight)
        strongest = sorted(found.items(), key=lambda item: (-abs(item[1]), item[0]))
        return HeadOutput(
            probabilities=_spread(urgency, head.urgency),
            stage=Stage.RULES,
            evidence=tuple(strongest[:_MAX_EVIDENCE]),
        )

    def _route(self, head: RulesHead, present: frozenset[str]) -> HeadOutput:
        matched = [sorted(words & present) for words in self._route_words[head.name]]
        if not any(matched):
            return HeadOutput(probabilities=head.prior, stage=Stage.RULES)
        raw = [p * (1.0 + _ROUTE_WEIGHT * len(m)) for p, m in zip(head.prior, matched, strict=True)]
        total = sum(raw)
        winner = max(range(len(raw)), key=raw.__getitem__)
        return HeadOutput(
            probabilities=tuple(value / total for value in raw),
            stage=Stage.RULES,
            evidence=tuple((word, 1.0) for word in matched[winner][:_MAX_EVIDENCE]),
        )


def _spread(urgency: float, scale: tuple[float, ...]) -> tuple[float, ...]:
    """Probabilities on the two labels around `urgency` whose expected urgency is `urgency`."""
    order = sorted(range(len(scale)), key=scale.__getitem__)
    low, high = order[0], order[-1]
    wanted = min(max(urgency, scale[low]), scale[high])
    for below, above in itertools.pairwise(order):
        if scale[below] <= wanted <= scale[above]:
            low, high = below, above
    width = scale[high] - scale[low]
    share = (wanted - scale[low]) / width if width else 1.0
    probabilities = [0.0] * len(scale)
    probabilities[low] += 1.0 - share
    probabilities[high] += share
    return tuple(probabilities)


def _route_words(head: RulesHead, table: RulesTable) -> tuple[frozenset[str], ...]:
    """For each label: the words of its name, and what the table knows under that name."""
    return tuple(
        frozenset(_WORD.findall(label.casefold())) - table.filler | table.routes.get(label.casefold(), frozenset())
        for label in head.labels
    )
