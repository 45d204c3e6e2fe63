"""OTOBO (and OTRS 6): the generic interface's ticket operations over REST; what a write says is an internal article.

Built from documentation: the POD of Kernel/GenericInterface/Operation/Ticket/{TicketGet,TicketUpdate,TicketSearch}.pm,
the web service GenericTicketConnectorREST that comes with it, and the ticket invoker's description. Every error is an
answer of 200 with an `Error` in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import Ability, MalformedEvent, Place, Scheme, TaskGone, TrackerRefused
from holdfast.apps.triage.dialects.markup import plain_text
from holdfast.apps.triage.dialects.replies import decoded, encode, instant, reply_body
from holdfast.apps.triage.marks import explanation_with_mark, read_mark
from holdfast.apps.triage.task import Event, EventKind, Ignored, Listing, Mark, Standing, Task, Values
from holdfast.exchange import Incoming, Outgoing

__all__ = ["Otobo"]

_MOST_LISTED = 5000  # it has no pages: one answer, and what is beyond it comes with the next asking
_UNSET = frozenset({"3 normal"})
_UNSET_QUEUES = frozenset({"raw", "postmaster", "misc"})  # those of a new installation
_WORDS: Mapping[Priority, str] = {
    Priority.P0: "5 very high",
    Priority.P1: "4 high",
    Priority.P2: "3 normal",
    Priority.P3: "2 low",
}
_BANDS = {**{word: band for band, word in _WORDS.items()}, "1 very low": Priority.P3}
_CHOSEN = "TicketPriorityUpdate"
_KINDS: Mapping[str, EventKind] = {
    "TicketCreate": EventKind.CREATED,
    "TicketTitleUpdate": EventKind.EDITED,
    "TicketCustomerUpdate": EventKind.EDITED,
    _CHOSEN: EventKind.JUDGED,
    "TicketQueueUpdate": EventKind.JUDGED,
}


class _Article(msgspec.Struct, frozen=True, rename="pascal"):
    body: str | None = None
    content_type: str | None = None
    sender_type: str | None = None


class _Ticket(msgspec.Struct, frozen=True, rename="pascal"):
    ticket_id: int | str | None = msgspec.field(default=None, name="TicketID")
    title: str | None = None
    queue: str | None = None
    priority: str | None = None
    state_type: str | None = None
    state: str | None = None
    customer_user: str | None = None
    customer_user_id: str | None = msgspec.field(default=None, name="CustomerUserID")
    service: str | None = None
    created: str | None = None
    changed: str | None = None
    article: tuple[_Article, ...] | _Article = ()


class _Delivery(msgspec.Struct, frozen=True, rename="pascal"):
    ticket: _Ticket | None = None
    article: tuple[_Article, ...] | _Article = ()
    event: str | None = None


class _Error(msgspec.Struct, frozen=True, rename="pascal"):
    error_code: str = ""
    error_message: str = ""


class _Reply(msgspec.Struct, frozen=True, rename="pascal"):
    error: _Error | None = None
    ticket: tuple[_Ticket, ...] = ()


class _Found(msgspec.Struct, frozen=True, rename="pascal"):
    error: _Error | None = None
    ticket_id: tuple[int | str, ...] | int | str = msgspec.field(default=(), name="TicketID")


_DELIVERY = msgspec.json.Decoder(_Delivery)
_REPLY = msgspec.json.Decoder(_Reply)
_FOUND = msgspec.json.Decoder(_Found)


class Otobo:
    """See Dialect. It neither signs nor says who acted: deliveries prove themselves by a token in a header."""

    name = "otobo"
    built_from: Literal["payloads", "documentation"] = "documentation"
    scheme: Scheme = "bearer"
    ability = Ability()
    words = _WORDS

    def decode(self, headers: Mapping[str, str], body: bytes, place: Place) -> Event | Ignored:  # noqa: ARG002  # Dialect
        """See Dialect. Without `Event` a delivery is taken for an edit, and compared with what was seen."""
        delivery = decoded(_DELIVERY, body, "OTOBO delivery")
        if delivery.ticket is None:
            return Ignored("not about a ticket")
        name = delivery.event or "TicketUpdate"
        kind = _KINDS.get(name, EventKind.EDITED if delivery.event is None else None)
        if kind is None:
            return Ignored(f"{name[:80]}: neither a new ticket nor a change of what is scored")
        articles = _articles(delivery.ticket) or _every(delivery.article)
        # Only of a new ticket is it sure that the article is the first one, the request itself.
        whole = kind is EventKind.CREATED or bool(_articles(delivery.ticket))
        task = _task(delivery.ticket, articles, place, whole=whole)
        if name == _CHOSEN:
            task = replace(task, standing=_as_chosen(task.standing, place))
        return Event(kind=kind, tasks=(task,), name=name)

    def read_request(self, task_id: str, place: Place) -> Outgoing:
        """See Dialect. TicketGet; with all articles, of which the first is the request and one may bear our mark."""
        query = urlencode({**_login(place), "AllArticles": "1"})
        return Outgoing(method="GET", url=f"{_ticket_url(task_id, place)}?{query}", headers=_HEADERS)

    def read_reply(self, reply: Incoming, place: Place) -> Task:
        """See Dialect."""
        found = decoded(_REPLY, reply_body(reply, "OTOBO ticket"), "OTOBO ticket")
        _raise(found.error)
        if not found.ticket:
            raise MalformedEvent("OTOBO ticket: expected one Ticket, found none")
        articles = _articles(found.ticket[0])
        return _task(found.ticket[0], articles, place, whole=bool(articles))

    def write_request(self, task: Task, values: Values, place: Place, *, key: str) -> Outgoing:
        """See Dialect. TicketUpdate: priority, queue if there is one to say, and the internal article."""
        ticket = {"Priority": place.priorities.get(values.priority, _WORDS[values.priority])}
        if values.route:
            ticket["Queue"] = values.route
        article = {
            "Subject": values.reason[:200],
            "Body": explanation_with_mark(values, key),
            "ContentType": "text/plain; charset=utf8",
            "CommunicationChannel": "Internal",
            "SenderType": "agent",
            "IsVisibleForCustomer": 0,
            "NoAgentNotify": 1,
        }
        body: dict[str, Any] = {**_login(place), "Ticket": ticket, "Article": article}
        return Outgoing(method="PATCH", url=_ticket_url(task.id, place), headers=_HEADERS, body=encode(body))

    def list_request(self, since_at: str, cursor: str, place: Place) -> Outgoing:  # noqa: ARG002  # it has no pages
        """See Dialect. TicketSearch; its times are the server's, which OTOBO keeps in UTC."""
        since = datetime.fromisoformat(since_at).astimezone(UTC)
        query = {
            **_login(place),
            "TicketLastChangeTimeNewerDate": f"{since:%Y-%m-%d %H:%M:%S}",
            "SortBy": "Changed",
            "OrderBy": "Up",
            "Limit": _MOST_LISTED,
        }
        return Outgoing(method="GET", url=f"{place.base_url}/Ticket?{urlencode(query)}", headers=_HEADERS)

    def list_reply(self, reply: Incoming, place: Place) -> Listing:  # noqa: ARG002  # Dialect
        """See Dialect. It names tickets and shows nothing of them."""
        found = decoded(_FOUND, reply_body(reply, "OTOBO tickets"), "OTOBO tickets")
        _raise(found.error)
        ids = found.ticket_id if isinstance(found.ticket_id, tuple) else (found.ticket_id,)
        return Listing(tuple(Task(id=_id(one), title="", whole=False) for one in ids))


