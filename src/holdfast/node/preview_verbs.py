"""Operator verb over tickets that are past: what they would get now, or with a candidate; nothing is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from holdfast.access import Role
from holdfast.answer.answerer import served_by_for
from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.experiments import Candidate
from holdfast.apps.triage.preview import Preview
from holdfast.apps.triage.scoring import Prepared, prepare, score
from holdfast.apps.triage.ticket import InvalidTicket, Ticket, check_ticket
from holdfast.inference import InferenceRequest
from holdfast.node.active import Active
from holdfast.node.node import Node
from holdfast.node.verb import Verb

__all__ = ["PREVIEW_VERBS", "Previews"]

_MOST = 64  # at once: the lanes of a busy node are given back in between
_DEADLINE_S = 30.0


class PreviewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tickets, and what differs from the scoring in force."""

    tickets: Annotated[tuple[Ticket, ...], msgspec.Meta(min_length=1, max_length=_MOST)]
    team: str = ""
    """Whose package and rules; empty: of the team each ticket names."""
    candidate: Candidate = Candidate()
    last: bool = True
    """Whether the candidate's package may be given up after these."""


class Previews(msgspec.Struct, frozen=True, kw_only=True):
    """One answer per ticket, in order."""

    previews: tuple[Preview, ...]
    bands: dict[str, Priority]
    """The labels of the package's urgency, and the band each is in."""


def _preview(node: Node, asked: PreviewRequest) -> Previews:
    bases = [node.parts.teams.active_for(ticket, asked.team) for ticket in asked.tickets]
    tried: dict[int, Active] = {}
    try:
        for base in bases:
            if id(base) not in tried:
                tried[id(base)] = node.parts.experiments.tried(base, asked.candidate)
        found: dict[int, Preview] = {}
        bands: dict[str, Priority] = {}
        for key, active in tried.items():
            mine = {n: asked.tickets[n] for n, base in enumerate(bases) if id(base) == key}
            found |= _answered(node, active, mine)
            bands |= _bands(active)
    finally:
        if asked.candidate.package and asked.last:
            node.refresh_stock()
    return Previews(previews=tuple(found[n] for n in range(len(asked.tickets))), bands=bands)


def _answered(node: Node, active: Active, tickets: Mapping[int, Ticket]) -> dict[int, Preview]:
    now = node.state.clock.wall_at()
    found: dict[int, Preview] = {}
    prepared: dict[int, Prepared] = {}
    for position, ticket in tickets.items():
        try:
            check_ticket(ticket)
            prepared[position] = prepare(ticket, active.policy.rubric, now=now)
        except InvalidTicket as error:
            found[position] = Preview(task_id=ticket.id, fault=str(error), team=active.team)
    if not prepared:
        return found
    texts = tuple(one.ticket.text for one in prepared.values())
    deadline_s = node.state.clock.monotonic_s() + _DEADLINE_S
    answer = node.answerer.ask(InferenceRequest(texts, deadline_s), active.engines, active.serving)
    for index, (position, one) in enumerate(prepared.items()):
        said = score(one, answer.outputs[index], lens=active.lens, policy=active.policy)
        served = served_by_for(answer, index)
        found[position] = Preview(
            task_id=one.ticket.id,
            score=said.score,
            priority=said.priority,
            route=said.route.label,
            tier=served.tier,
            degraded=served.degraded,
            team=active.team,
        )
    return found


def _bands(active: Active) -> dict[str, Priority]:
    head = active.lens.priority
    bands = active.policy.rubric.bands
    if head is None:
        return {}
    return {label: bands.priority(100.0 * value) for label, value in zip(head.labels, head.urgency, strict=True)}


PREVIEW_VERBS: Mapping[str, Verb] = {"triage.preview": Verb(PreviewRequest, Role.OPERATOR, _preview)}
"""For the table in `verbs`."""
