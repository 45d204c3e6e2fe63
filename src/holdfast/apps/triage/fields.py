"""The fields of a ticket as rules see them: what `conditions.FIELDS` promises, and open metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
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
    """Return the case as rules look at it; a field costs nothing until a rule asks for it."""
    facts = Facts(_NONE, at=case.at, open_field=partial(_value, case))
    facts.give_wording("text", case.wording)
    return facts


def _value(case: Case, name: str) -> Value:
    read = _READERS.get(name)
    if read is not None:
        return read(case)
    if name.startswith(_OPEN):
        return _open_value(case.ticket.metadata, name)
    return next((factor.value for factor in case.factors if factor.name == name), None)


def _hours_left(case: Case) -> Value:
    deadline_at = case.circumstances.deadline_at
    return None if deadline_at is None else (deadline_at - case.at).total_seconds() / _SECONDS_PER_HOUR


def _attachments(case: Case) -> Value:
    return tuple(attachment.name for attachment in case.ticket.attachments[:MAX_ITEMS])


def _open_value(metadata: dict[str, Any], name: str) -> Value:
    """Look `metadata.a.b` up in the ticket's own metadata."""
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


_NONE: Mapping[str, Value] = {}
_READERS: Mapping[str, Callable[[Case], Value]] = {
    "id": lambda case: case.ticket.id,
    "title": lambda case: case.ticket.title,
    "description": lambda case: case.ticket.description,
    "text": lambda case: case.ticket.text,
    "created_at": lambda case: case.circumstances.created_at,
    "deadline_at": lambda case: case.circumstances.deadline_at,
    "at": lambda case: case.at,
    "hours_left": _hours_left,
    "requester.id": lambda case: case.circumstances.requester.id,
    "requester.role": lambda case: case.circumstances.requester.role,
    "requester.tier": lambda case: case.circumstances.requester.tier,
    "customer_tier": lambda case: case.circumstances.customer_tier,
    "team": lambda case: case.circumstances.team,
    "labels": lambda case: case.circumstances.labels,
    "attachments": _attachments,
    "attachment_severity": lambda case: next((one.value for one in case.factors if one.name == "attachments"), None),
    "route": lambda case: case.route,
    "score": lambda case: case.score,
    "stage": lambda case: case.judged.stage.value if case.judged is not None else None,
    "domain": lambda case: case.judged.domain.value if case.judged is not None else None,
}
