"""Jira, Cloud and Data Center: issues of a project; priority is a field, the route a label.

Sources: https://developer.atlassian.com/server/jira/platform/webhooks/,
https://developer.atlassian.com/cloud/jira/platform/webhooks/ (signature), and the REST API version 2, which both have:
https://developer.atlassian.com/cloud/jira/platform/rest/v2/.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import Ability, MalformedEvent, Place, Scheme, TrackerRefused
from holdfast.apps.triage.dialects.replies import decoded, encode, instant, reply_body
from holdfast.apps.triage.marks import mark_key
from holdfast.apps.triage.task import Event, EventKind, Ignored, Listing, Mark, Standing, Task, Values
from holdfast.apps.triage.ticket import Attachment
from holdfast.exchange import Incoming, Outgoing

__all__ = ["Jira"]

_PAGE = 100
_PROPERTY = "holdfast"
_FARTHEST_WEST = timedelta(hours=12)  # JQL reads a time in the time zone of the account, which nobody tells us
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,50}-[0-9]{1,18}")
_PROJECT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,50}")
_FIELDS = (
    "summary,description,priority,labels,duedate,created,updated,reporter,issuetype,status,project,components,"
    "attachment"
)
_WORDS: Mapping[Priority, str] = {
    Priority.P0: "Highest",
    Priority.P1: "High",
    Priority.P2: "Medium",
    Priority.P3: "Low",
}
_MEANINGS: Mapping[str, Priority] = {
    "highest": Priority.P0,
    "blocker": Priority.P0,
    "high": Priority.P1,
    "critical": Priority.P1,
    "medium": Priority.P2,
    "major": Priority.P2,
    "low": Priority.P3,
    "lowest": Priority.P3,
    "minor": Priority.P3,
    "trivial": Priority.P3,
}
_UNSET = frozenset({"Medium", "Major"})  # what a new issue has where nobody chose, in the new and the old scheme
_SCORED = frozenset({"summary", "description", "duedate", "labels", "Attachment", "environment", "issuetype"})


class _User(msgspec.Struct, frozen=True):
    name: str | None = None
    accountId: str | None = None  # noqa: N815  # Jira's
    emailAddress: str | None = None  # noqa: N815  # Jira's
    displayName: str | None = None  # noqa: N815  # Jira's


class _Named(msgspec.Struct, frozen=True):
    name: str = ""


class _Category(msgspec.Struct, frozen=True):
    key: str = ""


class _Status(msgspec.Struct, frozen=True):
    statusCategory: _Category | None = None  # noqa: N815  # Jira's


class _Project(msgspec.Struct, frozen=True):
    key: str = ""


class _File(msgspec.Struct, frozen=True):
    filename: str
    mimeType: str | None = None  # noqa: N815  # Jira's


class _Fields(msgspec.Struct, frozen=True):
    summary: str
    description: str | None = None
    priority: _Named | None = None
    labels: tuple[str, ...] | None = None
    duedate: str | None = None
    created: str | None = None
    updated: str | None = None
    reporter: _User | None = None
    issuetype: _Named | None = None
    status: _Status | None = None
    project: _Project | None = None
    components: tuple[_Named, ...] | None = None
    attachment: tuple[_File, ...] | None = None


class _Property(msgspec.Struct, frozen=True):
    """What we left on the issue."""

    decision_id: str
    score: float
    priority: Priority
    route: str
    key: str
    reason: str
    explanation: str


class _Issue(msgspec.Struct, frozen=True):
    key: str
    fields: _Fields
    self: str = ""
    properties: dict[str, msgspec.Raw] = {}


class _Item(msgspec.Struct, frozen=True):
    field: str = ""
    fromString: str | None = None  # noqa: N815  # Jira's
    toString: str | None = None  # noqa: N815  # Jira's


class _Changelog(msgspec.Struct, frozen=True):
    items: tuple[_Item, ...] = ()


class _Delivery(msgspec.Struct, frozen=True):
    webhookEvent: str = ""  # noqa: N815  # Jira's
    user: _User | None = None
    changelog: _Changelog | None = None


class _IssueEvent(msgspec.Struct, frozen=True):
    """What only an issue's delivery has: read once it is known to be one."""

    issue: _Issue


class _Page(msgspec.Struct, frozen=True):
    issues: tuple[_Issue, ...] = ()
    startAt: int = 0  # noqa: N815  # Jira's
    total: int | None = None
    nextPageToken: str | None = None  # noqa: N815  # Jira's


