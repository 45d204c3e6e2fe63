"""Trace: everything the ledger knows about one task, from the package that answered to a person's last word."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.apps.triage.decision import Contribution, Decision, Override
from holdfast.apps.triage.records import (
    DECISION,
    OVERRIDE,
    PolicyRecord,
    unpack_decision,
    unpack_override,
    unpack_policy,
)
from holdfast.apps.triage.writeback_record import WRITE_BACK, unpack_write_back_record
from holdfast.errors import InvalidInput
from holdfast.ledger.journal import Journal
from holdfast.ledger.query import Entry, Query
from holdfast.store.slots import Happening, StoreState

__all__ = ["Approval", "NothingKnown", "PolicyTold", "TracedDecision", "TracedEvent", "Why", "why"]

_MOST = 200  # entries of one task; the latest
_NAMED = 3  # contributions in the sentence
_OPEN = msgspec.msgpack.Decoder()


class NothingKnown(InvalidInput):
    """The ledger has nothing about a task."""


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the package that answered came to answer."""

    package: str
    version: str
    digest: str
    held: bool
    """Whether the node still holds it."""
    signers: tuple[str, ...]
    """Empty: nobody signed it, and `trust.allow_unsigned` let it in."""
    events: tuple[Happening, ...]
    """When it was installed, activated, rolled back, oldest first; each is in the ledger too, as kind `package`."""


class PolicyTold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The weights, bands and rules a score was made under."""

    digest: str
    rules_digest: str
    settings_generation: int
    weights: dict[str, float]
    bands: dict[str, float]
    rules: str | None
    """The rule file as it was; null when its record was erased."""


class TracedDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One decision, with what it stands on and what became of it."""

    sequence: int
    recorded_at: str
    decision: Decision
    policy: PolicyTold
    approval: Approval
    overrides: tuple[Override, ...]
    """Oldest first; the last one counts."""


class TracedEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ledger entry about the task."""

    sequence: int
    recorded_at: str
    kind: str
    state: str
    """`kept`, `erased` or `headers_only`."""
    summary: str
    detail: Any = None


class Why(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a task has the priority it has."""

    task_id: str
    sentence: str
    decisions: tuple[TracedDecision, ...]
    """Newest first."""
    events: tuple[TracedEvent, ...]
    """Everything, oldest first."""


def why(journal: Journal, store: StoreState, task_id: str, *, team: str | None = None) -> Why:
    """Return the whole trace of a task. Raises NothingKnown."""
    entries = journal.list(Query(subject=task_id, team=team, limit=_MOST)).entries
    if not entries:
        raise NothingKnown(f"task {task_id[:80]!r}: the ledger has no entry about it", field="task_id")
    decisions = tuple(
        _traced(entry, entries, journal=journal, store=store)
        for entry in entries
        if entry.header.kind == DECISION and entry.payload is not None
    )
    return Why(
        task_id=task_id,
        sentence=_sentence(task_id, entries, decisions),
        decisions=decisions,
        events=tuple(_event(entry) for entry in reversed(entries)),
    )


def _traced(entry: Entry, entries: tuple[Entry, ...], *, journal: Journal, store: StoreState) -> TracedDecision:
    record = unpack_decision(entry.payload or b"")
    decision = record.decision
    overrides = [
        unpack_override(other.payload)
        for other in reversed(entries)
        if other.header.kind == OVERRIDE and other.payload is not None
    ]
    found = journal.find(f"policy:{record.policy}")
    policy = unpack_policy(found.payload) if found is not None and found.payload is not None else None
    return TracedDecision(
        sequence=entry.header.sequence,
        recorded_at=entry.header.recorded_at,
        decision=decision,
        policy=_policy(record.policy, decision, policy),
        approval=_approval(decision, store),
        overrides=tuple(one.override for one in overrides if one.decision_id == decision.decision_id),
    )


def _policy(digest: str, decision: Decision, kept: PolicyRecord | None) -> PolicyTold:
    rubric = kept.rubric if kept is not None else None
    return PolicyTold(
        digest=digest,
        rules_digest=decision.rules_digest,
        settings_generation=decision.settings_generation,
        weights=msgspec.to_builtins(rubric.weights) if rubric is not None else {},
        bands=msgspec.to_builtins(rubric.bands) if rubric is not None else {},
        rules=kept.rules if kept is not None else None,
    )


def _approval(decision: Decision, store: StoreState) -> Approval:
    served = decision.served_by
    slots = store.packages.get(served.package)
    held = slots.by_digest(served.digest) if slots is not None else None
    history = slots.history if slots is not None else ()
    return Approval(
        package=served.package,
        version=served.version,
        digest=served.digest,
        held=held is not None,
        signers=held.signers if held is not None else (),
        events=tuple(one for one in history if one.digest == served.digest),
    )


def _event(entry: Entry) -> TracedEvent:
    summary, detail = _told(entry)
    return TracedEvent(
        sequence=entry.header.sequence,
        recorded_at=entry.header.recorded_at,
        kind=entry.header.kind,
        state=entry.state,
        summary=summary,
        detail=detail,
    )


def _told(entry: Entry) -> tuple[str, Any]:
    """One line about the entry, and what it holds beyond what `decisions` shows."""
    header = entry.header
    if entry.payload is None:
        rest = f"score {header.score:g}, {header.band}" if header.score is not None else "its header alone"
        return f"{rest}; the sealed payload is gone", None
    if header.kind == DECISION:
        decision = unpack_decision(entry.payload).decision
        return f"{decision.priority}, score {decision.score:g}, by {_server(decision)}", None
    if header.kind == OVERRIDE:
        return _corrected(unpack_override(entry.payload).override), None
    if header.kind == WRITE_BACK:
        written = unpack_write_back_record(entry.payload)
        return f"{written.outcome} in {written.connection}", msgspec.to_builtins(written)
    return header.kind, _decoded(entry.payload)


def _decoded(payload: bytes) -> Any:
    """What another part of the node kept: MessagePack or JSON, whichever it is."""
    try:
        return msgspec.json.decode(payload)
    except msgspec.DecodeError:
        try:
            return msgspec.to_builtins(_OPEN.decode(payload))
        except msgspec.DecodeError:
            return None


def _server(decision: Decision) -> str:
    served = decision.served_by
    signed = ", unsigned" if served.unsigned else ""
    return f"{served.package} {served.version} ({served.tier.value} tier{signed})"


def _corrected(override: Override) -> str:
    parts = [one for one in (override.priority, override.route) if one]
    because = f": {override.reason}" if override.reason else ""
    return f"{override.by or 'somebody'} chose {' and '.join(parts)} at {override.at}{because}"


def _sentence(task_id: str, entries: tuple[Entry, ...], decisions: tuple[TracedDecision, ...]) -> str:
    if not decisions:
        return f"{task_id}: {len(entries)} entries, but no decision that can still be read."
    latest = decisions[0]
    decision = latest.decision
    strongest = sorted(decision.contributions, key=lambda one: -abs(one.points))[:_NAMED]
    because = ", ".join(map(_contribution, strongest))
    said = f"{task_id}: {_server(decision)} said {decision.priority}, score {decision.score:g}, because of {because}."
    if latest.overrides:
        return f"{said} Then {_corrected(latest.overrides[-1])}; that stands."
    return f"{said} Nobody has corrected it."


def _contribution(one: Contribution) -> str:
    return f"{one.name} {one.points:+.1f} ({one.source})"
