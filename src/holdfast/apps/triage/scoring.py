"""Scoring: from a ticket and what a tier said about it to a score, its band, its route and the reasons.

    score = clamp(100 · Σ wᵢ·fᵢ, 0, 100), then the rules in order, then the band

The factors are the model's expected urgency, the deadline, the requester and the keywords, each in [0, 1]. A factor
without evidence is absent, not 0: its weight is shared pro rata among those present. Attachments that can be read are a
fifth factor whose weight comes on top: a log can make a ticket more urgent, never less. Nothing here reads a clock, so
the same arguments give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import mul
from typing import Protocol

from holdfast.apps.triage.attachments import Reading, explain, read_attachments, severity
from holdfast.apps.triage.decision import NEEDS_TRIAGE, Assessment, Contribution, Priority, Routing
from holdfast.apps.triage.fields import Case, facts_of
from holdfast.apps.triage.keywords import KeywordMatcher, Keywords
from holdfast.apps.triage.rubric import Rubric, deadline_value, requester_value
from holdfast.apps.triage.rules_file import NO_RULES, RuleSet
from holdfast.apps.triage.ticket import Circumstances, Ticket, read_circumstances, read_instant
from holdfast.inference import Domain, HeadOutput, Stage, TextOutput
from holdfast.rule import Fired, apply_rules
from holdfast.wording import Wording

__all__ = ["HeadView", "Lens", "Policy", "Prepared", "band_probabilities", "prepare", "read_lens", "score"]

_SHOWN_EVIDENCE = 5
_SHOWN_NAMES = 8
_SHOWN_NAME = 80
_SECONDS_PER_HOUR = 3600.0


class HeadView(Protocol):
    """What scoring must know of a head; `manifest.Head` and the RULES engine's heads both show it."""

    @property
    def name(self) -> str:
        """Its key in a TextOutput."""

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of its probabilities."""

    @property
    def urgency(self) -> tuple[float, ...]:
        """Of each label, in [0, 1]; empty for a head that routes."""


@dataclass(frozen=True, slots=True)
class Lens:
    """Which heads of a package tell urgency and route, and how to read them."""

    priority: HeadView | None
    route: HeadView | None
    minimum_confidence: float = 0.0
    """The package's own, of its route head."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything of the operator's that a score depends on, compiled: build once, use for every ticket."""

    rubric: Rubric
    matcher: KeywordMatcher
    rules: RuleSet = field(default=NO_RULES)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A ticket whose metadata has been read: nothing about it can fail any more."""

    ticket: Ticket
    circumstances: Circumstances
    at: datetime
    """The instant to score for."""
    readings: tuple[Reading, ...] | None = None
    """What the attachments said; None when nobody read them."""


@dataclass(frozen=True, slots=True)
class _Factor:
    name: str
    value: float
    weight: float
    source: str
    shared: bool = True
    """Whether its weight is one of those that sum to 1."""


def read_lens(heads: Sequence[HeadView]) -> Lens:
    """Return how to read a package: its first head with urgencies tells priority, its first without tells the route."""
    priority = next((head for head in heads if head.urgency), None)
    route = next((head for head in heads if not head.urgency), None)
    return Lens(priority, route, float(getattr(route, "minimum_confidence", 0.0)))


def prepare(ticket: Ticket, rubric: Rubric, *, now: datetime) -> Prepared:
    """Read what a ticket says of itself; `now` counts unless it brings an `at`. Raises InvalidTicket."""
    at = now if ticket.at is None else read_instant(ticket.at, rubric.zone, field="/at")
    readings = read_attachments(ticket.attachments) if ticket.attachments and rubric.attachments else None
    return Prepared(ticket, read_circumstances(ticket, rubric.zone), at, readings)


def score(prepared: Prepared, output: TextOutput, *, lens: Lens, policy: Policy) -> Assessment:
    """Return the reproducible part of the decision on a ticket."""
    ticket, known, at, rubric = prepared.ticket, prepared.circumstances, prepared.at, policy.rubric
    wording = Wording(ticket.text)
    judged = output.heads.get(lens.priority.name) if lens.priority is not None else None
    factors = _circumstantial(known, rubric, at)
    if judged is not None and lens.priority is not None:
        factors.insert(0, _model(judged, lens.priority, rubric.weights.model))
    factors.append(_words(policy.matcher.read(wording), rubric.weights.keywords, notes=_notes(prepared, wording)))
    if prepared.readings:
        said = explain(prepared.readings)
        factors.append(_Factor("attachments", severity(prepared.readings), rubric.attachments, said, shared=False))
    contributions, total = _weigh(factors, rubric)
    route = _route(output, lens, rubric)
    if policy.rules.rules:
        case = Case(ticket, known, wording, judged, at, route.label, total, tuple(contributions))
        fired = apply_rules(policy.rules.rules, facts_of(case), total)
        contributions += [_rule_contribution(one) for one in fired]
        total, route = _after(fired, total, route)
    return Assessment(
        score=total, priority=rubric.bands.priority(total), route=route, contributions=tuple(contributions)
    )


