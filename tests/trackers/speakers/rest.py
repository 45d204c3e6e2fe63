"""Tasking.Space and the generic tracker: PATCH tasks/{id} with If-Match and Idempotency-Key, Standard Webhooks.

There is no other maker's documentation: CONTRACT and docs/howto/{tasking-space,generic}.md are it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from tests.trackers import signing
from tests.trackers.board import Board, Card, Change
from tests.trackers.speakers.speaker import TOKEN
from tests.trackers.wire import Reply, Request, Route, answer, found, page

__all__ = ["GENERIC", "TASKING_SPACE"]

_TASK = r"/tasks/TS-(\d+)"
_MISSING = {"title": "no such task", "status": 404}
_FIELDS = {"priority_score", "priority", "priority_reason", "labels", "explanation"}
_NAMES = {
    "title": "title",
    "description": "description",
    "priority": "priority",
    "labels": "labels",
    "closed": "status",
}


@dataclass(frozen=True)
class Rest:
    """Which of the two is in `show`."""

    name: str
    show: Callable[[Card], dict[str, Any]]
    default_priority: str = ""
    prefix: str = "/api"
    conditional: bool = True
    idempotent: bool = True

    def api(self, request: Request, board: Board) -> Reply:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply(401, {"title": "unauthorized", "status": 401})
        routes: tuple[Route, ...] = (
            ("GET", _TASK, self._read),
            ("PATCH", _TASK, self._update),
            ("GET", "/tasks", self._list),
        )
        return answer(routes, request, board, missing=_MISSING)

    def number(self, request: Request) -> int | None:
        match = re.match(_TASK, request.path)
        return int(match[1]) if match else None

    def task_id(self, card: Card) -> str:
        return f"TS-{card.number}"

    def delivery(self, change: Change, card: Card, secret: str) -> tuple[dict[str, str], bytes]:
        event: dict[str, Any] = {
            "type": "task.created" if change.created else "task.updated",
            "timestamp": change.at.isoformat(),
            "actor": change.by,
            "data": self.show(card),
        }
        if not change.created:
            event["changed"] = sorted(_changed(change))
        body = json.dumps(event).encode()
        return {"Content-Type": "application/json", **signing.standard_webhooks(secret, body)}, body

    def _read(self, request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
        del request
        card = found(board, parts[0])
        return Reply(404, _MISSING) if card is None else Reply(200, self.show(card), _etag(card))

    def _update(self, request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
        card = found(board, parts[0])
        if card is None:
            return Reply(404, _MISSING)
        if request.headers.get("if-match", "*") not in {"*", _etag(card)["ETag"]}:
            return Reply(412, {"title": "the task was changed meanwhile", "status": 412})
        given = request.json()
        if set(given) - _FIELDS:
            return Reply(422, {"title": f"unknown field {min(set(given) - _FIELDS)}", "status": 422})
        edits: dict[str, Any] = {name: given[name] for name in ("priority", "labels") if name in given}
        edits["extra"] = {name: given[name] for name in _FIELDS - {"priority", "labels"} if name in given}
        board.edit(card.number, request.account, edits)
        return Reply(200, self.show(card), _etag(card))

    def _list(self, request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
        del parts
        cards = board.changed_since(datetime.fromisoformat(request.get("updated_since", "1970-01-01T00:00:00Z")))
        number = int(request.get("cursor", "1") or "1")
        shown, more = page(cards, number, int(request.get("limit", "50")))
        tasks = [self.show(card) for card in shown]
        return Reply(200, {"tasks": tasks, "next_cursor": quote(str(number + 1)) if more else None})


def _etag(card: Card) -> dict[str, str]:
    return {"ETag": f'"{card.version}"'}


def _changed(change: Change) -> set[str]:
    names = {_NAMES[name] for name in change.fields if name in _NAMES}
    before, after = change.fields.get("extra", ({}, {}))
    return names | {name for name in after if before.get(name) != after[name]}


def _both(card: Card) -> dict[str, Any]:
    return {
        "id": f"TS-{card.number}",
        "title": card.title,
        "description": card.description,
        "priority": card.priority or None,
        "labels": list(card.labels),
        "priority_score": card.extra.get("priority_score"),
        "priority_reason": card.extra.get("priority_reason"),
        "explanation": card.extra.get("explanation"),
        "updated_at": card.updated_at.isoformat(),
        "url": f"https://tasks.example/TS-{card.number}",
    }


def _tasking_space(card: Card) -> dict[str, Any]:
    return {
        **_both(card),
        "status": "done" if card.closed else "open",
        "requester": {"id": card.requester, "role": card.extra.get("role"), "tier": None},
        "created_at": card.created_at.isoformat(),
        "deadline_at": card.extra.get("due_date"),
    }


def _generic(card: Card) -> dict[str, Any]:
    metadata = {"created_at": card.created_at.isoformat(), "requester": {"id": card.requester}}
    return {**_both(card), "metadata": metadata, "closed": card.closed}


TASKING_SPACE = Rest("tasking-space", _tasking_space)
GENERIC = Rest("generic", _generic)
