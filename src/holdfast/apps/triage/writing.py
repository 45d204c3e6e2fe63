"""Writing: whether and what to write on a task as it was just read; humans always win. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.marks import mark_key
from holdfast.apps.triage.task import Mark, Standing, Task, Values

__all__ = ["Judgement", "Keep", "Order", "Said", "Verdict", "Write", "Written", "Yield", "decide"]


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one write says, or said."""

    decision_id: str
    sequence: int
    """Of the decision in this node's ledger: of two decisions the one with the higher is the newer, whatever the clock
    said."""
    priority: Priority
    route: str = ""
    """In the tracker's word; empty where nothing was said about it."""
    raw_priority: str = ""
    """The tracker's word for the priority, as it showed it after the write; empty where it did not."""
    key: str
    """The write's idempotency key."""
    revision: str = ""
    """Of the task: as it was read before a write that is intended (one that still has it was not written), as it was
    shown after one that is done; empty where the tracker shows none."""


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of one task."""

    schema: int = 1
    said: Said | None = None
    """The last write that is known to have been applied."""
    intended: Said | None = None
    """A write that was begun and not yet seen to be applied: after a crash nobody knows but the tracker."""
    earlier: tuple[Said, ...] = ()
    """Writes before the last one, newest first: what the tracker tells of them may still be on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which write this is."""

    key: str
    """Idempotency key: the same for every attempt, and on every node that heard of the same revision."""
    sequence: int
    """Of the decision, in this node's ledger."""
    revision: str
    """Of the task when it was scored, or the id of the event."""
    word: str = ""
    """The tracker's word for the decision's priority, where it has one of its own."""
    overruled: bool = False
    """A person has corrected the decision that was written last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a person has chosen; a part of it that agrees with the node is left out."""

    priority: Priority | None = None
    route: str = ""
    reason: str
    by: str = ""
    """Who; empty where the tracker did not say."""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """Write these values, which may say less than the decision; a person's route, if there is one, is left alone."""

    values: Values
    judged: Judgement | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave the task as it is."""

    reason: str
    applied: Said | Mark | None = None
    """This very write, where it is there: an earlier attempt was applied and its answer lost, or a peer was faster."""


@dataclass(frozen=True, slots=True)
class Yield:
    """A person has judged the task: leave it to them."""

    judged: Judgement


Verdict = Write | Keep | Yield

_MOST_WORD = 100


def decide(task: Task, values: Values, known: Written, order: Order) -> Verdict:
    """Decide about `task` as it was just read, given what is `known` to have been written on it.

    In order: this very write is there; a newer decision was written; a person chose a priority, or took one back; the
    same is there already; else it is written, without a route where a person chose one or took it away.
    """
    said, standing = known.said, task.standing
    own = _own(task, known)
    before = _before(own, values, known, order)
    if before is not None:
        return before
    if own is None and standing.priority is not None:
        return _chosen(task, values, known, order)
    if own is None and standing.foreign:
        word = standing.raw_priority[:_MOST_WORD]
        return Yield(
            Judgement(reason=f"{word} was chosen in the tracker; neither priorities nor unset_priorities has it")
        )
    former = said or standing.mark
    if own is None and former is not None:
        return Yield(Judgement(reason=f"somebody took {former.priority} back in the tracker"))
    if order.overruled or task.closed:
        return Keep("a person corrected what was written before" if order.overruled else "the task is closed")
    wanted = _wanted(task, values, known)
    route_stands = wanted.values.route in {"", _shown_route(standing, known)}
    return _unchanged(wanted) if own is not None and own.priority == values.priority and route_stands else wanted


def _unchanged(wanted: Write) -> Verdict:
    """Answer where nothing of `wanted` is left to write."""
    return Yield(wanted.judged) if wanted.judged is not None else Keep(f"it is {wanted.values.priority} already")


def _before(own: Said | Mark | None, values: Values, known: Written, order: Order) -> Keep | None:
    """Say whether this write, or one of a newer decision, came before."""
    said = known.said
    if said is not None and said.key == order.key:
        return Keep("it was written before")
    if own is not None and mark_key(own.key) == mark_key(order.key):
        return Keep("it was written before, and the answer lost", applied=own)
    newer = own.decision_id > values.decision_id if isinstance(own, Mark) else False
    if newer or (said is not None and said.sequence > order.sequence):
        return Keep("a newer decision was written before")
    return None


def _own(task: Task, known: Written) -> Said | Mark | None:
    """Return which write of a node made the priority that stands there; None where there is none, or a person did."""
    standing, said, intended = task.standing, known.said, known.intended
    mark = standing.mark
    if mark is not None:
        if mark.priority != standing.priority:
            return None
        ours = (one for one in (said, intended) if one is not None and mark_key(one.key) == mark.key)
        return next(ours, mark)
    if intended is not None and _was_applied(intended, task):
        return intended
    return said if said is not None and _stands(said, standing) else None


def _was_applied(intended: Said, task: Task) -> bool:
    """Say whether a write of which nobody heard the answer made what stands there."""
    standing = task.standing
    if standing.priority is None and task.revision == intended.revision:
        return False  # its word is the one that nobody chose, and it stood there before
    return _stands(intended, standing) and intended.route in {"", standing.route, *standing.labels}


def _stands(one: Said, standing: Standing) -> bool:
    """Say whether the priority there is the one that was written: by the tracker's word, else by its band."""
    if one.raw_priority and standing.raw_priority:
        return _is(one.raw_priority, standing.raw_priority)
    return standing.priority is not None and standing.priority == one.priority


