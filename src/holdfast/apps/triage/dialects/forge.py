"""Forge: what GitHub's API and Gitea's, which was made after it, have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote, urlencode

import msgspec

from holdfast.apps.triage.dialect import Place
from holdfast.apps.triage.dialects import labels
from holdfast.apps.triage.dialects.replies import encode, safe_path
from holdfast.apps.triage.task import Ignored, Task, Values
from holdfast.exchange import Outgoing

__all__ = ["Label", "Present", "Repository", "User", "issue_url", "issues_url", "label_request", "nothing_scored"]


class Present(msgspec.Struct, frozen=True):
    """An object of which only matters that it is there."""


class User(msgspec.Struct, frozen=True):
    """An account."""

    login: str = ""


class Label(msgspec.Struct, frozen=True):
    """A label by its name."""

    name: str


class Repository(msgspec.Struct, frozen=True):
    """`owner/name`."""

    full_name: str


class _Issue(Protocol):
    @property
    def pull_request(self) -> Present | None: ...


def nothing_scored(action: str, issue: _Issue, comment: Present | None) -> Ignored | None:
    """Say why a delivery that shows an issue is about something else; None where it is about the issue."""
    if comment is not None:
        return Ignored(f"issue_comment.{action}: comments are not scored")
    if issue.pull_request is not None:
        return Ignored(f"issues.{action}: about a pull request")
    return None


def issue_url(task_id: str, place: Place) -> str:
    """The API's address of `owner/name#number`."""
    repository, _, number = task_id.rpartition("#")
    return f"{place.base_url}/repos/{safe_path(repository, 'task id', segments=2)}/issues/{quote(number, safe='')}"


def issues_url(query: Mapping[str, object], place: Place) -> str:
    """The API's address of the project's open issues."""
    repository = safe_path(place.project, "setting project", segments=2)
    return f"{place.base_url}/repos/{repository}/issues?{urlencode({'state': 'open', **query})}"


def label_request(task: Task, values: Values, place: Place, *, headers: Mapping[str, str]) -> Outgoing:
    """Build the write: where nothing has to go, labels are only added, so that none a person adds meanwhile is lost."""
    change = labels.change(task, values, place)
    method, names = "POST", list(change.add)
    if change.remove:
        method = "PUT"
        names = [one for one in task.standing.labels if one not in change.remove] + names
    url = f"{issue_url(task.id, place)}/labels"
    return Outgoing(method=method, url=url, headers=headers, body=encode({"labels": names}))
