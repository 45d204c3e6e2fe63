"""Gitea: https://docs.gitea.com/api (issue, issue labels) and https://docs.gitea.com/usage/webhooks."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from typing import Any

from tests.trackers import signing
from tests.trackers.board import Board, Card, Change
from tests.trackers.speakers import forge
from tests.trackers.speakers.speaker import TOKEN
from tests.trackers.wire import Reply, Request, Route, answer, commenting, found, page, seconds

__all__ = ["Gitea"]

_MISSING = {"errors": None, "message": "The target couldn't be found.", "url": "/api/swagger"}
_ISSUE = r"/repos/acme/shop/issues/(\d+)"


class Gitea:
    """Labels that the repository does not have are silently left out (GetLabelIDsInRepoByNames)."""

    name = "gitea"
    default_priority = ""
    prefix = "/api/v1"
    conditional = False
    idempotent = False

    def api(self, request: Request, board: Board) -> Reply:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() not in {"bearer", "token"} or token != TOKEN:
            return Reply(401, {"message": "invalid username, password or token", "url": "/api/swagger"})
        return answer(_ROUTES, request, board, missing=_MISSING)

    def number(self, request: Request) -> int | None:
        match = re.match(_ISSUE, request.path)
        return int(match[1]) if match else None

    def task_id(self, card: Card) -> str:
        return f"{forge.REPOSITORY}#{card.number}"

    def delivery(self, change: Change, card: Card, secret: str) -> tuple[dict[str, str], bytes]:
        event = _event(change, card)
        body = json.dumps(event, indent=2).encode()
        kind = "issue_label" if event["action"].startswith("label_") else "issues"
        headers = {
            "Content-Type": "application/json",
            "X-Gitea-Delivery": str(uuid.uuid4()),
            "X-Gitea-Event": "issues",
            "X-Gitea-Event-Type": kind,
            **signing.gitea(secret, body),
            "X-Hub-Signature-256": signing.github(secret, body)["X-Hub-Signature-256"],
        }
        return headers, body


def _issue(card: Card, api: str) -> dict[str, Any]:
    owner, name = forge.REPOSITORY.split("/")
    meta = {"id": 7, "name": name, "owner": owner, "full_name": forge.REPOSITORY}
    return {**forge.issue(card, api), "due_date": card.extra.get("due_date"), "repository": meta}


def _event(change: Change, card: Card) -> dict[str, Any]:
    action = "edited"
    if change.created:
        action = "opened"
    elif "labels" in change.fields:
        action = "label_updated" if card.labels else "label_cleared"
    elif "closed" in change.fields:
        action = "closed" if card.closed else "reopened"
    event = forge.issue_event(change, card, action, "http://gitea.example/api/v1")
    event["number"] = card.number
    event["issue"] = _issue(card, "http://gitea.example/api/v1")
    for account in (event["sender"], event["issue"]["user"]):
        account["username"] = account["login"]
    return event


def _read(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    return Reply(404, _MISSING) if card is None else Reply(200, _issue(card, request.origin))


def _update(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    """EditIssueOption: title, body, state, assignees, milestone, due_date; labels are not among them: ignored."""
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    given = request.json()
    edits: dict[str, Any] = {}
    for theirs, ours in (("title", "title"), ("body", "description")):
        if theirs in given:
            edits[ours] = given[theirs]
    if "state" in given:
        edits["closed"] = given["state"] == "closed"
    board.edit(card.number, request.account, edits)
    return Reply(201, _issue(card, request.origin))


def _labels(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    asked = request.json().get("labels") or []
    if any(isinstance(one, str) for one in asked) and any(not isinstance(one, str) for one in asked):
        return Reply(400, {"message": "labels should be an array of strings or integers"})
    ids = {forge.label(name)["id"]: name for name in board.known_labels}
    names = [one if isinstance(one, str) else ids.get(one, "") for one in asked]
    known = [name for name in names if name in board.known_labels]
    board.edit(card.number, request.account, {"labels": known if request.method == "PUT" else [*card.labels, *known]})
    return Reply(200, [forge.label(name) for name in card.labels])


def _known(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    del request, parts
    return Reply(200, [forge.label(name) for name in sorted(board.known_labels)])


def _new_label(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    del parts
    given = request.json()
    if not given.get("name") or not given.get("color"):
        return Reply(422, {"message": "[Color]: Required"})
    board.known_labels.add(given["name"])
    return Reply(201, forge.label(given["name"]))


def _timeline(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    """Oldest first; a label's comment has the body 1 where it was put on, none where it was taken off."""
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    events = [
        {
            "type": "label",
            "body": "1" if added else "",
            "user": forge.user(change.by),
            "label": forge.label(name),
            "created_at": seconds(change.at),
        }
        for name, added, change in board.label_history(card)
    ]
    return Reply(200, events[: int(request.get("limit", "30"))])


def _list(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    """Newest first by creation, whatever is asked; 50 a page at most by default; `X-Total-Count`."""
    del parts
    since = request.get("since")
    cards = board.changed_since(datetime.fromisoformat(since or "1970-01-01T00:00:00Z"))
    state = request.get("state", "open")
    cards = [card for card in cards if state == "all" or card.closed == (state == "closed")]
    cards.sort(key=lambda card: -card.number)
    number, size = int(request.get("page", "1")), min(int(request.get("limit", "30")), 50)
    shown, more = page(cards, number, size)
    headers = {"X-Total-Count": str(len(cards))}
    if more:
        headers["Link"] = f'<{request.origin}{request.path}?page={number + 1}>; rel="next"'
    return Reply(200, [_issue(card, request.origin) for card in shown], headers)


_ROUTES: tuple[Route, ...] = (
    ("GET", _ISSUE, _read),
    ("PATCH", _ISSUE, _update),
    ("GET", _ISSUE + "/timeline", _timeline),
    ("POST", _ISSUE + "/labels", _labels),
    ("PUT", _ISSUE + "/labels", _labels),
    ("POST", _ISSUE + "/comments", commenting(_MISSING)),
    ("GET", "/repos/acme/shop/labels", _known),
    ("POST", "/repos/acme/shop/labels", _new_label),
    ("GET", "/repos/acme/shop/issues", _list),
)
