"""Judging: whether what a tracker shows of a task is a person's judgement, and which. Pure.

A value counts as a person's when it differs from the decision in force and from what the tracker showed when the task
was scored, and when it is not what this node has written or is about to write; the latter is only asked where the
delivery does not prove that it was somebody else.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.apps.triage.connections import Connection, tracker_route, tracker_word
from holdfast.apps.triage.decision import Decision, Priority
from holdfast.apps.triage.task import Event, EventKind, Standing, Task
from holdfast.apps.triage.writing import Judgement, Said, Written

__all__ = ["Sighting", "is_older", "judged_by_a_person"]

_MOST_ROUTE = 100
_MOST_REASON = 500


class Sighting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task as it was last scored; nothing of its text."""

    schema: int = 1
    decision_id: str
    seal: bytes
    """Keyed hash of what is scored."""
    revision: str
    raw_priority: str
    """What the tracker showed then: what it still shows, nobody has chosen since."""
    route: str
    """The same of the route."""
    echoes: tuple[str, ...]
    """Labels that our own write may have put there since."""
    overruled: bool = False
    """A person has corrected the priority of an earlier decision on it."""


def judged_by_a_person(
    connection: Connection, event: Event, decision: Decision, *, seen: Sighting, written: Written
) -> Judgement | None:
    """Return what a person chose on the event's first task, against `decision` with its override; None: nothing."""
    if decision.override is not None and _is_before(event.at, decision.override.at):
        return None  # it came late: they, or somebody else, have judged again since
    standing = event.tasks[0].standing
    known_other = bool(connection.place.account and event.by)  # the caller has turned our own account away
    ours = [] if known_other else _echoed(event, written)
    told = event.kind is EventKind.JUDGED
    priority = _priority(standing, decision, seen, told=told)
    if standing.raw_priority and standing.raw_priority == tracker_word(connection, decision.priority):
        priority = None  # a tracker may have one word for two of our bands
    if known_other:
        priority = priority or _set_back(connection, event, decision, written)
    if any(one.priority == priority or one.raw_priority == standing.raw_priority != "" for one in ours):
        priority = None
    route = _route(connection, standing, decision, seen=seen)
    if route in {one.route for one in ours}:
        route = None
    if priority is None and route is None:
        return None
    reason = f"{event.name or 'changed'} in {connection.name}"[:_MOST_REASON]
    return Judgement(priority=priority, route=_named(connection, route), reason=reason)


def is_older(task: Task, seen: Sighting) -> bool:
    """Say whether a delivery came late: what it shows was changed before what was scored already."""
    return _is_before(task.revision, seen.revision)


def _is_before(one: str, other: str) -> bool:
    mine, theirs = _instant(one), _instant(other)
    return mine is not None and theirs is not None and mine < theirs


def _set_back(connection: Connection, event: Event, decision: Decision, written: Written) -> Priority | None:
    """Return the band whose word stands there again since our last write, though nobody need have chosen that word."""
    standing, said = event.tasks[0].standing, written.said
    word = standing.raw_priority
    if standing.priority is not None or said is None or word in {"", said.raw_priority}:
        return None
    band = next((one for one in Priority if tracker_word(connection, one) == word), None)
    return band if band != decision.priority and _is_before(said.revision, event.at) else None


def _echoed(event: Event, written: Written) -> list[Said]:
    """Writes of which the event may be no more than the tracker's telling; earlier ones unless it came after all."""
    said = written.said
    earlier = () if said is not None and _is_before(said.revision, event.at) else written.earlier
    return [one for one in (said, written.intended, *earlier) if one is not None]


def _priority(standing: Standing, decision: Decision, seen: Sighting, *, told: bool) -> Priority | None:
    if standing.priority is None or standing.priority == decision.priority:
        return None
    return standing.priority if told or standing.raw_priority != seen.raw_priority else None


def _route(connection: Connection, standing: Standing, decision: Decision, *, seen: Sighting) -> str | None:
    if not standing.route or standing.route == tracker_route(connection, decision.route.label):
        return None
    return standing.route if standing.route not in (seen.route, decision.route.label) else None


def _named(connection: Connection, word: str | None) -> str:
    """The route in our words, where the connection says which it is; empty for none."""
    if word is None:
        return ""
    ours = {theirs: label for label, theirs in connection.terms.routes.items()}
    return ours.get(word, word)[:_MOST_ROUTE]


def _instant(revision: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(revision)
    except ValueError:  # a lock version, or nothing: then nobody knows which is the older
        return None
    return moment.replace(microsecond=0) if moment.tzinfo is not None else None  # deliveries often leave them out