_DELIVERY = msgspec.json.Decoder(_Delivery)
_EVENT = msgspec.json.Decoder(_IssueEvent)
_ISSUE = msgspec.json.Decoder(_Issue)
_SEARCH = msgspec.json.Decoder(_Page)


class Jira:
    """See Dialect."""

    name = "jira"
    built_from: Literal["payloads", "documentation"] = "payloads"
    scheme: Scheme = "jira-sha256"
    ability = Ability()
    words = _WORDS

    def decode(self, headers: Mapping[str, str], body: bytes, place: Place) -> Event | Ignored:  # noqa: ARG002  # Dialect
        """See Dialect."""
        delivery = decoded(_DELIVERY, body, "Jira delivery")
        event = delivery.webhookEvent[:80]
        items = delivery.changelog.items if delivery.changelog is not None else ()
        if event not in ("jira:issue_created", "jira:issue_updated"):
            return Ignored(f"{event or 'an event'}: neither a new nor an edited issue")
        kind = EventKind.CREATED if event == "jira:issue_created" else _kind(items, place)
        if kind is None:
            return Ignored(f"{event}: nothing changed that is scored")
        issue = decoded(_EVENT, body, "Jira issue event").issue
        judged = kind is EventKind.JUDGED
        return Event(
            kind=kind,
            tasks=(_task(issue, place, chosen=judged and any(one.field == "priority" for one in items)),),
            by=_account(delivery.user, place),
            at=instant(issue.fields.updated) or "",
            name=event,
        )

    def read_request(self, task_id: str, place: Place) -> Outgoing:
        """See Dialect."""
        return Outgoing(
            method="GET",
            url=f"{_issue_url(task_id, place)}?fields={_FIELDS}&properties={_PROPERTY}",
            headers=_headers(place),
        )

    def read_reply(self, reply: Incoming, place: Place) -> Task:
        """See Dialect."""
        return _task(decoded(_ISSUE, reply_body(reply, "Jira issue"), "Jira issue"), place)

    def write_request(self, task: Task, values: Values, place: Place, *, key: str) -> Outgoing:
        """See Dialect. The explanation is the issue's property `holdfast`: written twice it is still there once."""
        body: dict[str, object] = {
            "fields": {"priority": {"name": place.priorities.get(values.priority, _WORDS[values.priority])}},
            "properties": [{"key": _PROPERTY, "value": _property(values, key)}],
        }
        if changes := _label_changes(task, values, place):
            body["update"] = {"labels": changes}
        return Outgoing(method="PUT", url=_issue_url(task.id, place), headers=_headers(place), body=encode(body))

    def list_request(self, since_at: str, cursor: str, place: Place) -> Outgoing:
        """See Dialect. Half a day more than was asked for, see `_FARTHEST_WEST`."""
        if not _PROJECT.fullmatch(place.project):
            raise TrackerRefused(f"setting project: expected a project's key, found {place.project[:80]!r}")
        since = datetime.fromisoformat(since_at).astimezone(UTC) - _FARTHEST_WEST
        jql = f'project = "{place.project}" AND updated >= "{since:%Y-%m-%d %H:%M}" ORDER BY updated ASC'
        asked = {"jql": jql, "fields": _FIELDS, "maxResults": _PAGE}
        if cursor:
            asked["nextPageToken" if _is_cloud(place) else "startAt"] = cursor
        path = "search/jql" if _is_cloud(place) else "search"
        url = f"{place.base_url}/rest/api/2/{path}?{urlencode(asked)}"
        return Outgoing(method="GET", url=url, headers=_headers(place))

    def list_reply(self, reply: Incoming, place: Place) -> Listing:
        """See Dialect."""
        page = decoded(_SEARCH, reply_body(reply, "Jira search"), "Jira search")
        seen = page.startAt + len(page.issues)
        more = str(seen) if page.total is not None and page.issues and seen < page.total else ""
        return Listing(tuple(_task(one, place) for one in page.issues), page.nextPageToken or more)


def _kind(items: tuple[_Item, ...], place: Place) -> EventKind | None:
    if any(one.field == "priority" or (one.field == "labels" and _routes_changed(one, place)) for one in items):
        return EventKind.JUDGED
    return EventKind.EDITED if any(one.field in _SCORED for one in items) else None


def _routes_changed(item: _Item, place: Place) -> bool:
    changed = set((item.fromString or "").split()) ^ set((item.toString or "").split())
    return bool(changed & set(place.routes.values()))


