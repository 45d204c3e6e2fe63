"""The queues of a node, and their limits from the settings."""

from __future__ import annotations

from holdfast.errors import InvalidInput
from holdfast.jobs import QueueLimits
from holdfast.settings.tree import Settings

__all__ = ["QUEUES", "UnknownQueue", "queue_limits"]

QUEUES = ("write-back", "reprocess", "backfill")
"""A backlog in one is no other's business."""


class UnknownQueue(InvalidInput):
    """Settings for a queue that no node has."""


def queue_limits(settings: Settings) -> dict[str, QueueLimits]:
    """The limits of every queue. Raises UnknownQueue."""
    for name in settings.queues:
        if name not in QUEUES:
            raise UnknownQueue(
                f"queues.{name}: expected one of {', '.join(QUEUES)}, found {name}", field=f"queues.{name}"
            )
    return {name: _limits(settings, name) for name in QUEUES}


def _limits(settings: Settings, name: str) -> QueueLimits:
    chosen = settings.queues.get(name)
    if chosen is None:
        return QueueLimits()
    return QueueLimits(
        lanes=chosen.lanes,
        max_waiting=chosen.max_waiting,
        max_attempts=chosen.max_attempts,
        lease_s=chosen.lease_s,
        backoff_s=chosen.backoff_s,
        backoff_most_s=chosen.backoff_most_s,
    )
