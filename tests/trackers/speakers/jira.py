"""Jira: https://developer.atlassian.com/server/jira/platform/rest (2) and …/webhooks; Cloud's search/jql too."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from tests.trackers import signing
from tests.trackers.board import Board, Card, Change
from tests.trackers.speakers.speaker import TOKEN
from tests.trackers.wire import Reply, Request, Route, answer, basic, found

__all__ = ["Jira"]

PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
_API = r"/rest/api/[23]"
_ISSUE = _API + r"/issue/(?:SHOP-)?(\d+)"
_MISSING = {"errorMessages": ["Issue Does Not Exist"], "errors": {}}


class Jira:
    """No If-Match, no idempotency key; priorities are names of a fixed list; a field is in `fields` or in `update`."""

    name = "jira"
    default_priority = "Medium"
    prefix = ""
    conditional = False
    idempotent = False

    def api(self, request: Request, board: Board) -> Reply:
        bearer = request.headers.get("authorization") == f"Bearer {TOKEN}"
        if not bearer and basic(request.headers).partition(":")[2] != TOKEN:
            return Reply(401, {"message": "Client must be authenticated to access this resource.", "status-code": 401})
        return answer(_ROUTES, request, board, missing=_MISSING)

    def number(self, request: Request) -> int | None:
        match = re.match(_ISSUE, request.path)
        return int(match[1]) if match else None

    def task_id(self, card: Card) -> str:
        return f"SHOP-{card.number}"

    def delivery(self, change: Change, card: Card, secret: str) -> tuple[dict[str, str], bytes]:
        body = json.dumps(_event(change, card)).encode()
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "X-Atlassian-Webhook-Identifier": f"{card.number}-{card.version}",
            "User-Agent": "Atlassian HttpClient 4.2.0 / JIRA-9.12.2 (9120002) / Default",
            **signing.jira(secret, body),
        }
        return headers, body


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"


def _user(name: str) -> dict[str, Any]:
    return {"name": name, "accountId": f"99:{name}", "displayName": name.title(), "active": True}


def _issue(card: Card) -> dict[str, Any]:
    priority = {"name": card.priority, "id": str(PRIORITIES.index(card.priority) + 1)} if card.priority else None
    return {
        "id": str(10_000 + card.number),
        "key": f"SHOP-{card.number}",
        "self": f"https://jira.example/rest/api/2/issue/{10_000 + card.number}",
        "fields": {
            "summary": card.title,
            "description": card.description or None,
            "priority": priority,
            "labels": sorted(card.labels),
            "status": {
                "name": "Done" if card.closed else "To Do",
                "statusCategory": {"key": "done" if card.closed else "new"},
            },
            "issuetype": {"id": "1", "name": "Bug", "subtask": False},
            "project": {"id": "10000", "key": "SHOP", "name": "Shop"},
            "reporter": _user(card.requester),
            "creator": _user(card.requester),
            "assignee": None,
            "created": _stamp(card.created_at),
            "updated": _stamp(card.updated_at),
            "duedate": card.extra.get("due_date"),
            "resolution": None,
            "components": [],
            "attachment": [],
        },
    }


def _event(change: Change, card: Card) -> dict[str, Any]:
    event: dict[str, Any] = {
        "timestamp": int(change.at.timestamp() * 1000),
        "webhookEvent": "jira:issue_created" if change.created else "jira:issue_updated",
        "issue_event_type_name": "issue_created" if change.created else "issue_updated",
        "user": _user(change.by),
        "issue": _issue(card),
    }
    if not change.created:
        event["changelog"] = {"id": str(10_100 + card.version), "items": _items(change)}
    return event


def _items(change: Change) -> list[dict[str, Any]]:
    words = {"title": "summary", "description": "description", "priority": "priority", "labels": "labels"}
    items = []
    for name, (before, after) in change.fields.items():
        if name in words:
            old, new = (" ".join(one) if isinstance(one, list) else one for one in (before, after))
            items.append({"field": words[name], "fieldtype": "jira", "fromString": old, "toString": new})
    return items


def _read(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    return Reply(200, {**_asked(request.get("fields"), _issue(card)), **_properties(request.get("properties"), card)})


def _asked(names: str, issue: dict[str, Any]) -> dict[str, Any]:
    """`fields` leaves out what was not asked for."""
    shown = {n: v for n, v in issue["fields"].items() if not names or names == "*all" or n in names.split(",")}
    return {**issue, "fields": shown}


def _properties(names: str, card: Card) -> dict[str, Any]:
    kept = card.extra.get("properties", {})
    return {"properties": {n: v for n, v in kept.items() if n in names.split(",")}} if names else {}


def _update(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    given = request.json()
    fields, update = given.get("fields", {}), given.get("update", {})
    both = set(fields) & set(update)
    if both:
        return Reply(400, {"errorMessages": [f"Field '{min(both)}' cannot appear in both 'fields' and 'update'"]})
    unknown = (set(fields) | set(update)) - {"summary", "description", "priority", "labels", "comment", "duedate"}
    if unknown:
        why = {
            name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown." for name in unknown
        }
        return Reply(400, {"errorMessages": [], "errors": why})
    edits, wrong = _edits(card, fields, update)
    if given.get("properties"):
        kept = {one["key"]: one["value"] for one in given["properties"]}
        edits["extra"] = {"properties": {**card.extra.get("properties", {}), **kept}}
    if wrong:
        return Reply(400, {"errorMessages": [], "errors": wrong})
    board.edit(card.number, request.account, edits)
    return Reply(204)


def _edits(card: Card, fields: dict[str, Any], update: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    edits: dict[str, Any] = {}
    for theirs, ours in (("summary", "title"), ("description", "description"), ("labels", "labels")):
        if theirs in fields:
            edits[ours] = fields[theirs]
    sets = [one["set"] for one in update.get("priority", ()) if "set" in one]
    for value in [*sets, *([fields["priority"]] if "priority" in fields else [])]:
        name = value.get("name") or PRIORITIES[int(value["id"]) - 1]
        if name not in PRIORITIES:
            return {}, {"priority": "The priority selected is invalid."}
        edits["priority"] = name
    for one in update.get("labels", ()):
        now = edits.get("labels", list(card.labels))
        now = list(one["set"]) if "set" in one else now
        now = [*now, one["add"]] if "add" in one else now
        edits["labels"] = [name for name in now if name != one.get("remove")]
    if any(" " in name for name in edits.get("labels", ())):
        return {}, {"labels": "The label contains spaces which is invalid."}
    for one in update.get("comment", ()):
        edits["comment"] = one["add"]["body"]
    return edits, {}


def _comment(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    card = found(board, parts[0])
    if card is None:
        return Reply(404, _MISSING)
    board.edit(card.number, request.account, {"comment": request.json()["body"]})
    return Reply(201, {"id": str(len(card.comments)), "body": card.comments[-1].text})


def _search(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    """JQL `project = SHOP AND updated >= "yyyy/MM/dd HH:mm" ORDER BY updated ASC`; times have minutes only."""
    given = request.json() if request.method == "POST" else {k: v[0] for k, v in request.query.items()}
    jql = str(given.get("jql", ""))
    where, _, order = jql.partition(" ORDER BY ") if " ORDER BY " in jql else jql.partition(" order by ")
    since = datetime.fromtimestamp(0, UTC)
    for clause in filter(None, re.split(r"\s+AND\s+", where, flags=re.IGNORECASE)):
        match = re.fullmatch(r'(project|updated)\s*(=|>=)\s*"?([^"]+)"?', clause.strip())
        if match is None or (match[1] == "project" and match[3] not in {"SHOP", "10000"}):
            return Reply(400, {"errorMessages": [f"Error in the JQL Query: {clause}"], "errors": {}})
        if match[1] == "updated":
            stamp = re.fullmatch(r"(\d{4})[-/](\d\d)[-/](\d\d)(?: (\d\d):(\d\d))?", match[3])
            if stamp is None:
                return Reply(400, {"errorMessages": [f"Date value '{match[3]}' for field 'updated' is invalid."]})
            since = datetime(*(int(part or 0) for part in stamp.groups()), tzinfo=UTC)  # type: ignore[misc]  # five numbers
    cards = board.changed_since(since)
    if "desc" in order.lower() or not order:
        cards.reverse()
    return _page(given, cards, token=bool(parts))


def _page(given: dict[str, Any], cards: list[Card], *, token: bool) -> Reply:
    size = min(int(given.get("maxResults", 50)), 100)
    start = int(given.get("nextPageToken") or 0) if token else int(given.get("startAt", 0))
    shown = [_issue(card) for card in cards[start : start + size]]
    if not token:
        return Reply(200, {"startAt": start, "maxResults": size, "total": len(cards), "issues": shown})
    more = start + size < len(cards)
    return Reply(200, {"issues": shown, "isLast": not more, **({"nextPageToken": str(start + size)} if more else {})})


_ROUTES: tuple[Route, ...] = (
    ("GET", _ISSUE, _read),
    ("PUT", _ISSUE, _update),
    ("POST", _ISSUE + "/comment", _comment),
    ("GET", _API + "/search", _search),
    ("POST", _API + "/search", _search),
    ("GET", _API + "/search/(jql)", _search),
    ("POST", _API + "/search/(jql)", _search),
)
