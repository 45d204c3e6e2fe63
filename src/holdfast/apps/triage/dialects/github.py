"""GitHub: issues of a repository; priority and route are labels.

Sources: https://docs.github.com/en/webhooks/webhook-events-and-payloads#issues,
https://docs.github.com/en/rest/issues/issues and …/labels (API version 2022-11-28).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import Ability, MalformedEvent, Place, Scheme
from holdfast.apps.triage.dialects import forge, labels
from holdfast.apps.triage.dialects.replies import decoded, instant, next_page, reply_body, safe_path
from holdfast.apps.triage.task import Deed, Event, EventKind, Ignored, Listing, Task, Values
from holdfast.exchange import Incoming, Outgoing

__all__ = ["GitHub"]

_PAGE = 100  # the most it gives


class _Issue(msgspec.Struct, frozen=True):
    number: int
    title: str
    body: str | None = None
    state: str = ""
    labels: tuple[forge.Label, ...] = ()
    user: forge.User | None = None
    author_association: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    html_url: str | None = None
    repository_url: str | None = None
    pull_request: forge.Present | None = None


class _Delivery(msgspec.Struct, frozen=True):
    action: str = ""
    zen: str | None = None
    issue: _Issue | None = None
    comment: forge.Present | None = None
    label: forge.Label | None = None
    repository: forge.Repository | None = None
    sender: forge.User | None = None


class _Happening(msgspec.Struct, frozen=True):
    event: str = ""
    actor: forge.User | None = None
    label: forge.Label | None = None
    created_at: str | None = None


_HAPPENINGS = msgspec.json.Decoder(tuple[_Happening, ...])
_DELIVERY = msgspec.json.Decoder(_Delivery)
_ISSUE = msgspec.json.Decoder(_Issue)
_ISSUES = msgspec.json.Decoder(tuple[_Issue, ...])


class GitHub:
    """See Dialect. What a delivery is about is read off its body: the `X-GitHub-Event` header is not signed."""

    name = "github"
    built_from: Literal["payloads", "documentation"] = "payloads"
    scheme: Scheme = "github-sha256"
    ability = Ability()
    words: Mapping[Priority, str] = {}

    def decode(self, headers: Mapping[str, str], body: bytes, place: Place) -> Event | Ignored:  # noqa: ARG002  # Dialect
        """See Dialect."""
        delivery = decoded(_DELIVERY, body, "GitHub delivery")
        issue, action = delivery.issue, delivery.action[:80]
        if delivery.zen is not None:
            return Ignored("ping: the webhook works")
        if issue is None:
            return Ignored(f"{action or 'an event'}: not about an issue")
        if (elsewhere := forge.nothing_scored(action, issue, delivery.comment)) is not None:
            return elsewhere
        if delivery.repository is None:
            raise MalformedEvent("GitHub delivery: expected a repository beside the issue, found none")
        changed = delivery.label.name if delivery.label is not None else ""
        kind = _kind(action, changed, place)
        if kind is None:
            return Ignored(f"issues.{action}: neither a new issue nor one whose text or labels changed")
        latest = changed if action == "labeled" else ""
        return Event(
            kind=kind,
            tasks=(_task(issue, delivery.repository.full_name, place, latest=latest),),
            by=delivery.sender.login if delivery.sender else "",
            at=instant(issue.updated_at) or "",
            name=f"issues.{action}",
        )

    def read_request(self, task_id: str, place: Place) -> Outgoing:
        """See Dialect."""
        return Outgoing(method="GET", url=forge.issue_url(task_id, place), headers=_headers(place))

    def read_reply(self, reply: Incoming, place: Place) -> Task:
        """See Dialect."""
        issue = decoded(_ISSUE, reply_body(reply, "GitHub issue"), "GitHub issue")
        return _task(issue, _repository_of(issue), place, etag=reply.headers.get("etag", ""))

    def write_request(self, task: Task, values: Values, place: Place, *, key: str) -> Outgoing:  # noqa: ARG002  # no use for a key
        """See Dialect."""
        return forge.label_request(task, values, place, headers=_headers(place))

    def witness_request(self, task: Task, place: Place) -> Outgoing:
        """See Witness: https://docs.github.com/en/rest/issues/events."""
        url = f"{forge.issue_url(task.id, place)}/events?per_page={_PAGE}"
        return Outgoing(method="GET", url=url, headers=_headers(place))

    def witness_reply(self, reply: Incoming) -> Mapping[str, Deed]:
        """See Witness. The oldest come first: of more than a page the last is not known."""
        found = decoded(_HAPPENINGS, reply_body(reply, "GitHub events"), "GitHub events")
        if next_page(reply.headers.get("link", "")):
            return {}
        return {
            one.label.name: Deed(one.actor.login, instant(one.created_at) or "")
            for one in found
            if one.event == "labeled" and one.label is not None and one.actor is not None
        }

    def list_request(self, since_at: str, cursor: str, place: Place) -> Outgoing:
        """See Dialect."""
        query = {"since": since_at, "sort": "updated", "direction": "asc", "per_page": _PAGE, "page": cursor or "1"}
        return Outgoing(method="GET", url=forge.issues_url(query, place), headers=_headers(place))

    def list_reply(self, reply: Incoming, place: Place) -> Listing:
        """See Dialect."""
        issues = decoded(_ISSUES, reply_body(reply, "GitHub issues"), "GitHub issues")
        tasks = tuple(_task(one, _repository_of(one), place) for one in issues if one.pull_request is None)
        return Listing(tasks, next_page(reply.headers.get("link", "")))


def _kind(action: str, changed: str, place: Place) -> EventKind | None:
    if action == "opened":
        return EventKind.CREATED
    if action == "edited":
        return EventKind.EDITED
    if action in ("labeled", "unlabeled"):
        return EventKind.JUDGED if labels.is_judgement(changed, place) else EventKind.EDITED
    return None


def _task(issue: _Issue, repository: str, place: Place, *, latest: str = "", etag: str = "") -> Task:
    names = [one.name for one in issue.labels]
    metadata = {
        "created_at": instant(issue.created_at),
        "requester": {"id": issue.user.login} if issue.user else None,
        "labels": labels.metadata_labels(names, place),
        "repository": repository,
        "author_association": (issue.author_association or "").lower() or None,
    }
    return Task(
        id=f"{safe_path(repository, 'GitHub repository', segments=2)}#{issue.number}",
        title=issue.title,
        description=issue.body or "",
        metadata={name: value for name, value in metadata.items() if value is not None},
        standing=labels.standing(names, place, latest=latest),
        revision=issue.updated_at or "",
        etag=etag,
        url=issue.html_url or "",
        closed=issue.state == "closed",
    )


def _repository_of(issue: _Issue) -> str:
    """`https://api.github.com/repos/owner/repo` -> `owner/repo`."""
    return "/".join((issue.repository_url or "").split("/")[-2:])


def _headers(place: Place) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {place.token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "Content-Type": "application/json",
    }
