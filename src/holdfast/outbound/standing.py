"""Standing: how the way out is, host by host, for people and programs to read."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["HostStanding", "Standing"]


class HostStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One host the node has talked to, or tried to, since it started."""

    host: str
    state: Literal["answers", "fails", "rests", "untrusted"]
    """fails: the last exchange came to nothing. rests: several did, it is tried again now and then. untrusted: TLS."""
    failures: int
    """In a row."""
    reason: str
    """Why the last one failed; empty when it did not."""
    rests_s: float
    """Until it is tried again; 0 when it may be."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and what is used up."""

    allowed: tuple[str, ...]
    hosts: tuple[HostStanding, ...]
    bytes_today: int
    bytes_per_day: int
    refused: str
    """The last destination that was not allowed, within the hour; empty: none."""
