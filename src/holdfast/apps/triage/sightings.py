"""Sightings: what is remembered of a tracker's task when it was last scored, so that an echo is no change."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from holdfast.apps.triage.judging import Sighting
from holdfast.apps.triage.task import Task
from holdfast.database import Transaction
from holdfast.facts import Facts
from holdfast.vault import Vault

__all__ = ["Sightings"]

_SPACE = "scored"
_ENCODER = msgspec.msgpack.Encoder()
_CONTENT = msgspec.json.Encoder(order="deterministic")


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
        kept = sorted((one for one in labels if one not in echoes), key=_CONTENT.encode)  # a stranger's may be no text
        content = _CONTENT.encode((task.title, task.description, files, rest, kept))
        return self._vault.hmac("idempotency", b"scored\0" + content)

    def is_unchanged(self, task: Task, seen: Sighting) -> bool:
        """Say whether all that is scored is as it was."""
        return self.seal(task, seen.echoes) == seen.seal
