"""Generic: a tracker that is taught our own words; its task is a ticket as `/v1/triage/score` reads it."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.apps.triage.dialect import Place
from holdfast.apps.triage.dialects.replies import decoded
from holdfast.apps.triage.dialects.rest import Judged, Rest, other_labels, rest_standing, task_id
from holdfast.apps.triage.task import Task
from holdfast.apps.triage.ticket import Attachment

__all__ = ["GENERIC"]


class _Task(Judged, frozen=True, kw_only=True):
    id: str | int
    title: str
    description: str | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    updated_at: str | None = None
    closed: bool = False
    url: str | None = None


_TASK = msgspec.json.Decoder(_Task)


def _read(body: bytes, place: Place, etag: str) -> Task:
    found = decoded(_TASK, body, "generic task")
    standing = rest_standing(found, place)
    labels = other_labels(standing, place)
    ours = tuple(one for one in standing.labels if one not in labels)
    given = found.metadata.get("labels", labels)
    if isinstance(given, list):
        labels = [one for one in given if one not in ours]
    return Task(
        id=task_id(found.id, "generic task"),
        title=found.title,
        description=found.description or "",
        metadata={**found.metadata, "labels": labels},
        attachments=found.attachments,
        standing=standing,
        revision=found.updated_at or "",
        etag=etag,
        url=found.url or "",
        closed=found.closed,
    )


GENERIC = Rest("generic", _read)
