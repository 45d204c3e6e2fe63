"""Sightings: what is remembered of a tracker's task when it was last scored, so that an echo is no change."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from holdfast.apps.triage.task import Task
from holdfast.database import Transaction
from holdfast.facts import Facts
from holdfast.vault import Vault

__all__ = ["Sighting", "Sightings", "is_older"]

_SPACE = "scored"
_ENCODER = msgspec.msgpack.Encoder()
_CONTENT = msgspec.json.Encoder(order="deterministic")


class Sighting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task as it was last scored; nothing of its text."""

    schema: int = 1
    decision_id: str
    seal: bytes
    """Keyed hash of what is scored."""
    revision: str
    raw_priority: str
    """What the tracker showed then: what it still shows, nobody has chosen since."""
    route: str
    """The same of the route."""
    echoes: tuple[str, ...]
    """Labels that our own write may have put there since."""


_DECODER = msgspec.msgpack.Decoder(Sighting)


class Sightings:
    """Keeps the last sighting of each task. Holds no state of its own."""

    def __init__(self, facts: Facts, vault: Vault) -> None:
        self._facts, self._vault = facts, vault

    def last(self, connection: str, task_id: str, transaction: Transaction | None = None) -> Sighting | None:
        """The last one, or None."""
        found = self._facts.noted(_SPACE, f"{connection}\0{task_id}", transaction)
        return _DECODER.decode(found) if found is not None else None

    def keep(self, transaction: Transaction, connection: str, task_id: str, sighting: Sighting) -> None:
        """Remember `sighting` in the unit of work that records its decision."""
        self._facts.note(_SPACE, f"{connection}\0{task_id}", _ENCODER.encode(sighting), transaction)

    def seal(self, task: Task, echoes: Sequence[str] = ()) -> bytes:
        """Return a keyed hash of everything that is scored, but the labels in `echoes`."""
        labels = task.metadata.get("labels") or ()
        files = [
            (one.name, one.media_type, hashlib.sha256((one.text or one.base64 or "").encode()).hexdigest())
            for one in task.attachments
        ]
        rest = {name: value for name, value in task.metadata.items() if name != "labels"}
        kept = sorted(one for one in labels if one not in echoes)
        content = _CONTENT.encode((task.title, task.description, files, rest, kept))
        return self._vault.hmac("idempotency", b"scored\0" + content)

    def is_unchanged(self, task: Task, seen: Sighting) -> bool:
        """Say whether all that is scored is as it was."""
        return self.seal(task, seen.echoes) == seen.seal


def is_older(task: Task, seen: Sighting) -> bool:
    """Say whether a delivery came late: what it shows was changed before what was scored already."""
    mine, theirs = _instant(task.revision), _instant(seen.revision)
    return mine is not None and theirs is not None and mine < theirs


def _instant(revision: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(revision)
    except ValueError:  # a lock version, or nothing: then nobody knows which is the older
        return None
    return moment.replace(microsecond=0) if moment.tzinfo is not None else None  # deliveries often leave them out
