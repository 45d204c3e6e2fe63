"""The operator's verbs over the ledger: show, verify, export, erase, accept a loss."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from holdfast.errors import InvalidInput
from holdfast.ledger.audit import ExportedEntry
from holdfast.ledger.chain import Verdict
from holdfast.ledger.journal import Erased, Journal
from holdfast.ledger.query import Entry, Query
from holdfast.record import Header
from holdfast.tier import Tier

__all__ = [
    "EntryUnknown",
    "EraseRequest",
    "ExportRequest",
    "ExportedPage",
    "Nothing",
    "ShowRequest",
    "Shown",
    "ShownEntry",
    "accept_loss",
    "erase",
    "export",
    "show",
    "verify",
]

_MOST_SHOWN = 1000
_MOST_EXPORTED = 2000


class EntryUnknown(InvalidInput):
    """No entry has this reference."""


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For verbs that take nothing."""


class ShowRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries to show, newest first; with `reference` the one that has it."""

    reference: str | None = None
    """The public id (`dec_…`) or the sequence."""
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    tier: Tier | None = None
    band: str | None = None
    subject: str | None = None
    limit: int = 50
    before: int | None = None


class ShownEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry with its payload as plain values."""

    header: Header
    state: str
    payload: Any = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, and where to go on."""

    entries: tuple[ShownEntry, ...]
    next_before: int | None


class ExportRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The next entries after a sequence."""

    after: int = 0


class ExportedPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries in order, sealed; the last page is empty."""

    entries: tuple[ExportedEntry, ...]


class EraseRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose entries to erase."""

    subject: str
    """The task id, as it was sent."""


def show(journal: Journal, asked: ShowRequest) -> Shown:
    """Entries with their payloads opened. Raises EntryUnknown."""
    if asked.reference is not None:
        return Shown(entries=(_shown(_one(journal, asked.reference)),), next_before=None)
    page = journal.list(
        Query(
            kinds=asked.kinds,
            since_at=_aware(asked.since),
            until_at=_aware(asked.until),
            tier=asked.tier,
            band=asked.band,
            subject=asked.subject,
            limit=min(max(asked.limit, 1), _MOST_SHOWN),
            before=asked.before,
        )
    )
    return Shown(entries=tuple(_shown(entry) for entry in page.entries), next_before=page.next_before)


def verify(journal: Journal, _: Nothing) -> Verdict:
    """Walk the whole chain and hold it against the anchor."""
    return journal.verify()


def export(journal: Journal, asked: ExportRequest) -> ExportedPage:
    """One page of the ledger as it lies on disk."""
    return ExportedPage(entries=tuple(journal.export(asked.after, limit=_MOST_EXPORTED)))


def erase(journal: Journal, asked: EraseRequest) -> Erased:
    """Destroy what opens the payloads about one subject."""
    if not asked.subject:
        raise InvalidInput("subject: expected a task id, found nothing", field="/subject")
    return journal.erase(asked.subject)


def accept_loss(journal: Journal, _: Nothing) -> Verdict:
    """Record that an operator knows what is missing, then verify again."""
    journal.accept_loss()
    return journal.verify()


def _one(journal: Journal, reference: str) -> Entry:
    by_sequence = reference.isascii() and reference.isdigit() and len(reference) <= len(str(1 << 62))
    entry = journal.entry(int(reference)) if by_sequence else journal.find(reference)
    if entry is None:
        raise EntryUnknown(f"{reference[:80]}: the ledger has no entry with this id or sequence", field="/reference")
    return entry


def _shown(entry: Entry) -> ShownEntry:
    payload = _plain(entry.payload) if entry.payload is not None else None
    return ShownEntry(header=entry.header, state=entry.state, payload=payload)


def _plain(value: Any) -> Any:
    """Open what is encoded inside `value`: apps keep JSON or MessagePack, sometimes one within the other."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, bytes):
        return value
    for decode in (msgspec.json.decode, msgspec.msgpack.decode):
        try:
            decoded = decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(decoded, dict | list):
            return _plain(decoded)
    return value.hex()


def _aware(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
