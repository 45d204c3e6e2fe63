"""GitLab: issues of a project; priority and route are labels.

Sources: https://docs.gitlab.com/user/project/integrations/webhook_events/#work-item-events,
https://docs.gitlab.com/user/project/integrations/webhooks/ (signing tokens), https://docs.gitlab.com/api/issues/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, urlencode

import msgspec

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import Ability, MalformedEvent, Place, Scheme
from holdfast.apps.triage.dialects import labels
from holdfast.apps.triage.dialects.replies import decoded, encode, instant, reply_body, safe_path
from holdfast.apps.triage.task import Deed, Event, EventKind, Ignored, Listing, Task, Values
from holdfast.exchange import Incoming, Outgoing

__all__ = ["GitLab"]

_PAGE = 100  # the most it gives
_SCORED = frozenset({"title", "description", "due_date", "severity", "labels"})
"""Changes of an issue that may change its score."""


class _User(msgspec.Struct, frozen=True):
    id: int | None = None
    username: str = ""


class _Label(msgspec.Struct, frozen=True):
    title: str


class _LabelChanges(msgspec.Struct, frozen=True):
    previous: tuple[_Label, ...] | None = None
    current: tuple[_Label, ...] | None = None


class _Project(msgspec.Struct, frozen=True):
    path_with_namespace: str


class _Attributes(msgspec.Struct, frozen=True):
    iid: int
    title: str
    description: str | None = None
    state: str | None = None
    action: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    due_date: str | None = None
    severity: str | None = None
    author_id: int | None = None
    url: str | None = None


class _Delivery(msgspec.Struct, frozen=True):
    object_kind: str = ""
    user: _User | None = None
    project: _Project | None = None
    labels: tuple[_Label, ...] | None = None
    changes: dict[str, msgspec.Raw] | None = None


class _Issue(msgspec.Struct, frozen=True):
    """What only an issue's delivery has: read once it is known to be one."""

    object_attributes: _Attributes


class _References(msgspec.Struct, frozen=True):
    full: str = ""


class _Read(msgspec.Struct, frozen=True):
    """An issue as the API gives it."""

    iid: int
    title: str
    description: str | None = None
    state: str | None = None
    labels: tuple[str, ...] = ()
    author: _User | None = None
    created_at: str | None = None
    updated_at: str | None = None
    due_date: str | None = None
    severity: str | None = None
    web_url: str | None = None
    references: _References = _References()


class _Named(msgspec.Struct, frozen=True):
    name: str


class _Happening(msgspec.Struct, frozen=True):
    action: str = ""
    user: _User | None = None
    label: _Named | None = None
    created_at: str | None = None


_HAPPENINGS = msgspec.json.Decoder(tuple[_Happening, ...])
_DELIVERY = msgspec.json.Decoder(_Delivery)
_ISSUE = msgspec.json.Decoder(_Issue)
_CHANGES = msgspec.json.Decoder(_LabelChanges)
_READ = msgspec.json.Decoder(_Read)
_READS = msgspec.json.Decoder(tuple[_Read, ...])


