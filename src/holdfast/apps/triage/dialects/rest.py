"""Trackers with one JSON task per URL, conditional writes, and deliveries as Standard Webhooks.

Tasking.Space and `generic` differ only in the shape of their task; each has its file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import quote, urlencode

import msgspec

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import Ability, MalformedEvent, Place, Scheme
from holdfast.apps.triage.dialects.replies import decoded, encode, instant, reply_body
from holdfast.apps.triage.marks import explanation_with_mark, read_mark
from holdfast.apps.triage.task import Event, EventKind, Ignored, Listing, Standing, Task, Values
from holdfast.exchange import Incoming, Outgoing

__all__ = ["Judged", "ReadTask", "Rest", "other_labels", "rest_standing", "task_id"]

_PAGE = 100
_MOST_ID = 200
_JUDGEMENT = frozenset({"priority", "labels"})
_WRITTEN = _JUDGEMENT | {"priority_score", "priority_reason", "explanation", "updated_at", "updated_by"}
"""Fields that a write touches: a change of nothing else cannot change the score."""


class _Delivery(msgspec.Struct, frozen=True):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    timestamp: str | None = None
    changed: tuple[str, ...] | None = None
    actor: str | None = None


class _Page(msgspec.Struct, frozen=True):
    tasks: tuple[msgspec.Raw, ...]
    next_cursor: str | None = None


class Judged(msgspec.Struct, frozen=True):
    """What both shapes of a task say about its standing."""

    priority: str | None = None
    labels: tuple[str, ...] | None = None
    explanation: str | None = None


_DELIVERY = msgspec.json.Decoder(_Delivery)
_PAGES = msgspec.json.Decoder(_Page)
_KINDS = {"task.created": EventKind.CREATED, "task.updated": EventKind.EDITED}

ReadTask = Callable[[bytes, Place, str], Task]
"""The JSON of one task, the place and an ETag to what it means. Raises MalformedEvent."""


class Rest:
    """See Dialect; which of the two it is, is in `read_task`."""

    built_from: Literal["payloads", "documentation"] = "documentation"
    scheme: Scheme = "standard-webhooks"
    ability = Ability(conditional=True, idempotent=True)
    words: Mapping[Priority, str] = {}

    def __init__(self, name: str, read_task: ReadTask) -> None:
        self.name, self._read_task = name, read_task

    def decode(self, headers: Mapping[str, str], body: bytes, place: Place) -> Event | Ignored:  # noqa: ARG002  # Dialect
        """See Dialect."""
        delivery = decoded(_DELIVERY, body, f"{self.name} delivery")
        kind = _KINDS.get(delivery.type)
        if kind is None:
            return Ignored(f"{delivery.type[:80]}: neither a new nor an edited task")
        task = self._read_task(bytes(delivery.data), place, "")
        if delivery.changed is not None and kind is EventKind.EDITED:
            kind = _kind_of_change(frozenset(delivery.changed), task)
            if kind is None:
                return Ignored(f"{delivery.type}: nothing changed that is scored")
        return Event(
            kind=kind,
            tasks=(task,),
            by=delivery.actor or "",
            at=instant(delivery.timestamp) or "",
            name=delivery.type,
        )

    def read_request(self, task_id: str, place: Place) -> Outgoing:
        """See Dialect."""
        return Outgoing(method="GET", url=_task_url(task_id, place), headers=_headers(place))

    def read_reply(self, reply: Incoming, place: Place) -> Task:
        """See Dialect."""
        return self._read_task(reply_body(reply, f"{self.name} task"), place, reply.headers.get("etag", ""))

    def write_request(self, task: Task, values: Values, place: Place, *, key: str) -> Outgoing:
        """See Dialect. `labels` is the whole list: what a person put there stays."""
        gone = {values.former_route} if values.former_route != values.route else set()
        labels = [one for one in task.standing.labels if one not in gone]
        if values.route and values.route not in labels:
            labels.append(values.route)
        body = {
            "priority_score": values.score,
            "priority": place.priorities.get(values.priority, values.priority.value),
            "priority_reason": values.reason,
            "labels": labels,
            "explanation": explanation_with_mark(values, key),
        }
        headers = {**_headers(place), "Content-Type": "application/json", "Idempotency-Key": key}
        if task.etag:
            headers["If-Match"] = task.etag
        return Outgoing(method="PATCH", url=_task_url(task.id, place), headers=headers, body=encode(body))

    def list_request(self, since_at: str, cursor: str, place: Place) -> Outgoing:
        """See Dialect."""
        query = {"updated_since": since_at, "limit": str(_PAGE)}
        if place.project:
            query["project"] = place.project
        if cursor:
            query["cursor"] = cursor
        return Outgoing(method="GET", url=f"{place.base_url}/tasks?{urlencode(query)}", headers=_headers(place))

    def list_reply(self, reply: Incoming, place: Place) -> Listing:
        """See Dialect."""
        page = decoded(_PAGES, reply_body(reply, f"{self.name} tasks"), f"{self.name} tasks")
        tasks = tuple(self._read_task(bytes(one), place, "") for one in page.tasks)
        return Listing(tasks, page.next_cursor or "")


def rest_standing(judged: Judged, place: Place) -> Standing:
    """Read the standing: the priority field, and the route among the labels."""
    word = judged.priority or ""
    mark, labels = read_mark(judged.explanation), judged.labels or ()
    routes = set(place.routes.values()) | ({mark.route} if mark is not None and mark.route else set())
    band = None if word in place.unset else _band(word, place)
    if mark is not None and place.priorities.get(mark.priority, mark.priority.value) == word:
        band = mark.priority  # ours, even where its word is also the one that nobody chose
    return Standing(
        priority=band,
        raw_priority=word,
        foreign=bool(word) and band is None and word not in place.unset,
        route=next((one for one in labels if one in routes), ""),
        labels=labels,
        mark=mark,
    )


def other_labels(standing: Standing, place: Place) -> list[str]:
    """The labels that are circumstances: a route is our own echo, or a person's judgement."""
    routes = {*place.routes.values(), standing.mark.route if standing.mark is not None else ""}
    return [one for one in standing.labels if one not in routes]


def task_id(found: str | int, what: str) -> str:
    """Return the id if it may stand in a URL. Raises MalformedEvent."""
    text = str(found)
    if not 0 < len(text) <= _MOST_ID or text in {".", ".."} or not text.isprintable():
        raise MalformedEvent(f"{what}: expected an id of 1 to {_MOST_ID} printable characters, found {text[:40]!r}")
    return text


def _kind_of_change(changed: frozenset[str], task: Task) -> EventKind | None:
    if not changed <= _WRITTEN:
        return EventKind.EDITED
    mark = task.standing.mark
    moved = mark is not None and mark.route not in {"", task.standing.route}
    if "priority" in changed or ("labels" in changed and moved):
        return EventKind.JUDGED
    return EventKind.EDITED if "labels" in changed else None


def _band(word: str, place: Place) -> Priority | None:
    folded = word.casefold()
    ours = {text.casefold(): band for band, text in place.priorities.items()}
    return ours.get(folded) or next((one for one in Priority if one.value.casefold() == folded), None)


def _task_url(task_id: str, place: Place) -> str:
    return f"{place.base_url}/tasks/{quote(task_id, safe='')}"


def _headers(place: Place) -> dict[str, str]:
    return {"Authorization": f"Bearer {place.token}", "Accept": "application/json"}
