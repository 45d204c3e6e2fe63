"""Zammad: https://docs.zammad.org/en/latest/api/ticket and https://admin-docs.zammad.org/en/latest/manage/webhook."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from tests.trackers import signing
from tests.trackers.board import Board, Card, Change
from tests.trackers.speakers.speaker import TOKEN
from tests.trackers.wire import Reply, Request, Route, answer, found, page

__all__ = ["Zammad"]

PRIORITIES = ("1 low", "2 normal", "3 high")
GROUPS = ("Users", "Hardware", "Access", "Purchase", "Storage", "HR Support")
_TICKET = r"/tickets/(\d+)"


class Zammad:
    """Every ticket has a priority: «2 normal» is what nobody chose. PUT knows no tags. No If-Match."""

    name = "zammad"
    default_priority = "2 normal"
    prefix = "/api/v1"
    conditional = False
    idempotent = False

    def api(self, request: Request, board: Board) -> Reply:
        if request.headers.get("authorization") not in {f"Token token={TOKEN}", f"Bearer {TOKEN}"}:
            return Reply(403, {"error": "Authentication required", "error_human": "Authentication required"})
        return answer(_ROUTES, request, board, missing={"error": "Couldn't find Ticket"})

    def number(self, request: Request) -> int | None:
        match = re.match(_TICKET, request.path)
        return int(match[1]) if match else None

    def task_id(self, card: Card) -> str:
        return str(card.number)

    def delivery(self, change: Change, card: Card, secret: str) -> tuple[dict[str, str], bytes]:
        body = json.dumps(_event(change, card)).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Zammad User Agent",
            "X-Zammad-Trigger": "Holdfast",
            "X-Zammad-Delivery": str(uuid.uuid4()),
            **signing.zammad(secret, body),
        }
        return headers, body


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _user(login: str) -> dict[str, Any]:
    return {"id": sum(login.encode()), "login": login, "firstname": login.title(), "email": login, "vip": False}


def _plain(card: Card) -> dict[str, Any]:
    return {
        "id": card.number,
        "number": str(22_000 + card.number),
        "title": card.title,
        "group_id": GROUPS.index(card.group or "Users") + 1,
        "priority_id": PRIORITIES.index(card.priority) + 1,
        "state_id": 4 if card.closed else 1,
        "organization_id": None,
        "owner_id": 1,
        "customer_id": sum(card.requester.encode()),
        "note": None,
        "article_count": 1 + len(card.comments),
        "escalation_at": card.extra.get("escalation_at"),
        "created_by_id": sum(card.requester.encode()),
        "updated_by_id": sum(card.updated_by.encode()),
        "created_at": _stamp(card.created_at),
        "updated_at": _stamp(card.updated_at),
        "article_ids": [100 * card.number + i for i in range(len(card.comments), -1, -1)],  # the newest first
    }


def _expanded(card: Card) -> dict[str, Any]:
    return {
        **_plain(card),
        "group": card.group or "Users",
        "priority": card.priority,
        "state": "closed" if card.closed else "new",
        "organization": None,
        "owner": "-",
        "customer": card.requester,
        "created_by": card.requester,
        "updated_by": card.updated_by,
        "create_article_type": "web",
        "create_article_sender": "Customer",
    }


def _event(change: Change, card: Card) -> dict[str, Any]:
    """The default payload: relations are objects, but `state` is a name."""
    ticket = {
        **_plain(card),
        "priority": {"id": PRIORITIES.index(card.priority) + 1, "name": card.priority, "active": True},
        "group": {"id": GROUPS.index(card.group or "Users") + 1, "name": card.group or "Users", "active": True},
        "state": "closed" if card.closed else "new",
        "customer": _user(card.requester),
        "created_by": _user(card.requester),
        "updated_by": _user(change.by),
    }
    return {"ticket": ticket, "article": _article(card)}


def _article(card: Card) -> dict[str, Any]:
    if card.comments:
        last = card.comments[-1]
        return {
            "id": 100 * card.number + len(card.comments),
            "ticket_id": card.number,
            "body": last.text,
            "sender": "Agent",
        }
    return _first_article(card)


def _first_article(card: Card) -> dict[str, Any]:
    return {
        "id": 100 * card.number,
        "ticket_id": card.number,
        "subject": card.title,
        "body": card.description,
        "content_type": "text/plain",
        "sender": "Customer",
        "type": "web",
        "internal": False,
        "from": card.requester,
        "attachments": [],
    }


def _show(request: Request, card: Card) -> dict[str, Any]:
    return _expanded(card) if request.get("expand") == "true" else _plain(card)


def _read(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    return Reply(404, {"error": "Couldn't find Ticket"}) if card is None else Reply(200, _show(request, card))


def _unknown(name: str, value: str) -> Reply:
    return Reply(422, {"error": f"No lookup value found for '{name}': \"{value}\"", "error_human": "Unprocessable"})


def _update(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    if card is None:
        return Reply(404, {"error": "Couldn't find Ticket"})
    given = request.json()
    edits: dict[str, Any] = {"title": given["title"]} if "title" in given else {}
    for name, known in (("priority", PRIORITIES), ("group", GROUPS)):
        if f"{name}_id" in given:
            given[name] = known[int(given[f"{name}_id"]) - 1]
        if name in given:
            if given[name] not in known:
                return _unknown(name, given[name])
            edits[name] = given[name]
    if edits.get("group") == "Users" and not card.group:
        del edits["group"]
    if given.get("article", {}).get("body"):
        edits["comment"] = given["article"]["body"]
    board.edit(card.number, request.account, edits)
    return Reply(200, _show(request, card))


def _articles(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    del request
    card = found(board, parts[0])
    if card is None:
        return Reply(404, {"error": "Couldn't find Ticket"})
    return Reply(200, [_first_article(card)])


def _search(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    """`query` in Elasticsearch's words; only ranges of updated_at are understood here."""
    del parts
    query = request.get("query")
    match = re.fullmatch(r"updated_at:(?:\[\s*\"?([^\"\s\]]+)\"?\s+TO\s+\*\s*\]|>=\"?([^\"\s]+)\"?)", query)
    if match is None:
        return Reply(422, {"error": f"the fake does not understand the query {query}"})
    since = datetime.fromisoformat((match[1] or match[2]).replace("\\", ""))
    cards = board.changed_since(since if since.tzinfo else since.replace(tzinfo=UTC))
    if request.get("sort_by") != "updated_at":
        cards.sort(key=lambda card: card.number)
    if request.get("order_by", "desc") == "desc":
        cards.reverse()
    number, size = int(request.get("page", "1")), int(request.get("per_page", request.get("limit", "50")))
    shown, _more = page(cards, number, min(size, 200))
    if request.get("expand") == "true":
        return Reply(200, [_expanded(card) for card in shown])
    assets = {"Ticket": {str(card.number): _plain(card) for card in shown}}
    return Reply(200, {"tickets": [card.number for card in shown], "tickets_count": len(shown), "assets": assets})


_ROUTES: tuple[Route, ...] = (
    ("GET", "/tickets/search", _search),
    ("GET", _TICKET, _read),
    ("PUT", _TICKET, _update),
    ("GET", r"/ticket_articles/by_ticket/(\d+)", _articles),
)