def band_probabilities(output: TextOutput, *, lens: Lens, rubric: Rubric) -> tuple[float, float, float, float]:
    """How likely the model alone puts a text into P0, P1, P2, P3: each label in the band of its urgency."""
    judged = output.heads.get(lens.priority.name) if lens.priority is not None else None
    if judged is None or lens.priority is None:
        return (0.0, 0.0, 0.0, 1.0)
    shares = dict.fromkeys(Priority, 0.0)
    for probability, urgency in zip(judged.probabilities, lens.priority.urgency, strict=True):
        shares[rubric.bands.priority(100.0 * urgency)] += probability
    return (shares[Priority.P0], shares[Priority.P1], shares[Priority.P2], shares[Priority.P3])


def _circumstantial(known: Circumstances, rubric: Rubric, at: datetime) -> list[_Factor]:
    """Deadline and requester, where there is evidence for them."""
    factors: list[_Factor] = []
    if known.deadline_at is not None:
        value = deadline_value(rubric.ramp, deadline_at=known.deadline_at, at=at)
        hours = (known.deadline_at - at).total_seconds() / _SECONDS_PER_HOUR
        said = f"{hours:.1f} h left" if hours >= 0 else f"overdue by {-hours:.1f} h"
        factors.append(_Factor("deadline", value, rubric.weights.deadline, said))
    found = requester_value(rubric, role=known.requester.role, tiers=(known.requester.tier, known.customer_tier))
    if found is not None:
        factors.append(_Factor("requester", found[0], rubric.weights.requester, found[1]))
    return factors


def _model(said: HeadOutput, head: HeadView, weight: float) -> _Factor:
    probabilities = said.probabilities
    urgency = sum(map(mul, probabilities, head.urgency))
    top = probabilities.index(max(probabilities))
    parts = [f"head {head.name}", f"stage {said.stage.value}", f"{head.labels[top]} {probabilities[top]:.2f}"]
    if said.domain is not Domain.IN:
        parts.append(f"{said.domain.value}: the prior is used")
    elif said.evidence:
        parts.append("words " + ", ".join(word for word, _ in said.evidence[:_SHOWN_EVIDENCE]))
    return _Factor("model", min(max(urgency, 0.0), 1.0), weight, "; ".join(parts))


def _words(keywords: Keywords, weight: float, *, notes: str) -> _Factor:
    source = ", ".join(name for name, _ in keywords.matched) or "none"
    if keywords.calmed_by:
        source += f"; calmed by {', '.join(keywords.calmed_by)}"
    return _Factor("keywords", keywords.value, weight, source + notes)


def _notes(prepared: Prepared, wording: Wording) -> str:
    """What of the ticket was not read."""
    ticket = prepared.ticket
    notes = "" if wording.complete else "; the middle of the text was not read"
    if ticket.attachments and prepared.readings is None:
        names = ", ".join(attachment.name[:_SHOWN_NAME] for attachment in ticket.attachments[:_SHOWN_NAMES])
        more = len(ticket.attachments) - _SHOWN_NAMES
        notes += f"; ignored attachments: {names}" + (f" and {more} more" if more > 0 else "")
    return notes


def _weigh(factors: list[_Factor], rubric: Rubric) -> tuple[list[Contribution], float]:
    """Share the weights of absent factors, and sum: contributions, and the clamped score."""
    weights = rubric.weights
    whole = weights.model + weights.deadline + weights.requester + weights.keywords
    present = sum(factor.weight for factor in factors if factor.shared)
    scale = whole / present if present > 0 else 0.0
    exact = 0.0
    contributions: list[Contribution] = []
    for factor in factors:
        weight = factor.weight * (scale if factor.shared else 1.0)
        points = 100.0 * weight * factor.value
        exact += points
        contributions.append(
            Contribution(
                name=factor.name,
                value=round(factor.value, 4),
                weight=round(weight, 4),
                points=round(points, 2),
                source=factor.source,
            )
        )
    total = round(min(max(exact, 0.0), 100.0), 2)
    if exact > 100.0 + 1e-9:
        contributions.append(_step("clamp", total - round(exact, 2), "the score ends at 100"))
    return contributions, total


def _step(name: str, points: float, source: str) -> Contribution:
    """A change of the score that is no factor: weight 1, so that points are still 100 · weight · value."""
    points = round(points, 2)
    return Contribution(name=name, value=round(points / 100.0, 4), weight=1.0, points=points, source=source)


def _rule_contribution(fired: Fired) -> Contribution:
    return _step(f"rule:{fired.rule.name}", fired.after - fired.before, fired.rule.action.text())


def _after(fired: list[Fired], total: float, route: Routing) -> tuple[float, Routing]:
    """Score and route once the rules have spoken: the last one to name either has the last word."""
    for one in fired:
        total = one.after
        if one.rule.action.route is not None:
            route = Routing(label=one.rule.action.route, confidence=1.0)
    return round(total, 2), route


def _route(output: TextOutput, lens: Lens, rubric: Rubric) -> Routing:
    head = lens.route
    said = output.heads.get(head.name) if head is not None else None
    if head is None or said is None:
        return Routing(label=NEEDS_TRIAGE, confidence=0.0)
    highest = max(said.probabilities)
    confidence = round(highest, 4)
    minimum = lens.minimum_confidence if rubric.minimum_confidence is None else rubric.minimum_confidence
    # RULES matches label names; that is no ground for sending somebody's ticket away.
    trusted = said.domain is Domain.IN and said.stage is not Stage.RULES
    return Routing(
        label=head.labels[said.probabilities.index(highest)] if trusted and confidence >= minimum else NEEDS_TRIAGE,
        confidence=confidence,
    )
