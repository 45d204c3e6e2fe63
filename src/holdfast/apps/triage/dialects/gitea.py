"""Gitea and Forgejo: issues of a repository; priority and route are labels that must exist there.

Sources: https://docs.gitea.com/usage/repository/webhooks, and the API as its own /api/swagger describes it; that names
of labels which do not exist are passed over in silence: routers/api/v1/repo/issue_label.go.
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

__all__ = ["Gitea"]

_PAGE = 50  # the most it gives unless its administrator allows more


class _Issue(msgspec.Struct, frozen=True):
    number: int
    title: str
    body: str | None = None
    state: str = ""
    labels: tuple[forge.Label, ...] | None = None
    user: forge.User | None = None
    created_at: str | None = None
    updated_at: str | None = None
    due_date: str | None = None
    html_url: str | None = None
    pull_request: forge.Present | None = None
    repository: forge.Repository | None = None


class _Delivery(msgspec.Struct, frozen=True):
    action: str = ""
    issue: _Issue | None = None
    comment: forge.Present | None = None
    repository: forge.Repository | None = None
    sender: forge.User | None = None


class _Happening(msgspec.Struct, frozen=True):
    type: str = ""
    body: str | None = None
    user: forge.User | None = None
    label: forge.Label | None = None
    created_at: str | None = None


_HAPPENINGS = msgspec.json.Decoder(tuple[_Happening, ...] | None)
_ADDED = "1"  # what the body of a label's comment says when it was put on
_DELIVERY = msgspec.json.Decoder(_Delivery)
_ISSUE = msgspec.json.Decoder(_Issue)
_ISSUES = msgspec.json.Decoder(tuple[_Issue, ...])
_KINDS = {
    "opened": EventKind.CREATED,
    "edited": EventKind.EDITED,
    "label_updated": EventKind.JUDGED,  # which label it was is not said: the standing tells whether it is a judgement
    "label_cleared": EventKind.JUDGED,
}


class Gitea:
    """See Dialect. What a delivery is about is read off its body: the `X-Gitea-Event` header is not signed."""

    name = "gitea"
    built_from: Literal["payloads", "documentation"] = "payloads"
    scheme: Scheme = "gitea-sha256"
    ability = Ability()
    words: Mapping[Priority, str] = {}

    def decode(self, headers: Mapping[str, str], body: bytes, place: Place) -> Event | Ignored:  # noqa: ARG002  # Dialect
        """See Dialect."""
        delivery = decoded(_DELIVERY, body, "Gitea delivery")
        issue, action = delivery.issue, delivery.action[:80]
        if issue is None:
            return Ignored(f"{action or 'an event'}: not about an issue")
        if (elsewhere := forge.nothing_scored(action, issue, delivery.comment)) is not None:
            return elsewhere
        kind = _KINDS.get(action)
        if kind is None:
            return Ignored(f"issues.{action}: neither a new issue nor one whose text or labels changed")
        return Event(
            kind=kind,
            tasks=(_task(issue, delivery.repository or issue.repository, place),),
            by=delivery.sender.login if delivery.sender else "",
            at=instant(issue.updated_at) or "",
            name=f"issues.{action}",
        )

    def read_request(self, task_id: str, place: Place) -> Outgoing:
        """See Dialect."""
        return Outgoing(method="GET", url=forge.issue_url(task_id, place), headers=_headers(place))

    def read_reply(self, reply: Incoming, place: Place) -> Task:
        """See Dialect."""
        issue = decoded(_ISSUE, reply_body(reply, "Gitea issue"), "Gitea issue")
        return _task(issue, issue.repository, place)

    def write_request(self, task: Task, values: Values, place: Place, *, key: str) -> Outgoing:  # noqa: ARG002  # no use for a key
        """See Dialect."""
        return forge.label_request(task, values, place, headers=_headers(place))

    def witness_request(self, task: Task, place: Place) -> Outgoing:
        """See Witness: the issue's timeline."""
        url = f"{forge.issue_url(task.id, place)}/timeline?limit={_PAGE}"
        return Outgoing(method="GET", url=url, headers=_headers(place))

    def witness_reply(self, reply: Incoming) -> Mapping[str, Deed]:
        """See Witness. The oldest come first: of more than a page the last is not known."""
        found = decoded(_HAPPENINGS, reply_body(reply, "Gitea timeline"), "Gitea timeline") or ()
        if len(found) >= _PAGE:
            return {}
        return {
            one.label.name: Deed(one.user.login, instant(one.created_at) or "")
            for one in found
            if one.type == "label" and one.body == _ADDED and one.label and one.user
        }

    def list_request(self, since_at: str, cursor: str, place: Place) -> Outgoing:
        """See Dialect. Gitea gives the newest issue first: whoever stops half-way asks for all of them again."""
        query = {"type": "issues", "since": since_at, "limit": _PAGE, "page": cursor or "1"}
        return Outgoing(method="GET", url=forge.issues_url(query, place), headers=_headers(place))

    def list_reply(self, reply: Incoming, place: Place) -> Listing:
        """See Dialect."""
        issues = decoded(_ISSUES, reply_body(reply, "Gitea issues"), "Gitea issues")
        tasks = tuple(_task(one, one.repository, place) for one in issues if one.pull_request is None)
        return Listing(tasks, next_page(reply.headers.get("link", "")))


def _task(issue: _Issue, repository: forge.Repository | None, place: Place) -> Task:
    if repository is None:
        raise MalformedEvent("Gitea issue: expected its repository, found none")
    name = safe_path(repository.full_name, "Gitea repository", segments=2)
    names = [one.name for one in issue.labels or ()]
    metadata = {
        "created_at": instant(issue.created_at),
        "deadline_at": instant(issue.due_date),
        "requester": {"id": issue.user.login} if issue.user else None,
        "labels": labels.metadata_labels(names, place),
        "repository": name,
    }
    return Task(
        id=f"{name}#{issue.number}",
        title=issue.title,
        description=issue.body or "",
        metadata={key: value for key, value in metadata.items() if value is not None},
        standing=labels.standing(names, place),
        revision=issue.updated_at or "",
        url=issue.html_url or "",
        closed=issue.state == "closed",
    )


def _headers(place: Place) -> dict[str, str]:
    return {
        "Authorization": f"token {place.token}",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
