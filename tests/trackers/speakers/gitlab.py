"""GitLab: https://docs.gitlab.com/api/issues and …/user/project/integrations/webhook_events#work-item-events."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from typing import Any

from tests.trackers import signing
from tests.trackers.board import Board, Card, Change
from tests.trackers.speakers.speaker import TOKEN
from tests.trackers.wire import Reply, Request, Route, answer, commenting, found, page

__all__ = ["GitLab"]

PROJECT = "acme/shop"
_PROJECT = r"/projects/(?:14|acme%2F[sS]hop)"
_ISSUE = _PROJECT + r"/issues/(\d+)"
_MISSING = {"message": "404 Not found"}


class GitLab:
    """Labels are created as they are used. Newer ones sign as Standard Webhooks; the secret token is sent as it is."""

    name = "gitlab"
    default_priority = ""
    prefix = "/api/v4"
    conditional = False
    idempotent = False

    def api(self, request: Request, board: Board) -> Reply:
        given = {request.headers.get("private-token"), request.headers.get("authorization")}
        if not given & {TOKEN, f"Bearer {TOKEN}"}:
            return Reply(401, {"message": "401 Unauthorized"})
        return answer(_ROUTES, request, board, missing=_MISSING)

    def number(self, request: Request) -> int | None:
        match = re.match(_ISSUE, request.path)
        return int(match[1]) if match else None

    def task_id(self, card: Card) -> str:
        return f"{PROJECT}#{card.number}"

    def delivery(self, change: Change, card: Card, secret: str) -> tuple[dict[str, str], bytes]:
        body = json.dumps(_event(change, card)).encode()
        identity = str(uuid.uuid4())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitLab/18.6.0",
            "X-Gitlab-Event": "Issue Hook",
            "X-Gitlab-Event-UUID": identity,
            "X-Gitlab-Webhook-UUID": "5e2b0c8e-6d6f-44a5-9d0a-0f6f2a5dbd28",
            "X-Gitlab-Instance": "https://gitlab.example",
        }
        signed = secret.startswith("whsec_")
        return headers | (
            signing.standard_webhooks(secret, body) if signed else signing.gitlab_token(secret, body)
        ), body


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _issue(card: Card) -> dict[str, Any]:
    return {
        "id": 300 + card.number,
        "iid": card.number,
        "project_id": 14,
        "title": card.title,
        "description": card.description,
        "state": "closed" if card.closed else "opened",
        "created_at": _stamp(card.created_at),
        "updated_at": _stamp(card.updated_at),
        "closed_at": None,
        "labels": sorted(card.labels),
        "milestone": None,
        "assignees": [],
        "author": _user(card.requester),
        "type": "ISSUE",
        "due_date": card.extra.get("due_date"),
        "confidential": False,
        "issue_type": "issue",
        "severity": "UNKNOWN",
        "web_url": f"https://gitlab.example/{PROJECT}/-/issues/{card.number}",
        "references": {"short": f"#{card.number}", "relative": f"#{card.number}", "full": f"{PROJECT}#{card.number}"},
    }


def _user(name: str) -> dict[str, Any]:
    return {"id": sum(name.encode()), "username": name, "name": name.title(), "state": "active"}


def _label(name: str) -> dict[str, Any]:
    return {"id": sum(name.encode()), "title": name, "color": "#ffffff", "project_id": 14, "type": "ProjectLabel"}


def _event(change: Change, card: Card) -> dict[str, Any]:
    action = "open" if change.created else "update"
    if "closed" in change.fields:
        action = "close" if card.closed else "reopen"
    labels = [_label(name) for name in card.labels]
    changes: dict[str, Any] = {"updated_at": {"previous": None, "current": str(card.updated_at)}}
    for name, (before, after) in change.fields.items():
        if name == "labels":
            changes["labels"] = {"previous": [_label(n) for n in before], "current": [_label(n) for n in after]}
        elif name in {"title", "description"}:
            changes[name] = {"previous": before, "current": after}
    return {
        "object_kind": "issue",
        "event_type": "issue",
        "user": {**_user(change.by), "email": "[REDACTED]"},
        "project": {
            "id": 14,
            "name": "Shop",
            "path_with_namespace": PROJECT,
            "web_url": f"https://gitlab.example/{PROJECT}",
        },
        "object_attributes": {
            "id": 300 + card.number,
            "iid": card.number,
            "title": card.title,
            "description": card.description,
            "author_id": sum(card.requester.encode()),
            "project_id": 14,
            "created_at": card.created_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            "updated_at": card.updated_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            "due_date": card.extra.get("due_date"),
            "type": "Issue",
            "state": "closed" if card.closed else "opened",
            "state_id": 2 if card.closed else 1,
            "action": action,
            "severity": "unknown",
            "labels": labels,
            "url": f"https://gitlab.example/{PROJECT}/-/issues/{card.number}",
        },
        "labels": labels,
        "changes": changes,
        "repository": {"name": "Shop", "url": "git@gitlab.example:acme/shop.git"},
    }


def _read(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    del request
    card = found(board, parts[0])
    return Reply(404, _MISSING) if card is None else Reply(200, _issue(card))


def _names(value: Any) -> list[str]:
    texts = value if isinstance(value, list) else str(value).split(",")
    return [text.strip() for text in texts if text.strip()]


def _update(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    """`labels` sets all, `add_labels` and `remove_labels` change some; at least one parameter is required."""
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    given = {**{name: values[0] for name, values in request.query.items()}, **request.json()}
    edits: dict[str, Any] = {name: given[name] for name in ("title", "description") if name in given}
    if {"labels", "add_labels", "remove_labels"} & set(given):
        labels = _names(given["labels"]) if "labels" in given else list(card.labels)
        removed = _names(given.get("remove_labels", ""))
        edits["labels"] = [n for n in [*labels, *_names(given.get("add_labels", ""))] if n not in removed]
    if "state_event" in given:
        edits["closed"] = given["state_event"] == "close"
    if not edits:
        return Reply(
            400, {"error": "title, description, labels, … are missing, at least one parameter must be provided"}
        )
    board.edit(card.number, request.account, edits)
    return Reply(200, _issue(card))


def _label_events(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    events = [
        {
            "user": {"id": sum(change.by.encode()), "username": change.by, "name": change.by.title()},
            "created_at": change.at.isoformat(),
            "resource_type": "Issue",
            "label": {"id": sum(name.encode()), "name": name, "color": "#ededed"},
            "action": "add" if added else "remove",
        }
        for name, added, change in board.label_history(card)
    ]
    return Reply(200, events[: int(request.get("per_page", "20"))], {"X-Next-Page": ""})


def _list(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    """`updated_after` is inclusive; order_by=created_at and sort=desc by default; `X-Next-Page`."""
    del parts
    after = request.get("updated_after")
    cards = board.changed_since(datetime.fromisoformat(after or "1970-01-01T00:00:00Z"))
    state = request.get("state", "all")
    cards = [card for card in cards if state == "all" or card.closed == (state == "closed")]
    if request.get("order_by", "created_at") == "created_at":
        cards.sort(key=lambda card: card.number)
    if request.get("sort", "desc") == "desc":
        cards.reverse()
    number, size = int(request.get("page", "1")), min(int(request.get("per_page", "20")), 100)
    shown, more = page(cards, number, size)
    headers = {"X-Page": str(number), "X-Next-Page": str(number + 1) if more else ""}
    return Reply(200, [_issue(card) for card in shown], headers)


_ROUTES: tuple[Route, ...] = (
    ("GET", _ISSUE, _read),
    ("PUT", _ISSUE, _update),
    ("GET", _ISSUE + "/resource_label_events", _label_events),
    ("POST", _ISSUE + "/notes", commenting(_MISSING)),
    ("GET", _PROJECT + "/issues", _list),
)
