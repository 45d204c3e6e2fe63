"""OTOBO: the generic interface's ticket operations over REST, from the POD of its sources."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from tests.trackers import signing
from tests.trackers.board import Board, Card, Change
from tests.trackers.speakers.speaker import TOKEN
from tests.trackers.wire import Reply, Request, Route, answer, found

__all__ = ["Otobo"]

USER = "holdfast-bot"
PRIORITIES = ("1 very low", "2 low", "3 normal", "4 high", "5 very high")
QUEUES = ("Raw", "Hardware", "Access", "Purchase", "Storage", "HR Support")
_TICKET = r"/Ticket/(\d+)"


class Otobo:
    """Every error is 200 with an `Error` in it; search gives ids only; times are the server's, without zone."""

    name = "otobo"
    default_priority = "3 normal"
    prefix = "/otobo/nph-genericinterface.pl/Webservice/GenericTicketConnectorREST"
    conditional = False
    idempotent = False

    def api(self, request: Request, board: Board) -> Reply:
        return answer(_ROUTES, request, board, missing={"Error": {"ErrorMessage": "no such operation"}})

    def number(self, request: Request) -> int | None:
        match = re.match(_TICKET, request.path)
        return int(match[1]) if match else None

    def task_id(self, card: Card) -> str:
        return str(card.number)

    def delivery(self, change: Change, card: Card, secret: str) -> tuple[dict[str, str], bytes]:
        """The invoker Ticket::TicketCreate or TicketUpdate, its RequestTicketFields with TicketID and Changed added."""
        body = json.dumps(_event(change, card)).encode()
        headers = {"Content-Type": "application/json; charset=UTF-8", **signing.bearer(secret, body)}
        return headers, body


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _ticket(card: Card) -> dict[str, Any]:
    return {
        "TicketID": card.number,
        "TicketNumber": f"20261121{card.number:08d}",
        "Title": card.title,
        "Queue": card.group or "Raw",
        "QueueID": QUEUES.index(card.group or "Raw") + 1,
        "Priority": card.priority,
        "PriorityID": PRIORITIES.index(card.priority) + 1,
        "State": "closed successful" if card.closed else "new",
        "StateType": "closed" if card.closed else "new",
        "Type": "Unclassified",
        "Lock": "unlock",
        "Owner": "root@localhost",
        "CustomerUserID": card.requester,
        "CustomerID": "acme",
        "Created": _stamp(card.created_at),
        "CreateBy": 1,
        "Changed": _stamp(card.updated_at),
        "ChangeBy": sum(card.updated_by.encode()),
        "EscalationTime": 0,
    }


def _event(change: Change, card: Card) -> dict[str, Any]:
    fields = ("TicketID", "TicketNumber", "Title", "Queue", "Type", "State", "Priority", "Owner", "Created", "Changed")
    ticket = {name: value for name, value in _ticket(card).items() if name in fields}
    words = {"priority": "TicketPriorityUpdate", "group": "TicketQueueUpdate", "title": "TicketTitleUpdate"}
    event = "TicketCreate" if change.created else next((words[n] for n in change.fields if n in words), "ArticleCreate")
    article = _articles(card)[-1 if "comment" in change.fields else 0]
    return {"Event": event, "Ticket": {**ticket, "CustomerUser": card.requester}, "Article": article}


def _articles(card: Card) -> list[dict[str, Any]]:
    first = {
        "ArticleID": 1,
        "Subject": card.title,
        "Body": card.description,
        "SenderType": "customer",
        "From": card.requester,
    }
    later = [
        {"ArticleID": 2 + i, "Subject": "note", "Body": one.text, "SenderType": "agent", "From": one.by}
        for i, one in enumerate(card.comments)
    ]
    shape = {"ContentType": "text/plain; charset=utf8", "MimeType": "text/plain", "Charset": "utf8"}
    return [{**one, **shape} for one in [first, *later]]


def _error(operation: str, code: str, message: str) -> Reply:
    return Reply(200, {"Error": {"ErrorCode": f"{operation}.{code}", "ErrorMessage": f"{operation}: {message}"}})


def _may(given: dict[str, Any]) -> bool:
    return (given.get("UserLogin") == USER and given.get("Password") == TOKEN) or given.get("SessionID") == f"S{TOKEN}"


def _params(request: Request) -> dict[str, Any]:
    return {name: values[0] for name, values in request.query.items()}


def _session(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    del board, parts
    if not _may(request.json()):
        return _error("SessionCreate", "AuthFail", "Authorization failing!")
    return Reply(200, {"SessionID": f"S{TOKEN}"})


def _read(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    given = _params(request)
    if not _may(given):
        return _error("TicketGet", "AuthFail", "Authorization failing!")
    card = found(board, parts[0])
    if card is None:
        return _error("TicketGet", "AccessDenied", "User does not have access to the ticket!")
    articles = {"Article": _articles(card)} if given.get("AllArticles") == "1" else {}
    return Reply(200, {"Ticket": [{**_ticket(card), **articles}]})


def _update(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    given = request.json()
    if not _may(given):
        return _error("TicketUpdate", "AuthFail", "User could not be authenticated!")
    card = found(board, parts[0])
    if card is None:
        return _error("TicketUpdate", "AccessDenied", "User does not have access to the ticket!")
    wrong = _wrong_ticket(given.get("Ticket", {})) or _wrong_article(given.get("Article"))
    if wrong is not None:
        return wrong
    words = {"Priority": "priority", "Queue": "group", "Title": "title"}
    edits = {words[name]: value for name, value in given.get("Ticket", {}).items() if name in words}
    if given.get("Article"):
        edits["comment"] = given["Article"]["Body"]
    board.edit(card.number, request.account, edits)
    return Reply(200, {"TicketID": card.number, "TicketNumber": _ticket(card)["TicketNumber"]})


def _wrong_ticket(wanted: dict[str, Any]) -> Reply | None:
    for name, known in (("Priority", PRIORITIES), ("Queue", QUEUES)):
        if name in wanted and wanted[name] not in known:
            why = f"Ticket->{name}ID or Ticket->{name} parameter is invalid!"
            return _error("TicketUpdate", "InvalidParameter", why)
    return None


def _wrong_article(article: dict[str, Any] | None) -> Reply | None:
    if article is None:
        return None
    needed = (
        ("Subject", article.get("Subject")),
        ("Body", article.get("Body")),
        ("CommunicationChannel", article.get("CommunicationChannel") or article.get("CommunicationChannelID")),
        ("ContentType", article.get("ContentType") or (article.get("MimeType") and article.get("Charset"))),
    )
    missing = [name for name, value in needed if not value]
    return (
        _error("TicketUpdate", "MissingParameter", f"Article->{missing[0]} parameter is missing!") if missing else None
    )


def _search(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
    """At most 500 by default; no key at all when nothing was found."""
    del parts
    given = _params(request)
    if not _may(given):
        return _error("TicketSearch", "AuthFail", "Authorization failing!")
    stamp = given.get("TicketLastChangeTimeNewerDate", "1970-01-01 00:00:00")
    since = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    cards = board.changed_since(since)
    if given.get("SortBy", "Age") != "Changed":
        cards.sort(key=lambda card: card.number)
    if given.get("OrderBy", "Down") == "Down":
        cards.reverse()
    ids = [str(card.number) for card in cards[: int(given.get("Limit", "500"))]]
    return Reply(200, {"TicketID": ids} if ids else {})


_ROUTES: tuple[Route, ...] = (
    ("POST", "/Session", _session),
    ("GET", _TICKET, _read),
    ("PATCH", _TICKET, _update),
    ("GET", "/Ticket", _search),
)
