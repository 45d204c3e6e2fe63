"""Task: a tracker's ticket, and what a delivery says happened to it, in our words."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.ticket import Attachment, Ticket

__all__ = ["Deed", "Event", "EventKind", "Ignored", "Listing", "Mark", "Standing", "Task", "Values"]


class EventKind(StrEnum):
    """What happened, as far as triage cares."""

    CREATED = "created"
    EDITED = "edited"
    """Text, attachments or circumstances changed: to be scored again."""
    JUDGED = "judged"
    """Priority, labels or route were changed by somebody: an override, unless it was us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a node left on a task beside its values, so that it and its peers know them again (`marks.py`)."""

    decision_id: str
    priority: Priority
    route: str
    key: str
    """The first characters of the write's idempotency key."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did something on a task, and when."""

    by: str
    at: str
    """RFC 3339; empty where the tracker does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a task is judged in the tracker now."""

    priority: Priority | None = None
    """In our bands; None where nobody has chosen one (or the tracker shows its default for that)."""
    raw_priority: str = ""
    """The tracker's own word for it."""
    foreign: bool = False
    """Somebody has chosen a priority, in a word that stands for none of our bands."""
    route: str = ""
    """The group, team or label that says who works on it; empty where nobody has chosen."""
    labels: tuple[str, ...] = ()
    """Every label on it."""
    mark: Mark | None = None
    """Where the tracker keeps a text of ours with the task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task, as a delivery or a read of the tracker shows it."""

    id: str
    """Unique within the connection: `owner/repo#12`, `PROJ-7`."""
    title: str
    description: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    """As CONTRACT: created_at, deadline_at, requester, customer_tier, team, labels, and what rules may read."""
    attachments: tuple[Attachment, ...] = ()
    standing: Standing = field(default_factory=Standing)
    revision: str = ""
    """The tracker's version of it: `updated_at`, a lock version; empty where it has none."""
    etag: str = ""
    """For If-Match; empty where the tracker offers none."""
    url: str = ""
    closed: bool = False
    whole: bool = True
    """False where text or attachments are not shown: then it is scored only if it never was."""

    def ticket(self) -> Ticket:
        """What is scored."""
        return Ticket(
            id=self.id,
            title=self.title,
            description=self.description,
            metadata=self.metadata,
            attachments=self.attachments,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What one delivery says: something happened to these tasks."""

    kind: EventKind
    tasks: tuple[Task, ...]
    by: str = ""
    """The account that did it, in the tracker's own words; empty where the delivery does not say."""
    at: str = ""
    """RFC 3339; empty where it does not say."""
    name: str = ""
    """The tracker's own name of the event, for people."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A genuine delivery that is not about a new or edited task."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What the node has to say on a task."""

    decision_id: str
    score: float
    priority: Priority
    route: str
    """Empty: say nothing about it."""
    reason: str
    """One sentence."""
    explanation: str
    """A few lines: who answered, the contributions, the decision's id."""
    former_route: str = ""
    """The route we wrote before, still there: where routes are labels, its label goes."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of tasks the tracker has, oldest change first."""

    tasks: tuple[Task, ...]
    next_cursor: str = ""
    """Empty on the last page."""
