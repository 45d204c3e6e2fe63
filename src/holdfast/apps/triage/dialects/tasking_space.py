"""Tasking.Space: tasks with a priority field, a score, a reason, an explanation and labels.

Built from the contract's section "Webhooks and trackers"; docs/howto/tasking-space.md says the whole exchange.
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.apps.triage.dialect import Place
from holdfast.apps.triage.dialects.replies import decoded, instant
from holdfast.apps.triage.dialects.rest import Judged, Rest, other_labels, rest_standing, task_id
from holdfast.apps.triage.task import Task

__all__ = ["TASKING_SPACE"]

_CLOSED = frozenset({"closed", "done", "cancelled"})


class _Requester(msgspec.Struct, frozen=True):
    id: str | None = None
    role: str | None = None
    tier: str | None = None


class _Task(Judged, frozen=True, kw_only=True):
    id: str | int
    title: str
    description: str | None = None
    status: str | None = None
    requester: _Requester | None = None
    customer_tier: str | None = None
    team: str | None = None
    created_at: str | None = None
    deadline_at: str | None = None
    updated_at: str | None = None
    url: str | None = None


_TASK = msgspec.json.Decoder(_Task)


def _read(body: bytes, place: Place, etag: str) -> Task:
    found = decoded(_TASK, body, "Tasking.Space task")
    standing = rest_standing(found, place)
    metadata: dict[str, Any] = {
        "created_at": instant(found.created_at),
        "deadline_at": instant(found.deadline_at),
        "requester": msgspec.to_builtins(found.requester) if found.requester is not None else None,
        "customer_tier": found.customer_tier,
        "team": found.team,
        "labels": other_labels(standing, place),
    }
    return Task(
        id=task_id(found.id, "Tasking.Space task"),
        title=found.title,
        description=found.description or "",
        metadata={name: value for name, value in metadata.items() if value is not None},
        standing=standing,
        revision=found.updated_at or "",
        etag=etag,
        url=found.url or "",
        closed=(found.status or "").casefold() in _CLOSED,
    )


TASKING_SPACE = Rest("tasking-space", _read)
