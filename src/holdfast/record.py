"""The envelope the ledger keeps; apps own the payload types."""

from __future__ import annotations

import msgspec

from holdfast.digest import Digest
from holdfast.tier import Tier

__all__ = ["Draft", "Header", "Recorded"]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is about to be recorded: the closed header's facts, and a payload to be sealed."""

    kind: str
    """`decision`, `override`, `package`, `config`, `erasure`, ..."""
    payload: bytes
    """What only key holders may read: text, ids, contributions, hashes. Encoded by the app."""
    reference: str = ""
    """The event's public id (`dec_…`), found again through a keyed hash of it."""
    subject: str = ""
    """The task id; kept outside the payload only as an HMAC."""
    tier: Tier | None = None
    package: Digest | None = None
    score: float | None = None
    band: str | None = None
    team: str = ""
    """Whose event it is; empty for what belongs to no team."""


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The closed, hash-chained part of a ledger entry: it says nothing about a person."""

    sequence: int
    kind: str
    recorded_at: str
    tier: str | None
    package: str | None
    score: float | None
    band: str | None
    subject_hmac: str | None
    payload_sha256: str | None
    """Of the sealed payload; null when the disk was full and headers only were kept."""
    team: str | None = None
    """Absent, not null, for what belongs to no team: such headers are as they were before there were teams."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that a draft is on disk, or the plain statement that it is not."""

    recorded: bool
    sequence: int | None
    replayed: bool = False
    """True when the same idempotency key was answered before: `payload` is the first decision's."""
    payload: bytes | None = None
