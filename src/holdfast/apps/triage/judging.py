"""Judging: whether what a tracker shows of a task is a person's judgement, and which. Pure.

A value counts as a person's when it differs from the decision in force and from what the tracker showed when the task
was scored, and when it is not what this node has written or is about to write; the latter is only asked where the
delivery does not prove that it was somebody else.
"""

from __future__ import annotations

from holdfast.apps.triage.archive import Correction
from holdfast.apps.triage.connections import Connection, tracker_route
from holdfast.apps.triage.decision import Decision, Priority
from holdfast.apps.triage.sightings import Sighting
from holdfast.apps.triage.task import Event, EventKind, Standing
from holdfast.apps.triage.writing import Written

__all__ = ["judged_by_a_person"]

_MOST_ROUTE = 100
_MOST_REASON = 500


def judged_by_a_person(
    connection: Connection, event: Event, decision: Decision, *, seen: Sighting, written: Written
) -> Correction | None:
    """Return the correction of `decision` (its override included) that the event's first task shows, or None."""
    standing = event.tasks[0].standing
    known_other = bool(connection.place.account and event.by)  # the caller has turned our own account away
    ours = [] if known_other else [one for one in (written.said, written.intended) if one is not None]
    told = event.kind is EventKind.JUDGED
    priority = _priority(standing, decision, seen, told=told)
    if any(one.priority == priority or one.raw_priority == standing.raw_priority != "" for one in ours):
        priority = None
    route = _route(connection, standing, decision, seen=seen)
    if route in {one.route for one in ours}:
        route = None
    if priority is None and route is None:
        return None
    reason = f"{event.name or 'changed'} in {connection.name}"[:_MOST_REASON]
    return Correction(priority=priority, route=_named(connection, route), reason=reason)


def _priority(standing: Standing, decision: Decision, seen: Sighting, *, told: bool) -> Priority | None:
    if standing.priority is None or standing.priority == decision.priority:
        return None
    return standing.priority if told or standing.raw_priority != seen.raw_priority else None


def _route(connection: Connection, standing: Standing, decision: Decision, *, seen: Sighting) -> str | None:
    if not standing.route or standing.route == tracker_route(connection, decision.route.label):
        return None
    return standing.route if standing.route not in (seen.route, decision.route.label) else None


def _named(connection: Connection, word: str | None) -> str | None:
    """The route in our words, where the connection says which it is."""
    if word is None:
        return None
    ours = {theirs: label for label, theirs in connection.terms.routes.items()}
    return ours.get(word, word)[:_MOST_ROUTE]
