"""From drafts to chained entries: the work of one append, split into what needs the head of the chain and what not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from holdfast.database import Transaction
from holdfast.digest import canonical
from holdfast.ledger.chain import entry_hash, payload_digest
from holdfast.ledger.rows import head, insert, lookup_key
from holdfast.record import Draft, Header
from holdfast.vault import Sealed, Vault

__all__ = ["Batch", "prepared", "write"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Facts(msgspec.Struct, frozen=True, kw_only=True):  # several times cheaper to make than a frozen dataclass
    """One draft, hashed and sealed; everything of its entry but sequence and hash."""

    draft: Draft
    subject_hmac: bytes | None
    reference_hmac: bytes | None
    sealed: Sealed | None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Drafts ready for the chain."""

    facts: tuple[_Facts, ...]
    day: int
    recorded_at: str
    recorded_ms: int


def prepared(drafts: Sequence[Draft], vault: Vault, *, day: int, at: datetime, with_payloads: bool) -> Batch:
    """Hash and, `with_payloads`, seal `drafts`; on the caller's thread, so that the writer does only what it must."""
    sealed: Sequence[Sealed | None] = (
        vault.seal_many(day, [draft.payload for draft in drafts]) if with_payloads else [None] * len(drafts)
    )
    facts = tuple(
        _Facts(
            draft=draft,
            subject_hmac=vault.hmac("subject", draft.subject.encode()) if draft.subject else None,
            reference_hmac=vault.hmac("reference", draft.reference.encode()) if draft.reference else None,
            sealed=seal,
        )
        for draft, seal in zip(drafts, sealed, strict=True)
    )
    return Batch(
        facts=facts,
        day=day,
        recorded_at=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        recorded_ms=(at - _EPOCH) // timedelta(milliseconds=1),
    )


def write(transaction: Transaction, batch: Batch) -> tuple[int, bytes]:
    """Chain and insert `batch` after the head; returns the new head, sequence and hash."""
    sequence, previous = head(transaction)
    entries: list[tuple[object, ...]] = []
    payloads: list[tuple[int, bytes]] = []
    lookups: list[tuple[int, int]] = []
    for facts in batch.facts:
        sequence += 1
        header = _header(facts, sequence, batch.recorded_at)
        encoded = canonical(header)
        previous = entry_hash(previous, encoded)
        wrapped_key = None
        if facts.sealed is not None:
            payloads.append((sequence, facts.sealed.payload))
            wrapped_key = facts.sealed.wrapped_key
        columns = (header.kind, header.band, header.tier, batch.recorded_ms, batch.day, wrapped_key, header.team)
        entries.append((sequence, encoded, previous, *columns))
        hashes = (facts.subject_hmac, facts.reference_hmac)
        lookups.extend((lookup_key(found), sequence) for found in hashes if found is not None)
    insert(transaction, entries, payloads=payloads, lookups=lookups)
    return sequence, previous


def _header(facts: _Facts, sequence: int, recorded_at: str) -> Header:
    draft = facts.draft
    return Header(
        sequence=sequence,
        kind=draft.kind,
        recorded_at=recorded_at,
        tier=draft.tier.value if draft.tier is not None else None,
        package=draft.package,
        score=draft.score,
        band=draft.band,
        subject_hmac=facts.subject_hmac.hex() if facts.subject_hmac is not None else None,
        payload_sha256=payload_digest(facts.sealed.payload) if facts.sealed is not None else None,
        team=draft.team or None,
    )
