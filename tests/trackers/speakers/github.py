"""GitHub: https://docs.github.com/rest/issues and …/webhooks/webhook-events-and-payloads#issues."""

from __future__ import annotations

import hashlib
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

__all__ = ["GitHub"]

_MISSING = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}
_ISSUE = r"/repos/acme/shop/issues/(\d+)"


class GitHub:
    """No If-Match on writes: «Conditional requests for unsafe methods … are not supported»; no idempotency key."""

    name = "github"
    default_priority = ""
    prefix = ""
    conditional = False
    idempotent = False

    def api(self, request: Request, board: Board) -> Reply:
        if not request.headers.get("user-agent"):
            return Reply(403, {"message": "Request forbidden by administrative rules."})
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() not in {"bearer", "token"} or token != TOKEN:
            return Reply(401, {"message": "Bad credentials", "status": "401"})
        return answer(_ROUTES, request, board, missing=_MISSING)

    def number(self, request: Request) -> int | None:
        match = re.match(_ISSUE, request.path)
        return int(match[1]) if match else None

    def task_id(self, card: Card) -> str:
        return f"{forge.REPOSITORY}#{card.number}"

    def delivery(self, change: Change, card: Card, secret: str) -> tuple[dict[str, str], bytes]:
        event = forge.issue_event(change, card, action(change), "https://api.github.com")
        if event["action"] in {"labeled", "unlabeled"}:
            event["label"] = forge.label(moved_label(change))
        body = json.dumps(event).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/5f2a3c1",
            "X-GitHub-Event": "issues",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-GitHub-Hook-ID": "292430182",
            **signing.github(secret, body),
        }
        return headers, body


def action(change: Change) -> str:
    """GitHub's word for what happened."""
    if change.created:
        return "opened"
    if "labels" in change.fields:
        before, after = change.fields["labels"]
        return "labeled" if set(after) - set(before) else "unlabeled"
    if "closed" in change.fields:
        return "closed" if change.fields["closed"][1] else "reopened"
    return "edited"


def moved_label(change: Change) -> str:
    """The label that came or went; GitHub sends one delivery per label, the first stands for them here."""
    before, after = change.fields["labels"]
    return min(set(after) ^ set(before))


def _read(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    value = forge.issue(card, request.origin)
    etag = 'W/"' + hashlib.sha256(json.dumps(value).encode()).hexdigest() + '"'
    if request.headers.get("if-none-match") == etag:
        return Reply(304, None, {"ETag": etag})
    return Reply(200, value, {"ETag": etag, "X-RateLimit-Remaining": "4987"})


def _names(value: Any) -> list[str]:
    return [one if isinstance(one, str) else str(one["name"]) for one in value]


def _update(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    if "if-match" in request.headers:
        return Reply(400, {"message": "Conditional requests for unsafe methods are not supported."})
    given = request.json()
    edits: dict[str, Any] = {}
    for theirs, ours in (("title", "title"), ("body", "description")):
        if theirs in given:
            edits[ours] = given[theirs]
    if "labels" in given:
        edits["labels"] = _names(given["labels"])
    if "state" in given:
        edits["closed"] = given["state"] == "closed"
    board.edit(card.number, request.account, edits)
    return Reply(200, forge.issue(card, request.origin))


def _labels(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    names = _names(request.json().get("labels", []))
    wanted = names if request.method == "PUT" else [*card.labels, *names]
    board.edit(card.number, request.account, {"labels": wanted})
    return Reply(200, [forge.label(name) for name in card.labels])


def _unlabel(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    if card is None or parts[1] not in card.labels:
        return Reply(404, {**_MISSING, "message": "Label does not exist"})
    board.edit(card.number, request.account, {"labels": [name for name in card.labels if name != parts[1]]})
    return Reply(200, [forge.label(name) for name in card.labels])


def _events(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    """Oldest first; 30 a page, 100 at most."""
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    events = [
        {
            "event": "labeled" if added else "unlabeled",
            "actor": forge.user(change.by),
            "label": {"name": name, "color": "ededed"},
            "created_at": seconds(change.at),
        }
        for name, added, change in board.label_history(card)
    ]
    return Reply(200, events[: int(request.get("per_page", "30"))])


def _list(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    """Default order: newest first by creation; default state: open; at most 100 a page."""
    del parts
    since = request.get("since")
    at = datetime.fromisoformat(since) if since else datetime.fromisoformat("1970-01-01T00:00:00Z")
    cards = board.changed_since(at)
    state = request.get("state", "open")
    cards = [card for card in cards if state == "all" or card.closed == (state == "closed")]
    if request.get("sort", "created") == "created":
        cards.sort(key=lambda card: card.number)
    if request.get("direction", "desc") == "desc":
        cards.reverse()
    number, size = int(request.get("page", "1")), min(int(request.get("per_page", "30")), 100)
    shown, more = page(cards, number, size)
    link = f'<{request.origin}{request.path}?page={number + 1}>; rel="next"' if more else ""
    return Reply(200, [forge.issue(card, request.origin) for card in shown], {"Link": link} if link else {})


_ROUTES: tuple[Route, ...] = (
    ("GET", _ISSUE, _read),
    ("PATCH", _ISSUE, _update),
    ("GET", _ISSUE + "/events", _events),
    ("POST", _ISSUE + "/labels", _labels),
    ("PUT", _ISSUE + "/labels", _labels),
    ("DELETE", _ISSUE + "/labels/([^/]+)", _unlabel),
    ("POST", _ISSUE + "/comments", commenting(_MISSING)),
    ("GET", "/repos/acme/shop/issues", _list),
)
