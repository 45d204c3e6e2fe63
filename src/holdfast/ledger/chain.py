"""The hash chain of the ledger: each entry commits to the one before it, to its header and to its sealed payload.

Pure. The format, precise enough for a verifier of one's own, is docs/spec/ledger.md; section numbers refer to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from holdfast.record import Header

__all__ = ["GENESIS", "Audit", "Link", "Verdict", "entry_hash", "erased_through", "payload_digest", "through"]

GENESIS = bytes(32)
"""What the first entry commits to (spec 3)."""

_DOMAIN = b"holdfast-ledger-1\n"
_MOST_BREAKS_NAMED = 20
_THROUGH = "through "
_HEADER = msgspec.json.Decoder(Header)


def entry_hash(previous: bytes, header: bytes) -> bytes:
    """The hash of the entry with these header bytes after the entry with hash `previous` (spec 3)."""
    return hashlib.sha256(_DOMAIN + previous + header).digest()


def payload_digest(sealed: bytes) -> str:
    """What the header keeps of the sealed payload: 64 hexadecimal digits (spec 2)."""
    return hashlib.sha256(sealed).hexdigest()


def through(sequence: int) -> str:
    """The band of a retention entry that erased every payload up to and including `sequence` (spec 5)."""
    return f"{_THROUGH}{sequence}"


def erased_through(band: str | None) -> int:
    """Up to which sequence a retention entry with this band erased; 0 when it does not say."""
    number = (band or "").removeprefix(_THROUGH)
    return int(number) if number.isascii() and number.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Link:
    """One entry as it lies on disk."""

    sequence: int
    header: bytes
    hash: bytes
    sealed: bytes | None
    """None when the payload was erased, or was never kept."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying the ledger found."""

    ok: bool
    entries: int
    head_sequence: int
    head_hash: str
    sealed: int
    """Entries whose payload is there and matches."""
    erased: int
    headers_only: int
    """Entries that never had a payload."""
    breaks: tuple[tuple[int, str], ...]
    """The first (at most 20) sequences that do not hold, and why."""
    anchor: str = "not checked"


@dataclass(slots=True)
class Audit:
    """Walks a chain from its first entry to its last and remembers what does not hold.

    `claimed_through` is what the last retention entry says it erased. It is told in advance so that a walk over years
    of erased entries needs no memory for them, and is believed only if the walk meets that entry.
    """

    claimed_through: int = 0
    previous: bytes = GENESIS
    sequence: int = 0
    entries: int = 0
    sealed: int = 0
    headers_only: int = 0
    erased: int = 0
    breaks: list[tuple[int, str]] = field(default_factory=list)
    _proved_through: int = 0
    _gone: dict[str | None, int] = field(default_factory=dict)
    """Subject -> its last entry without payload beyond `claimed_through`."""
    _erasures: dict[str | None, int] = field(default_factory=dict)
    """Subject -> the last entry that says it was erased."""

    def take(self, links: Iterable[Link]) -> None:
        """Check the next entries, in order."""
        for link in links:
            self.entries += 1
            why = self._fault(link)
            if why is not None:
                self.breaks.append((link.sequence, why))
            # Go on from what is stored, so that one altered entry is reported once and not to the end of the chain.
            self.previous = link.hash
            self.sequence = link.sequence

    def verdict(self) -> Verdict:
        """Sum up what was taken."""
        breaks = sorted([*self.breaks, *self._unexplained()])
        return Verdict(
            ok=not breaks,
            entries=self.entries,
            head_sequence=self.sequence,
            head_hash=self.previous.hex(),
            sealed=self.sealed,
            erased=self.erased,
            headers_only=self.headers_only,
            breaks=tuple(breaks[:_MOST_BREAKS_NAMED]),
        )

    def _fault(self, link: Link) -> str | None:
        """Say what is wrong with `link`, if anything (spec 4, in its order)."""
        if link.sequence != self.sequence + 1:
            return f"entry {self.sequence + 1} is missing before it"
        if entry_hash(self.previous, link.header) != link.hash:
            return "the header, or the hash kept beside it, was altered"
        try:
            header = _HEADER.decode(link.header)
        except msgspec.MsgspecError as error:
            return f"the header is not one of ours ({error})"
        if header.sequence != link.sequence:
            return f"the header says sequence {header.sequence}"
        return self._payload_fault(header, link.sealed)

    def _payload_fault(self, header: Header, sealed: bytes | None) -> str | None:
        self._note_erasure(header)
        if header.payload_sha256 is None:
            self.headers_only += 1
            return None if sealed is None else "a payload lies beside a header that has none"
        if sealed is None:
            self.erased += 1
            if header.sequence > self.claimed_through:
                self._gone[header.subject_hmac] = header.sequence
            return None
        self.sealed += 1
        return None if payload_digest(sealed) == header.payload_sha256 else "the sealed payload was altered"

    def _note_erasure(self, header: Header) -> None:
        if header.kind == "erasure":
            self._erasures[header.subject_hmac] = header.sequence
        elif header.kind == "retention":
            self._proved_through = max(self._proved_through, erased_through(header.band))

    def _unexplained(self) -> Iterable[tuple[int, str]]:
        """Payloads that are gone although no later entry says they were erased (spec 5)."""
        if self._proved_through < self.claimed_through:
            yield self.claimed_through, "no retention entry says that payloads were erased up to here"
        for subject, sequence in self._gone.items():
            if subject is None or sequence > self._erasures.get(subject, 0):
                yield sequence, "the payload is gone and no later entry says it was erased"