_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


def _raise(error: _Error | None) -> None:
    """Raise what `error` means. Raises TaskGone, TrackerRefused."""
    if error is None:
        return
    said = f"OTOBO: {error.error_code[:80]}: {error.error_message[:200]}"
    if error.error_code.endswith((".AccessDenied", ".NotFound")):
        raise TaskGone(f"{said}; it has the ticket no more, or not for this account")
    raise TrackerRefused(said)


def _task(ticket: _Ticket, articles: tuple[_Article, ...], place: Place, *, whole: bool) -> Task:
    if ticket.ticket_id is None or ticket.title is None:
        raise MalformedEvent("OTOBO ticket: expected TicketID and Title, found not both; add them to the invoker")
    customer = ticket.customer_user or ticket.customer_user_id
    metadata = {
        "created_at": instant(ticket.created),
        "requester": {"id": customer} if customer else None,
        "service": ticket.service,
    }
    return Task(
        id=_id(ticket.ticket_id),
        title=ticket.title,
        description=_text(articles[0]) if articles and whole else "",
        metadata={name: value for name, value in metadata.items() if value},
        standing=_standing(ticket, articles, place),
        revision=ticket.changed or "",
        closed=(ticket.state_type or (ticket.state or "").partition(" ")[0]) in {"closed", "merged", "removed"},
        whole=whole,
    )


def _standing(ticket: _Ticket, articles: tuple[_Article, ...], place: Place) -> Standing:
    word, queue = ticket.priority or "", ticket.queue or ""
    unset = place.unset or _UNSET
    mark = _mark(articles)
    ours_stands = mark is not None and place.priorities.get(mark.priority, _WORDS[mark.priority]) == word
    nobody = (queue.casefold() in _UNSET_QUEUES or queue in place.unset) and queue not in place.routes.values()
    band = _band(word, place)
    priority = None if word in unset else band
    return Standing(
        priority=mark.priority if mark is not None and ours_stands else priority,
        raw_priority=word,
        foreign=bool(word) and band is None and word not in unset,
        route="" if nobody else queue,
        mark=mark,
    )


def _as_chosen(standing: Standing, place: Place) -> Standing:
    """Return the standing of a ticket whose priority was just changed: the word that nobody chooses was chosen now."""
    return replace(standing, priority=_band(standing.raw_priority, place))


def _band(word: str, place: Place) -> Priority | None:
    ours = {text.casefold(): band for band, text in place.priorities.items()}
    return ours.get(word.casefold()) or _BANDS.get(word.casefold())


def _mark(articles: tuple[_Article, ...]) -> Mark | None:
    """The last mark under an agent's article: what a customer wrote proves nothing."""
    marks = (read_mark(one.body) for one in reversed(articles) if one.sender_type == "agent")
    return next((one for one in marks if one is not None), None)


def _articles(ticket: _Ticket) -> tuple[_Article, ...]:
    return _every(ticket.article)


def _every(found: tuple[_Article, ...] | _Article) -> tuple[_Article, ...]:
    return found if isinstance(found, tuple) else (found,)


def _text(article: _Article) -> str:
    body = article.body or ""
    return plain_text(body) if "html" in (article.content_type or "") else body


def _id(found: int | str) -> str:
    text = str(found)
    if not text.isdecimal():
        raise MalformedEvent(f"OTOBO ticket: expected a number as TicketID, found {text[:40]!r}")
    return text


def _login(place: Place) -> dict[str, str]:
    """`user:password` of the token file."""
    user, _, password = place.token.partition(":")
    return {"UserLogin": user, "Password": password}


def _ticket_url(task_id: str, place: Place) -> str:
    return f"{place.base_url}/Ticket/{quote(task_id, safe='')}"
