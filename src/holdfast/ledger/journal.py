"""The journal: what the node did, appended durably, sealed and chained; found again by those who may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from holdfast.clock import Clock
from holdfast.database import (
    CommitUncertain,
    Database,
    DatabaseBusy,
    DatabaseDamaged,
    DiskFailed,
    DiskFull,
    Transaction,
)
from holdfast.digest import canonical
from holdfast.errors import Refused, Unavailable
from holdfast.finding import Finding
from holdfast.ledger.anchor import AnchorFile, AnchorKeeper
from holdfast.ledger.audit import ExportedEntry, anchor_fault, exported, verified
from holdfast.ledger.chain import Verdict
from holdfast.ledger.entries import prepared, write
from holdfast.ledger.query import Ahead, Entry, Page, Query, ahead, scan
from holdfast.ledger.reserve import Mode, Reserve, ReserveLimits
from holdfast.ledger.retention import Retention
from holdfast.ledger.rows import MIGRATIONS, Row, at_sequence, destroy_record_keys, head, lookup, lookup_key, touch
from holdfast.ledger.watching import findings
from holdfast.record import Draft, Header, Recorded
from holdfast.vault import WRAPPED_KEY_BYTES, Sealed, Vault

__all__ = ["DurableFacts", "Erased", "Journal", "KeyReused", "LedgerFull", "LedgerLimits", "SeenKey"]

_HEADER = msgspec.json.Decoder(Header)
_MOST_ATTEMPTS = 40  # more than the whole reserve has steps; then somebody else eats what is released
_RETRY_AFTER_S = 5.0


class LedgerFull(Unavailable):
    """The disk takes no ledger entry, not even a header."""


class KeyReused(Refused):
    """An idempotency key came back with another body."""


class SeenKey(Protocol):
    """An idempotency key that was used before."""

    @property
    def sequence(self) -> int:
        """Of the entry that the first use made."""

    @property
    def body_sha256(self) -> bytes | None:
        """Of the first body."""


class DurableFacts(Protocol):
    """Where idempotency keys and the node's age are kept: `facts.Facts`, a sibling this layer may not name."""

    def age_days(self) -> int:
        """Whole days this node has run."""

    def recall(self, transaction: Transaction, key: str) -> SeenKey | None:
        """The first use of `key`."""

    def remember(self, transaction: Transaction, key: str, *, sequence: int, body_sha256: bytes | None) -> None:
        """Keep the first use of `key`."""