def _is(word: str, shown: str) -> bool:
    return bool(word) and word.casefold() == shown.casefold()


def _chosen(task: Task, values: Values, known: Written, order: Order) -> Verdict:
    """Answer where the priority is not one of ours."""
    standing = task.standing
    untouched = known.said is None and standing.mark is None
    agreed = values.priority == standing.priority or _is(order.word, standing.raw_priority)
    if untouched and agreed:
        wanted = _wanted(task, values, known)
        since = task.revision != order.revision
        if since or task.closed or not wanted.values.route or wanted.values.route in standing.labels:
            return _unchanged(wanted)
        return wanted
    shown = _shown_route(standing, known)
    route = shown if shown not in {values.route, *_own_routes(standing, known)} else ""
    priority = standing.priority if not agreed else None
    if priority is None and not route:
        return Keep(f"somebody chose {values.priority} as well")
    return Yield(Judgement(priority=priority, route=route, reason=f"{standing.priority} was chosen in the tracker"))


def _wanted(task: Task, values: Values, known: Written) -> Write:
    """Return the write, with as much of the route as may be said."""
    standing = task.standing
    shown, own = _shown_route(standing, known), _own_routes(standing, known)
    if not values.route or values.route in {shown, *standing.labels}:
        return Write(values)
    if shown and shown not in own:
        judged = Judgement(route=shown, reason=f"{shown} was chosen in the tracker")
        return Write(replace(values, route=""), judged)
    if not shown and own:  # a person took our route away: it does not come back
        return Write(replace(values, route=""))
    return Write(replace(values, former_route=shown))


def _shown_route(standing: Standing, known: Written) -> str:
    """The route on the task; where labels do not tell which of them it is, the one we wrote, if it is still there."""
    return standing.route or next((one for one in sorted(_own_routes(standing, known)) if one in standing.labels), "")


def _own_routes(standing: Standing, known: Written) -> frozenset[str]:
    """Routes that a node is known to have written; of a write that may not have been applied only what is there."""
    ours = {one.route for one in (known.said, standing.mark) if one is not None}
    if known.intended is not None and known.intended.route in {standing.route, *standing.labels}:
        ours.add(known.intended.route)
    return frozenset(ours - {""})
