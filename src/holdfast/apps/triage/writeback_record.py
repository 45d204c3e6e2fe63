"""The ledger's record of what was written on a tracker's task, or left to a person."""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.apps.triage.decision import Decision, Priority
from holdfast.record import Draft

__all__ = ["WRITE_BACK", "WriteBackRecord", "unpack_write_back_record", "write_back_draft", "write_back_reference"]

WRITE_BACK = "write-back"
"""Kind of ledger entry."""


class WriteBackRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of one decision in the tracker."""

    schema: int = 1
    connection: str
    task_id: str
    decision_id: str
    outcome: Literal["written", "found", "left"]
    """`found`: an earlier attempt had been applied. `left`: a person's judgement stands there."""
    priority: Priority | None
    """What was written, or what the person chose; None where the person took ours back."""
    route: str = ""
    reason: str = ""
    by: str = ""
    """Account that wrote."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(WriteBackRecord)


def write_back_reference(decision_id: str) -> str:
    """Under which a decision's latest write-back is found in the ledger."""
    return f"write-back:{decision_id}"


def write_back_draft(record: WriteBackRecord, decision: Decision) -> Draft:
    """Return the ledger entry."""
    return Draft(
        kind=WRITE_BACK,
        payload=_ENCODER.encode(record),
        reference=write_back_reference(record.decision_id),
        subject=record.task_id,
        team=decision.team,
        score=decision.score,
        band=record.priority.value if record.priority is not None else None,
    )


def unpack_write_back_record(payload: bytes) -> WriteBackRecord:
    """Decode a record. Raises msgspec.DecodeError for one that another version kept."""
    return _DECODER.decode(payload)