@dataclass(frozen=True, slots=True)
class LedgerLimits:
    """What the ledger may use and how long it keeps payloads."""

    anchor_file: Path
    """Best on another disk: whoever can put an older database back can put an older anchor back beside it."""
    reserve: ReserveLimits
    retention_days: int = 30
    audit: Literal["required", "best-effort"] = "required"


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did."""

    sequence: int
    """Of the entry that says so."""
    entries: int
    """Whose record keys were destroyed."""
    purged: bool
    """False while a reader keeps the write-ahead log from being cut; the node goes on trying."""


@dataclass(frozen=True, slots=True)
class _Written:
    first: int
    last: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class _Use:
    """An idempotency key and the body it came with."""

    key: str
    body_sha256: bytes | None


class Journal:
    """The ledger of one node. Any thread may call anything; the database's writer puts entries in order."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        facts: DurableFacts,
        clock: Clock,
        limits: LedgerLimits,
    ) -> None:
        database.migrate("ledger", MIGRATIONS)
        self._database = database
        self._vault = vault
        self._facts = facts
        self._clock = clock
        self._limits = limits
        self._measures = database.measures
        self._reserve = Reserve(limits.reserve)
        self._retention = Retention(database, vault, days=limits.retention_days)
        self._purge_wanted = True  # a crash may have come between an erasure and the cutting of the log
        self._probe: Future[None] | None = None
        self._anchor_file = AnchorFile(limits.anchor_file, vault)
        self._anchor = AnchorKeeper(self._anchor_file, clock=clock, measures=self._measures)
        self._start_anchor()

    @property
    def mode(self) -> Mode:
        """Whether payloads, only headers, or nothing can be kept now."""
        return self._reserve.mode

    def append(
        self,
        draft: Draft,
        *,
        idempotency_key: str | None = None,
        body_sha256: bytes | None = None,
        extra: Callable[[Transaction], None] | None = None,
    ) -> Recorded:
        """Record `draft` and return once it is durable; `extra` runs in the same unit of work.

        An idempotency key used before appends nothing: the first entry's sequence and payload come back, `replayed`.
        Raises KeyReused when the key came with another body, LedgerFull (unless audit is best-effort), DatabaseBusy.
        """
        (recorded,) = self.append_many((draft,), idempotency_key=idempotency_key, body_sha256=body_sha256, extra=extra)
        return recorded

    def append_many(
        self,
        drafts: Sequence[Draft],
        *,
        idempotency_key: str | None = None,
        body_sha256: bytes | None = None,
        extra: Callable[[Transaction], None] | None = None,
    ) -> tuple[Recorded, ...]:
        """Record `drafts` in order, all or none, behind one fsync; an idempotency key is the key of them all."""
        if not drafts:
            return ()
        use = _Use(idempotency_key, body_sha256) if idempotency_key is not None else None
        found = self._append(drafts, use, extra=extra)
        if found is None:
            return (Recorded(recorded=False, sequence=None),) * len(drafts)
        if isinstance(found, _Written):
            return tuple(Recorded(recorded=True, sequence=s) for s in range(found.first, found.last + 1))
        return tuple(self._replayed(s) for s in range(found.sequence - len(drafts) + 1, found.sequence + 1))

    def find(self, reference: str) -> Entry | None:
        """The latest entry recorded under the public id `reference`."""
        key = lookup_key(self._vault.hmac("reference", reference.encode()))

        def query(transaction: Transaction) -> Row | None:
            sequences = lookup(transaction, key)
            return at_sequence(transaction, sequences[0]) if sequences else None

        return self._opened(self._database.read(query))

    def entry(self, sequence: int) -> Entry | None:
        """The entry with this sequence."""
        return self._opened(self._database.read(lambda t: at_sequence(t, sequence)))

    def list(self, query: Query) -> Page:
        """A page of entries that match `query`, newest first."""
        subject = self._vault.hmac("subject", query.subject.encode()) if query.subject is not None else None
        rows, next_before = scan(self._database, query, subject_key=lookup_key(subject) if subject else None)
        opened = [self._opened(row) for row in rows]
        return Page(entries=tuple(entry for entry in opened if entry is not None), next_before=next_before)

    def follow(self, after: int, *, kinds: tuple[str, ...], limit: int) -> Ahead:
        """At most `limit` entries of `kinds` after sequence `after`, oldest first: for whoever keeps up with it."""
        rows, through, last = ahead(self._database, after, kinds=kinds, limit=limit)
        opened = tuple(entry for row in rows if (entry := self._opened(row)) is not None)
        return Ahead(entries=opened, through=through, last=last)

    def is_about(self, header: Header, subject: str) -> bool:
        """Say whether the entry with this header is about `subject`."""
        return header.subject_hmac == self._vault.hmac("subject", subject.encode()).hex()

    def verify(self) -> Verdict:
        """Walk the whole chain and hold it against the anchor; takes seconds for each million entries."""
        return verified(self._database, self._anchor_file.read())

    def export(self, after: int = 0, *, limit: int | None = None) -> Iterator[ExportedEntry]:
        """At most `limit` entries after sequence `after`, oldest first, sealed: what a verifier without keys needs."""
        return islice(exported(self._database, after), limit)

    def erase(self, subject: str) -> Erased:
        """Destroy the record keys of everything kept about `subject`, durably, and say so in the chain.

        Headers stay, with the keyed hash of the subject: they say nothing about a person.
        """
        key = lookup_key(self._vault.hmac("subject", subject.encode()))
        counts: list[int] = []

        def destroy(transaction: Transaction) -> None:
            _, *sequences = lookup(transaction, key)  # the newest is the erasure's own entry
            counts.append(destroy_record_keys(transaction, sequences, key_bytes=WRAPPED_KEY_BYTES))

        draft = Draft(kind="erasure", subject=subject, payload=canonical({"of": "subject"}))
        recorded = self.append(draft, extra=destroy)
        if not recorded.recorded:
            raise LedgerFull("the disk takes no erasure now; nothing was erased", retry_after_s=_RETRY_AFTER_S)
        self._purge_wanted = True
        return Erased(sequence=recorded.sequence or 0, entries=counts[-1], purged=self._purge())

    def accept_loss(self) -> None:
        """Record that an operator knows what the anchor found missing, and stop reporting it."""
        draft = Draft(kind="loss-accepted", payload=canonical({"loss": self._anchor.loss}))
        if self.append(draft).recorded:
            self._anchor.accept_loss()

    def step(self) -> None:
        """Watch the disk, come back from a full one, erase what is due. Called by the node's sense loop."""
        self._reserve.step(writable=self._writable())
        log_error = self._database.checkpoint_error()
        if isinstance(log_error, DiskFull | DiskFailed):
            self._reserve.refused(log_error, turn=self._reserve.turn)
            self._purge_wanted = True  # which also tries the checkpoint again
        with suppress(Unavailable):  # what is due stays due; the mode already says what is wrong with the disk
            self._purge_wanted |= self._retention.step(self._facts.age_days(), self.append)
        if self._purge_wanted:
            self._purge()

    def findings(self) -> tuple[Finding, ...]:
        """What a person should know about the ledger now."""
        return findings(self._reserve, self._anchor)

    def close(self) -> None:
        """Write the anchor; the database closes after this."""
        self._anchor.close()

    def _start_anchor(self) -> None:
        anchor = self._anchor_file.read()
        sequence, head_hash = self._database.read(head)
        first = anchor is None and sequence == 0
        self._anchor.start(sequence, head_hash, loss="" if first else anchor_fault(self._database, anchor))

    def _writable(self) -> bool:
        """Whether the disk took the last probing write; begins the next one when the mode asks for it."""
        if self._reserve.mode is Mode.OK:
            self._probe = None
            return True
        done = self._probe is not None and self._probe.done()
        writable = done and self._probe is not None and self._probe.exception() is None
        if done or self._probe is None:
            self._probe = self._database.submit(touch)
        return writable

    def _purge(self) -> bool:
        """Cut the log, where erased bytes still lie; False when a reader was in the way and `step` has to try again."""
        with suppress(Unavailable):  # a full or failing disk: `step` tries again when it is writable
            self._purge_wanted = not self._database.checkpoint()
        return not self._purge_wanted

    def _append(
        self, drafts: Sequence[Draft], use: _Use | None, *, extra: Callable[[Transaction], None] | None
    ) -> _Written | SeenKey | None:
        """Commit with what the disk still takes; None when it takes nothing and audit is best-effort."""
        for _ in range(_MOST_ATTEMPTS):
            turn, mode = self._reserve.turn, self._reserve.mode
            if mode is Mode.FULL:
                break
            try:
                return self._commit(drafts, use, extra=extra, with_payloads=mode is Mode.OK)
            except (DiskFull, DiskFailed) as error:
                self._reserve.refused(error, turn=turn)
            except (CommitUncertain, DatabaseBusy, DatabaseDamaged):
                if self._limits.audit == "best-effort":
                    return None
                raise
        if self._limits.audit == "best-effort":
            return None
        raise LedgerFull(
            f"the ledger {self._database.path} takes no entry: {self._reserve.cause}; free space under "
            f"{self._database.path.parent}",
            retry_after_s=_RETRY_AFTER_S,
        )

    def _commit(
        self,
        drafts: Sequence[Draft],
        use: _Use | None,
        *,
        extra: Callable[[Transaction], None] | None,
        with_payloads: bool,
    ) -> _Written | SeenKey:
        day, at = self._facts.age_days(), self._clock.wall_at()
        batch = prepared(drafts, self._vault, day=day, at=at, with_payloads=with_payloads)

        def unit(transaction: Transaction) -> _Written | SeenKey:
            if use is not None and (first := self._first_use(transaction, use)) is not None:
                return first
            last, entry_hash = write(transaction, batch)
            written = _Written(first=last - len(drafts) + 1, last=last, hash=entry_hash)
            if use is not None:
                self._facts.remember(transaction, use.key, sequence=last, body_sha256=use.body_sha256)
            if extra is not None:
                extra(transaction)
            return written

        found = self._database.commit(unit)
        if isinstance(found, _Written):
            self._anchor.advance(found.last, found.hash)
            self._count(drafts)
        return found

    def _count(self, drafts: Sequence[Draft]) -> None:
        for kind, count in Counter(draft.kind for draft in drafts).items():
            self._measures.add("ledger_entries_total", kind, amount=count)
        for draft in drafts:
            if draft.team:
                self._measures.add("team_entries_total", draft.team, draft.kind, draft.band or "")

    def _replayed(self, sequence: int) -> Recorded:
        entry = self.entry(sequence)
        return Recorded(
            recorded=True, sequence=sequence, replayed=True, payload=entry.payload if entry is not None else None
        )

    def _first_use(self, transaction: Transaction, use: _Use) -> SeenKey | None:
        first = self._facts.recall(transaction, use.key)
        if first is not None and first.body_sha256 != use.body_sha256:
            raise KeyReused("this Idempotency-Key was used before with another body; send the first body or a new key")
        return first

    def _opened(self, row: Row | None) -> Entry | None:
        if row is None:
            return None
        header = _HEADER.decode(row.header)
        if header.payload_sha256 is None:
            return Entry(header=header, state="headers_only")
        payload = None
        if row.sealed is not None and row.record_key is not None:
            payload = self._vault.unseal(Sealed(day=row.day, payload=row.sealed, wrapped_key=row.record_key))
        return Entry(header=header, state="erased" if payload is None else "kept", payload=payload)