def _task(issue: _Issue, place: Place, *, chosen: bool = False) -> Task:
    fields = issue.fields
    if not _KEY.fullmatch(issue.key):
        raise MalformedEvent(f"Jira issue: expected a key such as PROJ-7, found {issue.key[:80]!r}")
    every, routes = fields.labels or (), set(place.routes.values())
    metadata = {
        "created_at": instant(fields.created),
        "deadline_at": instant(fields.duedate),
        "requester": {"id": _name(fields.reporter)} if fields.reporter else None,
        "labels": [one for one in every if one not in routes],
        "issue_type": fields.issuetype.name if fields.issuetype else None,
        "project": fields.project.key if fields.project else None,
        "components": [one.name for one in fields.components or ()],
    }
    files = [one for one in fields.attachment or () if 0 < len(one.filename) <= 1024]  # what a ticket may name
    category = fields.status.statusCategory if fields.status else None
    return Task(
        id=issue.key,
        title=fields.summary,
        description=fields.description or "",
        metadata={name: value for name, value in metadata.items() if value is not None},
        attachments=tuple(
            Attachment(name=one.filename, media_type=(one.mimeType or "application/octet-stream")[:256])
            for one in files
        ),
        standing=_standing(issue, place, chosen=chosen),
        revision=fields.updated or "",
        url=_browse_url(issue),
        closed=category is not None and category.key == "done",
    )


def _standing(issue: _Issue, place: Place, *, chosen: bool) -> Standing:
    fields = issue.fields
    word = fields.priority.name if fields.priority else ""
    unset = {one.casefold() for one in place.unset or _UNSET}
    ours = {text.casefold(): priority for priority, text in place.priorities.items()}
    meaning = ours.get(word.casefold()) or _MEANINGS.get(word.casefold())
    every, routes = fields.labels or (), set(place.routes.values())
    mark = _mark(issue.properties.get(_PROPERTY))
    # The word that stands where nobody chose may have been written by a node: then its mark says so.
    known = chosen or word.casefold() not in unset or (mark is not None and mark.priority == meaning)
    return Standing(
        priority=meaning if known else None,
        raw_priority=word,
        foreign=bool(word) and meaning is None and word.casefold() not in unset,
        route=next((one for one in every if one in routes), ""),
        labels=every,
        mark=mark,
    )


def _mark(value: msgspec.Raw | None) -> Mark | None:
    if value is None:
        return None
    try:
        left = msgspec.json.decode(value, type=_Property)
    except msgspec.DecodeError:  # somebody else's, or an older version's: then it is no mark of ours
        return None
    return Mark(decision_id=left.decision_id, priority=left.priority, route=left.route, key=left.key)


def _property(values: Values, key: str) -> _Property:
    return _Property(
        decision_id=values.decision_id,
        score=values.score,
        priority=values.priority,
        route=values.route,
        key=mark_key(key),
        reason=values.reason,
        explanation=values.explanation,
    )


def _label_changes(task: Task, values: Values, place: Place) -> list[dict[str, str]]:
    """Each label by itself: those a person adds meanwhile stay."""
    wanted = "-".join(values.route.split())  # a label of Jira has no spaces
    if not wanted:
        return []
    ours = {*place.routes.values(), values.former_route} - {wanted}
    gone = [{"remove": one} for one in task.standing.labels if one in ours]
    return gone if wanted in task.standing.labels else [*gone, {"add": wanted}]


def _name(user: _User) -> str:
    return user.name or user.emailAddress or user.accountId or user.displayName or ""


def _account(user: _User | None, place: Place) -> str:
    """The account by whichever of its names the connection knows it, else by the one people read."""
    if user is None:
        return ""
    if any(map(place.is_ours, filter(None, (user.name, user.accountId, user.emailAddress)))):
        return place.account
    return user.displayName or _name(user)


def _browse_url(issue: _Issue) -> str:
    parts = urlsplit(issue.self)
    return f"{parts.scheme}://{parts.netloc}/browse/{issue.key}" if parts.netloc else ""


def _is_cloud(place: Place) -> bool:
    host = urlsplit(place.base_url).hostname or ""
    return host.endswith(".atlassian.net") or host == "api.atlassian.com"


def _issue_url(task_id: str, place: Place) -> str:
    return f"{place.base_url}/rest/api/2/issue/{quote(task_id, safe='')}"


def _headers(place: Place) -> dict[str, str]:
    basic = ":" in place.token  # `address:token` of Cloud; what Data Center calls a personal access token has none
    credentials = b64encode(place.token.encode()).decode() if basic else place.token
    return {
        "Authorization": f"{'Basic' if basic else 'Bearer'} {credentials}",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
