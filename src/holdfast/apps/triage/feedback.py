"""Feedback: people's corrections as labelled tickets, which `triage train` reads like any other file."""

from __future__ import annotations

from typing import Annotated

import msgspec

from holdfast.apps.triage.decision import Decision
from holdfast.apps.triage.records import OVERRIDE, DecisionRecord, OverrideRecord, unpack_decision, unpack_override
from holdfast.ledger.journal import Journal
from holdfast.ledger.query import Entry, Query

__all__ = ["FeedbackPage", "FeedbackQuery", "LabelledTicketRow", "export_page"]


class FeedbackQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which corrections, newest first."""

    before: int | None = None
    """Only those recorded before this sequence: `next_before` of the page before."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 200
    team: str | None = None
    """Empty: of no team. Null: whosoever they are."""


class LabelledTicketRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ticket as a person labelled it. The names are those that `triage train` recognises."""

    id: str
    title: str
    body: str
    created_at: str
    """As the ticket says, else when it was scored."""
    priority: str | None
    """The person's; null where they corrected the route alone."""
    route: str | None
    """The person's; null where they corrected the priority alone."""
    by: str
    reason: str
    corrected_at: str
    decision_id: str
    node_priority: str
    node_route: str
    node_score: float
    tier: str
    package: str
    version: str
    digest: str
    team: str


class FeedbackPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some corrections."""

    rows: tuple[LabelledTicketRow, ...]
    erased: int
    """Corrections on this page whose ticket, or whose own record, is gone."""
    next_before: int | None


def export_page(journal: Journal, query: FeedbackQuery) -> FeedbackPage:
    """Return the last correction of each decision; earlier ones of the same decision are left out."""
    found = journal.list(Query(kinds=(OVERRIDE,), team=query.team, limit=query.limit, before=query.before))
    kept = [(entry, unpack_override(entry.payload)) for entry in found.entries if entry.payload is not None]
    last = [record for entry, record in kept if _is_last(journal, entry, record)]
    rows = [_row(journal, record) for record in last]
    readable = tuple(row for row in rows if row is not None)
    erased = len(found.entries) - len(kept) + len(rows) - len(readable)
    return FeedbackPage(rows=readable, erased=erased, next_before=found.next_before)


def _is_last(journal: Journal, entry: Entry, record: OverrideRecord) -> bool:
    latest = journal.find(f"override:{record.decision_id}")
    return latest is None or latest.header.sequence == entry.header.sequence


def _row(journal: Journal, record: OverrideRecord) -> LabelledTicketRow | None:
    """The ticket as the person labelled it; None when it is gone."""
    decided = journal.find(record.decision_id)
    if decided is None or decided.payload is None:
        return None
    made = unpack_decision(decided.payload)
    override = record.override
    ticket = made.read_ticket()
    said: Decision = made.decision
    return LabelledTicketRow(
        id=said.task_id,
        title=ticket.title,
        body=ticket.description,
        created_at=_created_at(made),
        priority=override.priority.value if override.priority is not None else None,
        route=override.route,
        by=override.by,
        reason=override.reason,
        corrected_at=override.at,
        decision_id=said.decision_id,
        node_priority=override.node_priority.value,
        node_route=override.node_route.label,
        node_score=said.score,
        tier=said.served_by.tier.value,
        package=said.served_by.package,
        version=said.served_by.version,
        digest=said.served_by.digest,
        team=said.team,
    )


def _created_at(made: DecisionRecord) -> str:
    written = made.read_ticket().metadata.get("created_at")
    return written if isinstance(written, str) and written else made.decision.at
