"""The rubric as it is shown: weights, tables, keywords and rules in force."""

from __future__ import annotations

import msgspec

from holdfast.apps.triage.rubric import Bands, RampPoint, Weights
from holdfast.apps.triage.scoring import Policy
from holdfast.digest import Digest, digest_value

__all__ = ["KeywordView", "RubricView", "RuleView", "show_rubric"]


class KeywordView(msgspec.Struct, frozen=True, kw_only=True):
    """The phrases of one kind and weight."""

    kind: str
    weight: float
    phrases: tuple[str, ...]


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's name and action."""

    name: str
    action: str


class RubricView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of the operator's that a score depends on."""

    weights: Weights
    bands: Bands
    ramp: tuple[RampPoint, ...]
    roles: dict[str, float]
    tiers: dict[str, float]
    attachments: float
    timezone: str
    minimum_confidence: float | None
    languages: tuple[str, ...]
    keywords: tuple[KeywordView, ...]
    rules: tuple[RuleView, ...]
    """In the order they are applied."""
    rubric_digest: Digest
    rules_digest: Digest
    vocabulary_digest: Digest


def show_rubric(policy: Policy) -> RubricView:
    """Return `policy` for people to read."""
    rubric = policy.rubric
    groups: dict[tuple[str, float], list[str]] = {}
    for term in policy.matcher.terms:
        groups.setdefault((term.kind, term.weight), []).append(term.name)
    return RubricView(
        weights=rubric.weights,
        bands=rubric.bands,
        ramp=rubric.ramp,
        roles=rubric.roles,
        tiers=rubric.tiers,
        attachments=rubric.attachments,
        timezone=rubric.timezone,
        minimum_confidence=rubric.minimum_confidence,
        languages=rubric.languages,
        keywords=tuple(KeywordView(kind=k, weight=w, phrases=tuple(names)) for (k, w), names in groups.items()),
        rules=tuple(RuleView(name=rule.name, action=rule.action.text()) for rule in policy.rules.rules),
        rubric_digest=digest_value(rubric),
        rules_digest=policy.rules.digest,
        vocabulary_digest=policy.matcher.digest,
    )
