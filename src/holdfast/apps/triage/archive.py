"""The archive: decisions found again, and corrected by people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from holdfast.apps.triage.decision import Decision, Override, Priority, Routing, instant_text
from holdfast.apps.triage.records import (
    DECISION,
    OVERRIDE,
    DecisionRecord,
    OverrideRecord,
    pack,
    unpack_decision,
    unpack_override,
)
from holdfast.clock import Clock
from holdfast.database import Transaction
from holdfast.errors import InvalidInput, Unavailable
from holdfast.ledger.journal import Journal
from holdfast.ledger.query import Entry, Query
from holdfast.record import Draft
from holdfast.tier import Tier

__all__ = [
    "MAX_PAGE",
    "Archive",
    "Correction",
    "DecisionPage",
    "DecisionQuery",
    "DecisionUnreadable",
    "Heard",
    "InvalidCorrection",
    "InvalidCursor",
    "ListedDecision",
    "NoSuchDecision",
]

MAX_PAGE = 500
_MOST_REASON = 2_000
_MOST_LABEL = 100


class NoSuchDecision(InvalidInput):
    """The ledger holds no decision with this id."""


class DecisionUnreadable(Unavailable):
    """The ledger holds the decision's header only: retention or an erasure took the rest, or the disk was full."""


class InvalidCursor(InvalidInput):
    """A cursor that no page gave."""


class InvalidCorrection(InvalidInput):
    """A correction that corrects nothing."""


class Correction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person sends to correct a decision: a priority, a route, or both."""

    priority: Priority | None = None
    route: Annotated[str, msgspec.Meta(min_length=1, max_length=_MOST_LABEL)] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=_MOST_REASON)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Where a correction was heard of, and what becomes durable with it."""

    by: str
    """The person, as the one who told names them."""
    at: str = ""
    """When they judged, RFC 3339; empty: now, as the node believes it."""
    idempotency_key: str | None = None
    body_sha256: bytes | None = None
    extra: Callable[[Transaction], None] | None = None


@dataclass(frozen=True, slots=True)
class DecisionQuery:
    """Which decisions, newest first. Priority and tier are the node's own, as its ledger's headers say them."""

    since_at: datetime | None = None
    until_at: datetime | None = None
    priority: Priority | None = None
    tier: Tier | None = None
    task_id: str | None = None
    team: str | None = None
    """Empty: of no team. None: whosoever they are."""
    limit: int = 50
    cursor: str = ""


class ListedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of a page; `decision` is null where only the header is left."""

    sequence: int
    recorded_at: str
    state: Literal["kept", "erased", "headers_only"]
    decision: Decision | None


class DecisionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some decisions, newest first."""

    decisions: tuple[ListedDecision, ...]
    next_cursor: str | None
    """For the next page; null on the last."""


class Archive:
    """Reads decisions back from the ledger. Holds no state."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock

    def record(self, decision_id: str) -> DecisionRecord:
        """The record of one decision. Raises NoSuchDecision, DecisionUnreadable."""
        entry = self._journal.find(decision_id)
        if entry is None or entry.header.kind != DECISION:
            raise NoSuchDecision(f"no decision {decision_id[:40]!r} in the ledger", field="decision_id")
        if entry.payload is None:
            what = "was erased" if entry.state == "erased" else "was never kept, the disk was full"
            raise DecisionUnreadable(
                f"decision {decision_id}: ticket, reasons and hashes are gone, the sealed payload {what}; "
                f"its header says score {entry.header.score}, {entry.header.band}, {entry.header.recorded_at}"
            )
        return unpack_decision(entry.payload)

    def decision(self, decision_id: str) -> Decision:
        """One decision with the latest correction. Raises NoSuchDecision, DecisionUnreadable."""
        return self._corrected(self.record(decision_id).decision)

    def page(self, query: DecisionQuery) -> DecisionPage:
        """Decisions that match. Raises InvalidCursor."""
        found = self._journal.list(
            Query(
                kinds=(DECISION,),
                since_at=query.since_at,
                until_at=query.until_at,
                tier=query.tier,
                band=query.priority.value if query.priority is not None else None,
                subject=query.task_id,
                team=query.team,
                limit=min(max(1, query.limit), MAX_PAGE),
                before=_sequence(query.cursor),
            )
        )
        return DecisionPage(
            decisions=self._listed(found.entries),
            next_cursor=f"c{found.next_before}" if found.next_before is not None else None,
        )

    def correct(self, decision_id: str, correction: Correction, *, by: str) -> Decision:
        """Record a person's correction, and return the decision with it. The last correction wins.

        Raises NoSuchDecision, DecisionUnreadable, InvalidCorrection, and what `Journal.append` raises.
        """
        return self.hear(decision_id, correction, Heard(by=by))

    def hear(self, decision_id: str, correction: Correction, heard: Heard) -> Decision:
        """Do what `correct` does, for a correction that was made elsewhere."""
        if correction.priority is None and correction.route is None:
            raise InvalidCorrection("expected a priority, a route or both, found neither", field="/priority")
        said = self.record(decision_id).decision
        override = Override(
            priority=correction.priority,
            route=correction.route,
            reason=correction.reason,
            by=heard.by,
            at=heard.at or instant_text(self._clock.wall_at()),
            node_priority=said.priority,
            node_route=said.route,
        )
        record = OverrideRecord(decision_id=decision_id, task_id=said.task_id, override=override)
        draft = Draft(
            kind=OVERRIDE,
            payload=pack(record),
            reference=_reference(decision_id),
            subject=said.task_id,
            team=said.team,
            package=said.served_by.digest,
            band=(correction.priority or said.priority).value,
        )
        self._journal.append(
            draft,
            idempotency_key=heard.idempotency_key,
            body_sha256=heard.body_sha256,
            extra=heard.extra,
        )
        return _with(said, override)

    def _listed(self, entries: Sequence[Entry]) -> tuple[ListedDecision, ...]:
        return tuple(
            ListedDecision(
                sequence=entry.header.sequence,
                recorded_at=entry.header.recorded_at,
                state=entry.state,
                decision=self._corrected(unpack_decision(entry.payload).decision)
                if entry.payload is not None
                else None,
            )
            for entry in entries
        )

    def _corrected(self, decision: Decision) -> Decision:
        entry = self._journal.find(_reference(decision.decision_id))
        if entry is None or entry.payload is None:
            return decision
        return _with(decision, unpack_override(entry.payload).override)


def _reference(decision_id: str) -> str:
    return f"override:{decision_id}"


def _with(decision: Decision, override: Override) -> Decision:
    """The decision as the person wants it: a route they named is certain."""
    route = decision.route if override.route is None else Routing(label=override.route, confidence=1.0)
    return msgspec.structs.replace(
        decision, priority=override.priority or decision.priority, route=route, override=override
    )


def _sequence(cursor: str) -> int | None:
    if not cursor:
        return None
    digits = cursor.removeprefix("c")
    if len(digits) == len(cursor) or not digits.isdecimal() or len(digits) > 18:  # fits 64 bits
        raise InvalidCursor(f"expected a cursor that an earlier page gave, found {cursor[:40]!r}", field="cursor")
    return int(digits)
