"""Exchange: one HTTP request to the outside and its answer as plain values; only `outbound` makes packets of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Incoming", "Outgoing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request that may leave, if the gate lets it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Credentials are here: never print an Outgoing."""
    body: bytes = b""

    def __repr__(self) -> str:
        """Show where it goes and nothing that is secret."""
        return f"{self.method} {self.url.partition('?')[0]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What came back, read whole and bounded."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
