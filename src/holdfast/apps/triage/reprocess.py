"""Reprocessing: what a lower tier had to answer is scored once more when the best one is back."""

from __future__ import annotations

import msgspec

from holdfast.apps.triage.decision import Decision, Priority
from holdfast.errors import InvalidInput
from holdfast.job import NewJob
from holdfast.ledger.journal import Journal
from holdfast.record import Draft
from holdfast.tier import Tier

__all__ = [
    "KIND",
    "QUEUE",
    "NotReprocessed",
    "ReprocessRecord",
    "Rescore",
    "Verdict",
    "find_event",
    "reprocess_draft",
    "rescore_job",
    "unpack_rescore",
    "verdict_of",
    "worth_it",
]

QUEUE = "reprocess"
KIND = "reprocess"
"""Of the job, and of the ledger's entry that says what came of it."""


class Rescore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which decision is to be made again, and for whom."""

    schema: int = 1
    decision_id: str
    connection: str = ""
    """The tracker that hears of a change of band; empty: nobody does."""
    revision: str = ""
    """Of the task when it was first scored."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one of the two scorings said."""

    decision_id: str
    score: float
    priority: Priority
    route: str
    tier: Tier
    package: str
    """`NAME@VERSION`."""


class ReprocessRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event: a decision made again, with what was said before and after."""

    schema: int = 1
    task_id: str
    old: Verdict
    new: Verdict
    band_changed: bool
    written_back: bool
    """Whether a job was enqueued that tells the tracker."""


class NotReprocessed(InvalidInput):
    """The decision was not made again: it need not be, or not yet."""


_DECODER = msgspec.msgpack.Decoder(Rescore)
_RECORD = msgspec.msgpack.Decoder(ReprocessRecord)


def worth_it(decision: Decision) -> bool:
    """Say whether a higher tier would have answered, had it been there."""
    return decision.served_by.degraded and decision.served_by.tier is not Tier.FULL


def rescore_job(order: Rescore) -> NewJob:
    """Return the job; a decision is made again at most once."""
    payload = msgspec.msgpack.encode(order)
    return NewJob(queue=QUEUE, kind=KIND, payload=payload, key=f"reprocess:{order.decision_id}")


def unpack_rescore(payload: bytes) -> Rescore:
    """Decode the payload. Raises msgspec.DecodeError for one that another version wrote."""
    return _DECODER.decode(payload)


def verdict_of(decision: Decision) -> Verdict:
    """What `decision` said."""
    served = decision.served_by
    return Verdict(
        decision_id=decision.decision_id,
        score=decision.score,
        priority=decision.priority,
        route=decision.route.label,
        tier=served.tier,
        package=f"{served.package}@{served.version}",
    )


def find_event(journal: Journal, decision_id: str) -> ReprocessRecord:
    """What came of making a decision again. Raises NotReprocessed."""
    entry = journal.find(_reference(decision_id))
    if entry is None or entry.payload is None:
        raise NotReprocessed(f"decision {decision_id[:40]!r} was not made again", field="decision_id")
    return _RECORD.decode(entry.payload)


def _reference(decision_id: str) -> str:
    return f"reprocess:{decision_id}"


def reprocess_draft(old: Decision, new: Decision, *, written_back: bool) -> Draft:
    """The ledger's entry of the event; found again by the id of the first decision."""
    record = ReprocessRecord(
        task_id=new.task_id,
        old=verdict_of(old),
        new=verdict_of(new),
        band_changed=new.priority is not old.priority,
        written_back=written_back,
    )
    return Draft(
        kind=KIND,
        payload=msgspec.msgpack.encode(record),
        reference=_reference(old.decision_id),
        subject=new.task_id,
        tier=new.served_by.tier,
        package=new.served_by.digest,
        score=new.score,
        band=new.priority.value,
        team=new.team,
    )
