"""Records: what the ledger keeps, sealed, of decisions, overrides and the policy they were made under."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.apps.triage.attachments import Reading
from holdfast.apps.triage.decision import Decision, Override
from holdfast.apps.triage.rubric import Rubric
from holdfast.apps.triage.ticket import Attachment, Ticket
from holdfast.digest import Digest
from holdfast.errors import Refused
from holdfast.inference import TextOutput

__all__ = [
    "DECISION",
    "OVERRIDE",
    "POLICY",
    "DecisionRecord",
    "OverrideRecord",
    "PolicyRecord",
    "StoredHead",
    "UnreadableRecord",
    "pack",
    "ticket_bytes",
    "unpack_decision",
    "unpack_override",
    "unpack_policy",
]

DECISION, OVERRIDE, POLICY = "decision", "override", "triage-policy"
"""Kinds of ledger entries."""

_SCHEMA = 1


class UnreadableRecord(Refused):
    """A record was written by a version that kept it differently."""


class StoredHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to read one head's probabilities, kept with them."""

    name: str
    labels: tuple[str, ...]
    urgency: tuple[float, ...]
    minimum_confidence: float = 0.0


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision with everything needed to derive it again."""

    schema: int = _SCHEMA
    decision: Decision
    ticket: msgspec.Raw
    """The ticket in MessagePack; of attachments name and type only."""
    output: TextOutput
    """What the tier said."""
    attachments: tuple[Reading, ...] | None = None
    """What the attachments said; null when nobody read them."""
    policy: Digest
    """Of the PolicyRecord in force."""
    request_sha256: bytes
    """Of the whole ticket in MessagePack, attachments included."""
    response_sha256: bytes
    """Of `assessment_bytes`."""

    def read_ticket(self) -> Ticket:
        """Decode the ticket."""
        return _TICKET.decode(self.ticket)


class OverrideRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's correction of one decision."""

    schema: int = _SCHEMA
    decision_id: str
    task_id: str
    override: Override


class PolicyRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The operator's part of a score, so that it can be derived again after the settings have changed."""

    schema: int = _SCHEMA
    rubric: Rubric
    rules: str
    """The rule file."""
    vocabulary: Digest
    """Of the keyword table, which comes with the product."""
    heads: tuple[StoredHead, ...]


_TICKET = msgspec.msgpack.Decoder(Ticket)
_DECISION = msgspec.msgpack.Decoder(DecisionRecord)
_OVERRIDE = msgspec.msgpack.Decoder(OverrideRecord)
_POLICY = msgspec.msgpack.Decoder(PolicyRecord)
_ENCODER = msgspec.msgpack.Encoder()


def pack(record: DecisionRecord | OverrideRecord | PolicyRecord) -> bytes:
    """Encode a record for the ledger."""
    return _ENCODER.encode(record)


def ticket_bytes(ticket: Ticket) -> tuple[bytes, bytes]:
    """Return the whole ticket in MessagePack, and what is kept of it: attachments by name and type."""
    whole = _ENCODER.encode(ticket)
    if not ticket.attachments:
        return whole, whole
    names = tuple(Attachment(name=one.name, media_type=one.media_type) for one in ticket.attachments)
    return whole, _ENCODER.encode(msgspec.structs.replace(ticket, attachments=names))


def unpack_decision(payload: bytes) -> DecisionRecord:
    """Decode a decision. Raises UnreadableRecord."""
    record: DecisionRecord = _unpack(_DECISION, payload)
    return record


def unpack_override(payload: bytes) -> OverrideRecord:
    """Decode an override. Raises UnreadableRecord."""
    record: OverrideRecord = _unpack(_OVERRIDE, payload)
    return record


def unpack_policy(payload: bytes) -> PolicyRecord:
    """Decode a policy. Raises UnreadableRecord."""
    record: PolicyRecord = _unpack(_POLICY, payload)
    return record


def _unpack(decoder: msgspec.msgpack.Decoder[Any], payload: bytes) -> Any:  # the decode line
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise UnreadableRecord(f"the record was kept by another version of Holdfast: {error}") from error
