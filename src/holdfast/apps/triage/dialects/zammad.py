"""Zammad: tickets with a priority of their own and a group; what a write says is an internal note beside them.

Built from documentation: https://docs.zammad.org/en/latest/api/ticket/index.html (update, search, articles) and
https://admin-docs.zammad.org/en/latest/manage/webhook/payload.html (the default payload).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import Ability, Place, Scheme
from holdfast.apps.triage.dialects.markup import plain_text
from holdfast.apps.triage.dialects.replies import decoded, encode, instant, reply_body
from holdfast.apps.triage.marks import explanation_with_mark
from holdfast.apps.triage.task import Event, EventKind, Ignored, Listing, Standing, Task, Values
from holdfast.exchange import Incoming, Outgoing

__all__ = ["Zammad"]

_PAGE = 100
_UNSET = frozenset({"2 normal"})  # `default_create` of a new installation
_UNSET_GROUPS = frozenset({"users"})  # where a new installation puts what nobody has placed
_CLOSED = frozenset({"closed", "merged", "removed"})
_WORDS: Mapping[Priority, str] = {
    Priority.P0: "3 high",
    Priority.P1: "3 high",
    Priority.P2: "2 normal",
    Priority.P3: "1 low",
}
_BANDS = {"3 high": Priority.P0, "2 normal": Priority.P2, "1 low": Priority.P3}


class _Named(msgspec.Struct, frozen=True):
    """A relation: in a delivery an object, in an expanded reply its name."""

    name: str | None = None
    login: str | None = None
    email: str | None = None
    vip: bool = False


_Relation = _Named | str | None


class _Article(msgspec.Struct, frozen=True):
    id: int | None = None
    body: str | None = None
    content_type: str | None = None


class _Ticket(msgspec.Struct, frozen=True):
    id: int
    title: str
    priority: _Relation = None
    group: _Relation = None
    state: _Relation = None
    customer: _Relation = None
    organization: _Relation = None
    updated_by: _Relation = None
    article_ids: tuple[int, ...] = ()
    created_at: str | None = None
    updated_at: str | None = None
    escalation_at: str | None = None


class _Delivery(msgspec.Struct, frozen=True):
    ticket: _Ticket | None = None
    article: _Article | None = None


_DELIVERY = msgspec.json.Decoder(_Delivery)
_TICKET = msgspec.json.Decoder(_Ticket)
_TICKETS = msgspec.json.Decoder(tuple[_Ticket, ...])


class Zammad:
    """See Dialect. A delivery does not say what happened: what changed is found by comparing with what was seen."""

    name = "zammad"
    built_from: Literal["payloads", "documentation"] = "documentation"
    scheme: Scheme = "zammad-sha1"
    ability = Ability()
    words = _WORDS

    def decode(self, headers: Mapping[str, str], body: bytes, place: Place) -> Event | Ignored:  # noqa: ARG002  # Dialect
        """See Dialect."""
        delivery = decoded(_DELIVERY, body, "Zammad delivery")
        ticket, article = delivery.ticket, delivery.article
        if ticket is None:
            return Ignored("not about a ticket")
        # The documentation shows the ids in either order; they grow.
        first = article is not None and min(ticket.article_ids, default=article.id) == article.id
        new = first and len(ticket.article_ids) <= 1 and ticket.created_at == ticket.updated_at
        return Event(
            kind=EventKind.CREATED if new else EventKind.EDITED,
            tasks=(_task(ticket, place, article=article if first else None),),
            by=_name(ticket.updated_by),
            at=instant(ticket.updated_at) or "",
            name="ticket created" if new else "ticket updated",
        )

    def read_request(self, task_id: str, place: Place) -> Outgoing:
        """See Dialect. Expanded: with names instead of numbers; the text is not in it."""
        return Outgoing(method="GET", url=_ticket_url(task_id, place), headers=_headers(place))

    def read_reply(self, reply: Incoming, place: Place) -> Task:
        """See Dialect."""
        return _task(decoded(_TICKET, reply_body(reply, "Zammad ticket"), "Zammad ticket"), place)

    def write_request(self, task: Task, values: Values, place: Place, *, key: str) -> Outgoing:
        """See Dialect. One PUT: priority, group if there is one to say, and the note."""
        body: dict[str, Any] = {
            "priority": place.priorities.get(values.priority, _WORDS[values.priority]),
            "article": {
                "subject": values.reason[:200],
                "body": explanation_with_mark(values, key),
                "content_type": "text/plain",
                "type": "note",
                "internal": True,
            },
        }
        if values.route:
            body["group"] = values.route
        return Outgoing(method="PUT", url=_ticket_url(task.id, place), headers=_headers(place), body=encode(body))

    def list_request(self, since_at: str, cursor: str, place: Place) -> Outgoing:
        """See Dialect. Needs Elasticsearch, as Zammad's own search does. A page begins where the last one ended."""
        query = {
            "query": f'updated_at:["{cursor or since_at}" TO *]',
            "sort_by": "updated_at",
            "order_by": "asc",
            "expand": "true",
            "limit": _PAGE,
        }
        return Outgoing(
            method="GET", url=f"{place.base_url}/tickets/search?{urlencode(query)}", headers=_headers(place)
        )

    def list_reply(self, reply: Incoming, place: Place) -> Listing:
        """See Dialect."""
        tickets = decoded(_TICKETS, reply_body(reply, "Zammad tickets"), "Zammad tickets")
        last = tickets[-1].updated_at if len(tickets) >= _PAGE else None
        return Listing(tuple(_task(one, place) for one in tickets), last or "")


def _task(ticket: _Ticket, place: Place, *, article: _Article | None = None) -> Task:
    customer = ticket.customer
    tier = {"tier": "vip"} if isinstance(customer, _Named) and customer.vip else {}
    metadata = {
        "created_at": instant(ticket.created_at),
        "deadline_at": instant(ticket.escalation_at),
        "requester": {"id": _name(customer), **tier} if _name(customer) else None,
        "organization": _name(ticket.organization) or None,
    }
    return Task(
        id=str(ticket.id),
        title=ticket.title,
        description=_text(article),
        metadata={name: value for name, value in metadata.items() if value is not None},
        standing=_standing(ticket, place),
        revision=ticket.updated_at or "",
        url="",
        closed=_name(ticket.state).casefold() in _CLOSED,
        whole=article is not None,
    )


def _standing(ticket: _Ticket, place: Place) -> Standing:
    word, group = _name(ticket.priority), _name(ticket.group)
    unset = place.unset or _UNSET
    ours = {text.casefold(): band for band, text in place.priorities.items()}
    routes = set(place.routes.values())
    nobody = group.casefold() in _UNSET_GROUPS or group in place.unset
    band = ours.get(word.casefold()) or _BANDS.get(word.casefold())
    return Standing(
        priority=None if word in unset else band,
        raw_priority=word,
        foreign=bool(word) and band is None and word not in unset,
        route="" if nobody and group not in routes else group,
    )


def _text(article: _Article | None) -> str:
    if article is None or article.body is None:
        return ""
    return plain_text(article.body) if "html" in (article.content_type or "") else article.body


def _name(relation: _Relation) -> str:
    if relation is None or isinstance(relation, str):
        return relation or ""
    return relation.name or relation.login or relation.email or ""


def _ticket_url(task_id: str, place: Place) -> str:
    return f"{place.base_url}/tickets/{quote(task_id, safe='')}?expand=true"


def _headers(place: Place) -> dict[str, str]:
    return {"Authorization": f"Token token={place.token}", "Content-Type": "application/json"}
