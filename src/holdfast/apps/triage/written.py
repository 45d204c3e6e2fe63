"""Written: what this node has said on a tracker's tasks, or was about to say when it last stopped."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from holdfast.apps.triage.writing import Said, Written
from holdfast.database import Transaction
from holdfast.facts import Facts

__all__ = ["intend", "keep_said", "recall_written"]

_SPACE = "written"
_MOST_EARLIER = 3

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Written)


def recall_written(facts: Facts, connection: str, task_id: str) -> Written:
    """What this node knows to have written on the task; nothing, if it never wrote or forgot."""
    found = facts.noted(_SPACE, _name(connection, task_id))
    return _DECODER.decode(found) if found is not None else Written()


def intend(facts: Facts, connection: str, task_id: str, known: Written) -> None:
    """Make durable what is about to be written, before it is."""
    facts.note(_SPACE, _name(connection, task_id), _ENCODER.encode(known))


def keep_said(facts: Facts, connection: str, task_id: str, said: Said) -> Callable[[Transaction], None]:
    """Return the part of a unit of work that makes `said` the last word."""
    known = recall_written(facts, connection, task_id)
    earlier = (*filter(None, (known.said,)), *known.earlier)[:_MOST_EARLIER]
    encoded = _ENCODER.encode(Written(said=said, earlier=earlier))
    return lambda transaction: facts.note(_SPACE, _name(connection, task_id), encoded, transaction)


def _name(connection: str, task_id: str) -> str:
    return f"{connection}\0{task_id}"
