"""Verifying the whole ledger, and writing it out for a verifier of one's own."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import partial

import msgspec

from holdfast.database import Database
from holdfast.ledger.anchor import Anchor
from holdfast.ledger.chain import GENESIS, Audit, Link, Verdict
from holdfast.ledger.rows import claimed_through, disagreeing, links_after

__all__ = ["ExportedEntry", "anchor_fault", "exported", "verified"]

_CHUNK = 2000
"""Entries read in one snapshot: a single one over years of entries would keep the log from being cut meanwhile."""


class ExportedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an export (spec 6): all that a verifier without any key needs."""

    sequence: int
    header: str
    """The header's very bytes, which are ASCII or UTF-8 JSON."""
    hash: str
    sealed: str | None
    """The sealed payload in base64; null when it was erased or never kept."""


def verified(database: Database, anchor: Anchor | None) -> Verdict:
    """Walk the chain from its first entry to its last and hold it against the anchor, read before the walk began."""
    audit = Audit(claimed_through=database.read(claimed_through))
    altered: list[int] = []
    for links in _chunks(database):
        audit.take(links)
        altered += database.read(partial(disagreeing, first=links[0].sequence, last=links[-1].sequence))
    audit.breaks += [(sequence, "its index columns disagree with its header") for sequence in altered]
    verdict = audit.verdict()
    fault = anchor_fault(database, anchor)
    return msgspec.structs.replace(
        verdict, ok=verdict.ok and not fault, anchor=fault or f"holds at {anchor.sequence if anchor else 0}"
    )


def anchor_fault(database: Database, anchor: Anchor | None) -> str:
    """Say what the anchor saw that the ledger does not have; empty when the ledger satisfies it."""
    if anchor is None:
        return "the anchor file is missing"
    if anchor.loss:
        return anchor.loss
    if anchor.sequence == 0:
        return "" if anchor.hash == GENESIS.hex() else "the anchor is not one of ours"
    row = database.read(lambda t: t.row("SELECT hash FROM entries WHERE sequence = ?", (anchor.sequence,)))
    seen = f"the anchor of {anchor.written_at} saw entry {anchor.sequence}"
    if row is None:
        return f"{seen}, the ledger ends before it: it was cut short, or is an older copy"
    return "" if row[0].hex() == anchor.hash else f"{seen} with another hash: entries up to it were replaced"


def exported(database: Database, after: int) -> Iterator[ExportedEntry]:
    """Every entry after `after`, oldest first, sealed as it lies on disk."""
    for links in _chunks(database, after):
        for link in links:
            yield ExportedEntry(
                sequence=link.sequence,
                header=link.header.decode(),
                hash=link.hash.hex(),
                sealed=base64.b64encode(link.sealed).decode() if link.sealed is not None else None,
            )


def _chunks(database: Database, after: int = 0) -> Iterator[list[Link]]:
    sequence = after
    while True:
        links = database.read(partial(links_after, sequence=sequence, limit=_CHUNK))
        if not links:
            return
        yield links
        sequence = links[-1].sequence
