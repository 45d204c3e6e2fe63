"""The job that writes a decision back to the tracker its task came from."""

from __future__ import annotations

import msgspec

from holdfast.job import NewJob

__all__ = ["KIND", "QUEUE", "WriteBack", "pack_write_back", "unpack_write_back", "write_back_job"]

QUEUE = "write-back"
KIND = "write-back"

_ENCODER = msgspec.msgpack.Encoder()


class WriteBack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which decision is to be told to which tracker."""

    schema: int = 1
    connection: str
    task_id: str
    decision_id: str
    revision: str
    """Of the task when it was scored, or the id of the signed event: what makes this write the one it is."""
    overruled: bool = False
    """A person has corrected the priority of an earlier decision on the task: theirs stays, whatever it looks like."""


_DECODER = msgspec.msgpack.Decoder(WriteBack)


def pack_write_back(order: WriteBack) -> bytes:
    """Encode the payload."""
    return _ENCODER.encode(order)


def unpack_write_back(payload: bytes) -> WriteBack:
    """Decode the payload. Raises msgspec.DecodeError for one that another version wrote."""
    return _DECODER.decode(payload)


def write_back_job(order: WriteBack) -> NewJob:
    """Return the job; a second one for the same task at the same revision is the same job."""
    return NewJob(
        queue=QUEUE,
        kind=KIND,
        payload=pack_write_back(order),
        key=f"write-back:{order.connection}:{order.task_id}:{order.revision}",
    )
