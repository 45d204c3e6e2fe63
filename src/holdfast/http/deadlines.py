"""Until when a request is waited for: its body's field, else its header, else the node's default."""

from __future__ import annotations

from holdfast.http.bodies import whole_number
from holdfast.http.messages import Parameter, Request
from holdfast.http.problems import InvalidField

__all__ = ["DEADLINE_HEADER", "LONGEST_MS", "deadline_of"]

LONGEST_MS = 30_000

DEADLINE_HEADER = Parameter(
    name="Holdfast-Deadline-Ms",
    place="header",
    description="Milliseconds the caller waits; a lower tier answers rather than late. The body's deadline_ms wins.",
    schema={"type": "integer", "minimum": 1, "maximum": LONGEST_MS},
)


def deadline_of(request: Request, in_body_ms: float | None, *, default_ms: int) -> float:
    """Return the monotonic instant after which nobody waits. Raises InvalidField for what is not in range."""
    given = request.header(b"holdfast-deadline-ms")
    if in_body_ms is not None:
        if not 1 <= in_body_ms <= LONGEST_MS:
            raise InvalidField(
                f"parameters.deadline_ms: expected a number from 1 to {LONGEST_MS}, found {in_body_ms:g}",
                field="/parameters/deadline_ms",
            )
        allowed_ms = in_body_ms
    elif given is not None:
        allowed_ms = float(whole_number(given, "Holdfast-Deadline-Ms", least=1, most=LONGEST_MS))
    else:
        allowed_ms = float(default_ms)
    return request.arrived_s + allowed_ms / 1000.0
