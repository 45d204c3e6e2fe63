"""What every endpoint takes and returns: a request whose body is read and bounded, a reply ready to be sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl

from holdfast.access import OPERATE, Caller, Need

__all__ = ["Endpoint", "Parameter", "Reply", "Request", "Stage"]

Stage = Literal["inline", "answering", "operator"]
"""Where an endpoint runs: on the event loop (it must not block), or in one of the two limiters' threads."""


@dataclass(slots=True)
class Request:
    """One request after the gate: checked, its body complete."""

    method: str
    path: str
    arguments: dict[str, str]
    """Path arguments of the route's template."""
    query_bytes: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    request_id: str
    arrived_s: float
    """Monotonic, when the head was complete."""
    caller: Caller

    def query(self) -> dict[str, str]:
        """Decoded query parameters; of a repeated one the last counts."""
        return dict(parse_qsl(self.query_bytes.decode("latin-1"), keep_blank_values=True))

    def header(self, name: bytes) -> str | None:
        """One header by its lower-case name without the white space around it (RFC 9110, 5.5), or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1").strip(" \t")


@dataclass(slots=True)
class Reply:
    """One answer, encoded."""

    body: bytes
    status: int = 200
    media_type: bytes = b"application/json"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One query parameter or header an endpoint reads; for the documentation."""

    name: str
    place: Literal["query", "header"] = "query"
    description: str = ""
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path: the code, where it runs, and what the documentation says of it."""

    method: str
    template: str
    call: Callable[[Request], Reply]
    summary: str
    stage: Stage = "operator"
    media_types: tuple[bytes, ...] = (b"application/json",)
    """What a body may be."""
    takes: type | None = None
    gives: type | None = None
    gives_media_type: str = "application/json"
    parameters: tuple[Parameter, ...] = ()
    failures: Callable[[BaseException, str], Reply] | None = None
    """Renders an error in the dialect of the protocol; None: problem+json."""
    groupable: bool = False
    """Calls that wait may be done together, see Limiter; not those under an Idempotency-Key, each its own fsync."""
    needs: Need | None = OPERATE
    """What a caller must have once the node has tokens; None: it tells nothing, or wants a proof of its own."""
    socket_only: bool = False
    """Served on the owner socket only."""
    proves: bool = False
    """The endpoint holds the body against a signature before anything reads it, its nesting included."""
