"""Handled: each decision as the pilot report counts it, with what became of it; no text of any ticket."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Annotated

import msgspec

from holdfast.apps.triage.decision import Decision
from holdfast.apps.triage.records import DECISION, unpack_decision, unpack_override
from holdfast.apps.triage.ticket import InvalidTicket, Ticket, read_circumstances, read_instant
from holdfast.apps.triage.writeback_record import unpack_write_back_record, write_back_reference
from holdfast.ledger.journal import Journal
from holdfast.ledger.query import Entry, Query
from holdfast.report.handled import Handled

__all__ = ["HandledPage", "HandledQuery", "handled_page"]


class HandledQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which decisions, newest first."""

    since: str
    """RFC 3339; recorded at or after."""
    until: str
    """Recorded before."""
    team: str | None = None
    before: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 500


class HandledPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some of them."""

    tasks: tuple[Handled, ...]
    packages: dict[str, int]
    """`name version` -> decisions of this page."""
    erased: int
    next_before: int | None


def handled_page(journal: Journal, asked: HandledQuery, *, zone: tzinfo) -> HandledPage:
    """Return a page of decisions. Raises InvalidTicket for an instant that is none."""
    found = journal.list(
        Query(
            kinds=(DECISION,),
            since_at=read_instant(asked.since, UTC, field="since"),
            until_at=read_instant(asked.until, UTC, field="until"),
            team=asked.team,
            limit=asked.limit,
            before=asked.before,
        )
    )
    packages: dict[str, int] = {}
    tasks = []
    for entry in found.entries:
        if entry.payload is None:
            continue
        record = unpack_decision(entry.payload)
        served = record.decision.served_by
        name = f"{served.package} {served.version}"
        packages[name] = packages.get(name, 0) + 1
        tasks.append(_handled(journal, entry, record.decision, record.read_ticket(), zone=zone))
    return HandledPage(
        tasks=tuple(tasks), packages=packages, erased=len(found.entries) - len(tasks), next_before=found.next_before
    )


def _handled(journal: Journal, entry: Entry, decision: Decision, ticket: Ticket, *, zone: tzinfo) -> Handled:
    corrected = journal.find(f"override:{decision.decision_id}")
    override = None
    if corrected is not None and corrected.payload is not None:
        override = unpack_override(corrected.payload).override
    said = override.priority if override is not None and override.priority is not None else decision.priority
    opened, deadline = _instants(ticket, zone)
    return Handled(
        task_id=decision.task_id,
        team=decision.team,
        opened_s=opened,
        triaged_s=_seconds(entry.header.recorded_at),
        told_s=_told_s(journal, decision.decision_id),
        deadline_s=deadline,
        priority=decision.priority.value,
        final_priority=said.value,
        overridden=corrected is not None,
        tier=decision.served_by.tier.value,
    )


def _told_s(journal: Journal, decision_id: str) -> float | None:
    """When the tracker had taken what the node said; None where it was left to a person, or never written."""
    found = journal.find(write_back_reference(decision_id))
    if found is None or found.payload is None or unpack_write_back_record(found.payload).outcome == "left":
        return None
    return _seconds(found.header.recorded_at)


def _instants(ticket: Ticket, zone: tzinfo) -> tuple[float | None, float | None]:
    """When the ticket was opened and when it is due, as it says itself."""
    try:
        known = read_circumstances(ticket, zone)
    except InvalidTicket:
        return None, None  # recorded before the time zone or the checks were what they are now: unknown, and counted so
    opened, deadline = known.created_at, known.deadline_at
    return opened.timestamp() if opened else None, deadline.timestamp() if deadline else None


def _seconds(recorded_at: str) -> float:
    return datetime.fromisoformat(recorded_at).timestamp()
