"""Dialect: how one kind of tracker signs, says, is read and is written; pure, one file each in `dialects/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.task import Deed, Event, Ignored, Listing, Task, Values
from holdfast.errors import InvalidInput, Refused
from holdfast.exchange import Incoming, Outgoing

__all__ = [
    "Ability",
    "Dialect",
    "MalformedEvent",
    "Place",
    "Scheme",
    "TaskGone",
    "TrackerRefused",
    "UnreadableEvent",
    "Witness",
]

Scheme = Literal[
    "standard-webhooks",  # webhook-id, webhook-timestamp, webhook-signature
    "github-sha256",  # X-Hub-Signature-256: sha256=…
    "jira-sha256",  # X-Hub-Signature: sha256=…
    "gitea-sha256",  # X-Gitea-Signature, hex
    "gitlab",  # Standard Webhooks where the delivery has them, else X-Gitlab-Token
    "zammad-sha1",  # X-Hub-Signature: sha1=…
    "bearer",  # Authorization: Bearer …: for senders that cannot sign (Alertmanager, OTOBO)
]
"""How deliveries prove where they come from."""


class MalformedEvent(InvalidInput):
    """A signed delivery that is not what the dialect's tracker sends."""


class UnreadableEvent(MalformedEvent):
    """It is not even JSON that the node reads."""


class TaskGone(Refused):
    """The tracker no longer has the task."""


class TrackerRefused(Refused):
    """The tracker will not take the write: asking again will not change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """What the tracker can do, as documented by its makers; docs/howto says the consequence of each."""

    writes: bool = True
    lists: bool = True
    """Tasks changed since an instant can be listed: missed ones are found when the node was down."""
    conditional: bool = False
    """Takes If-Match or a lock version: no window between read and write."""
    idempotent: bool = False
    """Honours Idempotency-Key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a connection's tracker is and how this one is used."""

    base_url: str
    """Without a trailing slash: `https://tracker.example/api`."""
    token: str = ""
    account: str = ""
    """The account the token belongs to: what it changes was changed by us."""
    priorities: Mapping[Priority, str] = field(default_factory=dict)
    """Our band -> the tracker's own word; empty: the dialect's default."""
    unset: frozenset[str] = frozenset()
    """Words the tracker shows where nobody has chosen a priority."""
    label_prefix: str = "priority/"
    """Of labels that carry the priority, where the tracker has no field for it."""
    routes: Mapping[str, str] = field(default_factory=dict)
    """Our route -> the tracker's own label or group for it: the only ones that are written, and the only labels
    that are taken for a route."""
    project: str = ""
    """Where listing needs one: `owner/repo`, a project key, a group."""

    def is_ours(self, by: str) -> bool:
        """Say whether `by` is the account; trackers tell accounts apart by more than upper and lower case."""
        return bool(self.account) and by.casefold() == self.account.casefold()

    def __repr__(self) -> str:
        """Show no token."""
        return f"Place({self.base_url})"


class Dialect(Protocol):
    """One kind of tracker. Implementations hold no state."""

    name: str
    built_from: Literal["payloads", "documentation"]
    """Whether real payloads were at hand when it was written."""
    scheme: Scheme
    ability: Ability
    words: Mapping[Priority, str]
    """Its own words for our bands, where a connection names none; empty: ours."""

    def decode(self, headers: Mapping[str, str], body: bytes, place: Place) -> Event | Ignored:
        """Read a delivery whose signature was good. `headers` in lower case. Raises MalformedEvent, nothing else."""

    def read_request(self, task_id: str, place: Place) -> Outgoing:
        """Build the request that reads a task."""

    def read_reply(self, reply: Incoming, place: Place) -> Task:
        """Read its answer. Raises TaskGone, TrackerRefused, MalformedEvent."""

    def write_request(self, task: Task, values: Values, place: Place, *, key: str) -> Outgoing:
        """Build the one request that writes `values` on `task` as it was just read; `key` is the Idempotency-Key."""

    def list_request(self, since_at: str, cursor: str, place: Place) -> Outgoing:
        """Build the request for a page of tasks changed at or after `since_at` (RFC 3339, UTC), oldest first."""

    def list_reply(self, reply: Incoming, place: Place) -> Listing:
        """Read its answer. Raises TrackerRefused, MalformedEvent."""


@runtime_checkable
class Witness(Protocol):
    """A dialect whose tracker can say who put which label on a task."""

    def witness_request(self, task: Task, place: Place) -> Outgoing:
        """Build the request that asks."""

    def witness_reply(self, reply: Incoming) -> Mapping[str, Deed]:
        """Return who put each label on last; nothing where the tracker's answer is only a part of it.

        Raises TaskGone, TrackerRefused, MalformedEvent.
        """