class GitLab:
    """See Dialect. What a delivery is about is read off its body: the `X-Gitlab-Event` header is not signed."""

    name = "gitlab"
    built_from: Literal["payloads", "documentation"] = "payloads"
    scheme: Scheme = "gitlab"
    ability = Ability()
    words: Mapping[Priority, str] = {}

    def decode(self, headers: Mapping[str, str], body: bytes, place: Place) -> Event | Ignored:  # noqa: ARG002  # Dialect
        """See Dialect."""
        delivery = decoded(_DELIVERY, body, "GitLab delivery")
        if delivery.object_kind != "issue":
            return Ignored(f"{delivery.object_kind[:80] or 'an event'}: not about an issue")
        issue = decoded(_ISSUE, body, "GitLab issue event").object_attributes
        if delivery.project is None:
            raise MalformedEvent("GitLab issue event: expected its project, found none")
        action = (issue.action or "")[:80]
        kind = _kind(action, delivery.changes, place)
        if kind is None:
            return Ignored(f"issue.{action}: neither a new issue nor one whose text or labels changed")
        names = tuple(one.title for one in delivery.labels or ())
        task = _task(
            _Read(
                iid=issue.iid,
                title=issue.title,
                description=issue.description,
                state=issue.state,
                labels=names,
                author=_User(id=issue.author_id),
                created_at=issue.created_at,
                updated_at=issue.updated_at,
                due_date=issue.due_date,
                severity=issue.severity,
                web_url=issue.url,
            ),
            delivery.project.path_with_namespace,
            place,
            latest=_latest(delivery.changes, place),
        )
        by = delivery.user.username if delivery.user else ""
        return Event(kind=kind, tasks=(task,), by=by, at=_instant(issue.updated_at) or "", name=f"issue.{action}")

    def read_request(self, task_id: str, place: Place) -> Outgoing:
        """See Dialect."""
        return Outgoing(method="GET", url=_issue_url(task_id, place), headers=_headers(place))

    def read_reply(self, reply: Incoming, place: Place) -> Task:
        """See Dialect."""
        issue = decoded(_READ, reply_body(reply, "GitLab issue"), "GitLab issue")
        return _task(issue, _project_of(issue), place)

    def write_request(self, task: Task, values: Values, place: Place, *, key: str) -> Outgoing:  # noqa: ARG002  # no use for a key
        """See Dialect. Labels are added and removed by name: those a person adds meanwhile stay."""
        change = labels.change(task, values, place)
        body = {"add_labels": ",".join(change.add), "remove_labels": ",".join(change.remove)}
        said = encode({name: text for name, text in body.items() if text})
        return Outgoing(method="PUT", url=_issue_url(task.id, place), headers=_headers(place), body=said)

    def witness_request(self, task: Task, place: Place) -> Outgoing:
        """See Witness: https://docs.gitlab.com/api/resource_label_events."""
        url = f"{_issue_url(task.id, place)}/resource_label_events?per_page={_PAGE}"
        return Outgoing(method="GET", url=url, headers=_headers(place))

    def witness_reply(self, reply: Incoming) -> Mapping[str, Deed]:
        """See Witness. The oldest come first: of more than a page the last is not known."""
        found = decoded(_HAPPENINGS, reply_body(reply, "GitLab label events"), "GitLab label events")
        if reply.headers.get("x-next-page", ""):
            return {}
        return {
            one.label.name: Deed(one.user.username, _instant(one.created_at) or "")
            for one in found
            if one.action == "add" and one.label is not None and one.user is not None
        }

    def list_request(self, since_at: str, cursor: str, place: Place) -> Outgoing:
        """See Dialect."""
        order = {"order_by": "updated_at", "sort": "asc", "per_page": _PAGE, "page": cursor or "1"}
        query = urlencode({"state": "opened", "scope": "all", "updated_after": since_at, **order})
        project = quote(safe_path(place.project, "setting project"), safe="")
        url = f"{place.base_url}/projects/{project}/issues?{query}"
        return Outgoing(method="GET", url=url, headers=_headers(place))

    def list_reply(self, reply: Incoming, place: Place) -> Listing:
        """See Dialect."""
        issues = decoded(_READS, reply_body(reply, "GitLab issues"), "GitLab issues")
        return Listing(
            tuple(_task(one, _project_of(one), place) for one in issues), reply.headers.get("x-next-page", "")
        )


def _kind(action: str, changes: Mapping[str, msgspec.Raw] | None, place: Place) -> EventKind | None:
    if action == "open":
        return EventKind.CREATED
    if action != "update":
        return None
    if changes is None:
        return EventKind.EDITED
    if any(labels.is_judgement(name, place) for name in _changed_labels(changes)):
        return EventKind.JUDGED
    return EventKind.EDITED if _SCORED & changes.keys() else None


def _changed_labels(changes: Mapping[str, msgspec.Raw] | None) -> set[str]:
    before, after = _label_sets(changes)
    return before ^ after


def _latest(changes: Mapping[str, msgspec.Raw] | None, place: Place) -> str:
    before, after = _label_sets(changes)
    return next((one for one in sorted(after - before) if labels.is_judgement(one, place)), "")


def _label_sets(changes: Mapping[str, msgspec.Raw] | None) -> tuple[set[str], set[str]]:
    if not changes or "labels" not in changes:
        return set(), set()
    change = decoded(_CHANGES, bytes(changes["labels"]), "GitLab label change")
    return {one.title for one in change.previous or ()}, {one.title for one in change.current or ()}


def _task(issue: _Read, project: str, place: Place, *, latest: str = "") -> Task:
    severity = (issue.severity or "").lower()
    metadata = {
        "created_at": _instant(issue.created_at),
        "deadline_at": _instant(issue.due_date),
        # By number: a delivery about an edit names its author in no other way.
        "requester": {"id": str(issue.author.id)} if issue.author and issue.author.id is not None else None,
        "labels": labels.metadata_labels(issue.labels, place),
        "repository": project,
        "severity": severity if severity != "unknown" else None,
    }
    return Task(
        id=f"{safe_path(project, 'GitLab project')}#{issue.iid}",
        title=issue.title,
        description=issue.description or "",
        metadata={name: value for name, value in metadata.items() if value},
        standing=labels.standing(issue.labels, place, latest=latest),
        revision=issue.updated_at or "",
        url=issue.web_url or "",
        closed=issue.state == "closed",
    )


def _instant(text: str | None) -> str | None:
    """Deliveries of older versions say `2017-09-15 16:50:55 UTC`."""
    return instant(text.replace(" UTC", "Z") if text else None)


def _project_of(issue: _Read) -> str:
    """`group/project#23` -> `group/project`."""
    return issue.references.full.rpartition("#")[0]


def _issue_url(task_id: str, place: Place) -> str:
    project, _, number = task_id.rpartition("#")
    path = quote(safe_path(project, "task id"), safe="")
    return f"{place.base_url}/projects/{path}/issues/{quote(number, safe='')}"


def _headers(place: Place) -> dict[str, str]:
    return {"PRIVATE-TOKEN": place.token, "Accept": "application/json", "Content-Type": "application/json"}
