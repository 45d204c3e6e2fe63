"""The fields of a ticket as rules see them: what `conditions.FIELDS` promises, and open metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.apps.triage.decision import Contribution
from holdfast.apps.triage.ticket import Circumstances, Ticket
from holdfast.inference import HeadOutput
from holdfast.rule import MAX_ITEMS, Facts, Value
from holdfast.wording import Wording

__all__ = ["Case", "facts_of"]

_OPEN = "metadata."
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Case:
    """A ticket at the moment the rules are asked: read, judged and weighed."""

    ticket: Ticket
    circumstances: Circumstances
    wording: Wording
    """Of title and description."""
    judged: HeadOutput | None
    """What the priority head said."""
    at: datetime
    route: str
    score: float
    """Of the factors alone, before any rule."""
    factors: Sequence[Contribution]


def facts_of(case: Case) -> Facts:
    """Return the case as rules look at it."""
    ticket, known = case.ticket, case.circumstances
    deadline = known.deadline_at
    values: dict[str, Value] = {
        "id": ticket.id,
        "title": ticket.title,
        "description": ticket.description,
        "text": ticket.text,
        "created_at": known.created_at,
        "deadline_at": deadline,
        "at": case.at,
        "hours_left": None if deadline is None else (deadline - case.at).total_seconds() / _SECONDS_PER_HOUR,
        "requester.id": known.requester.id,
        "requester.role": known.requester.role,
        "requester.tier": known.requester.tier,
        "customer_tier": known.customer_tier,
        "team": known.team,
        "labels": known.labels,
        "attachments": tuple(attachment.name for attachment in ticket.attachments[:MAX_ITEMS]),
        "route": case.route,
        "score": case.score,
    }
    if case.judged is not None:
        values["stage"] = case.judged.stage.value
        values["domain"] = case.judged.domain.value
    for factor in case.factors:
        values[factor.name] = factor.value
    facts = Facts(values, at=case.at, open_field=lambda name: _open_value(ticket.metadata, name))
    facts.give_wording("text", case.wording)
    return facts


def _open_value(metadata: dict[str, Any], name: str) -> Value:
    """Look `metadata.a.b` up in the ticket's own metadata."""
    if not name.startswith(_OPEN):
        return None
    found: Any = metadata
    for step in name.removeprefix(_OPEN).split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(step)
    if isinstance(found, str | bool | int | float):
        return found
    if isinstance(found, list):
        return tuple(item for item in found[:MAX_ITEMS] if isinstance(item, str))
    return None
