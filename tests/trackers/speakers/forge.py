"""Forge: what GitHub's API and Gitea's have in common: the shapes of issues, labels, users."""

from __future__ import annotations

from typing import Any

from tests.trackers.board import ACCOUNT, Card, Change
from tests.trackers.wire import seconds

__all__ = ["REPOSITORY", "issue", "issue_event", "label", "repository", "user"]

REPOSITORY = "acme/shop"


def user(login: str) -> dict[str, Any]:
    """An account."""
    kind = "Bot" if login == ACCOUNT else "User"
    return {"login": login, "id": sum(login.encode()), "type": kind, "site_admin": False}


def label(name: str) -> dict[str, Any]:
    """A label, its id derived from its name."""
    return {"id": 1000 + sum(name.encode()), "name": name, "color": "ededed", "default": False, "description": None}


def issue(card: Card, api: str) -> dict[str, Any]:
    """An issue."""
    return {
        "id": 900_000 + card.number,
        "number": card.number,
        "url": f"{api}/repos/{REPOSITORY}/issues/{card.number}",
        "html_url": f"https://forge.example/{REPOSITORY}/issues/{card.number}",
        "repository_url": f"{api}/repos/{REPOSITORY}",
        "title": card.title,
        "body": card.description or None,
        "user": user(card.requester),
        "labels": [label(name) for name in card.labels],
        "state": "closed" if card.closed else "open",
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(card.comments),
        "created_at": seconds(card.created_at),
        "updated_at": seconds(card.updated_at),
        "closed_at": None,
        "author_association": "NONE",
    }


def repository() -> dict[str, Any]:
    """The one repository there is."""
    owner, name = REPOSITORY.split("/")
    return {"id": 7, "name": name, "full_name": REPOSITORY, "private": True, "owner": user(owner)}


def issue_event(change: Change, card: Card, action: str, api: str) -> dict[str, Any]:
    """The body of an `issues` delivery."""
    event: dict[str, Any] = {
        "action": action,
        "issue": issue(card, api),
        "repository": repository(),
        "sender": user(change.by),
    }
    if action == "edited":
        words = {"title": "title", "description": "body"}
        event["changes"] = {words[n]: {"from": b} for n, (b, _) in change.fields.items() if n in words}
    return event
