"""Decision: what the node says about a ticket, who said it, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from holdfast.digest import Digest, canonical
from holdfast.inference import ServedBy

__all__ = [
    "NEEDS_TRIAGE",
    "Assessment",
    "Contribution",
    "Decision",
    "Override",
    "Priority",
    "Randomness",
    "Routing",
    "Similar",
    "assessment_bytes",
    "decision_id",
    "instant_text",
]

NEEDS_TRIAGE = "needs-triage"
"""The route of a ticket that no head and no rule can place: a person decides."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # https://www.crockford.com/base32.html: sorts as the number does
_PAIRS = tuple(high + low for high in _CROCKFORD for low in _CROCKFORD)


class Priority(StrEnum):
    """The band a score falls in; P0 is the most urgent."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class Routing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The team a ticket should go to, and how sure the node is (0-1)."""

    label: str
    confidence: float


class Contribution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One reason for the score. For every entry `points` = 100 · `weight` · `value`; all points sum to the score."""

    name: str
    """`model`, `deadline`, `requester`, `keywords`, `attachments`, `clamp`, or `rule:` and the rule's name."""
    value: float
    weight: float
    points: float
    source: str
    """Where the value comes from, in words: the head and stage, the matched words, the rule's action."""


class Similar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """An earlier ticket that resembles this one."""

    task_id: str
    similarity: float
    """Cosine, 0-1, of what both are about."""
    priority: Priority
    """How it ended: a person's word where there is one, else the node's latest."""
    route: str
    judged: bool
    """Whether a person said anything about it."""


class Assessment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The reproducible part of a decision: the same inputs give the same bytes of it."""

    score: float
    """0-100, two decimals."""
    priority: Priority
    route: Routing
    contributions: tuple[Contribution, ...]


class Override(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's correction of a decision: it wins, and what the node said is kept beside it."""

    priority: Priority | None = None
    route: str | None = None
    reason: str = ""
    by: str = ""
    at: str = ""
    """RFC 3339, UTC, as the node believed it."""
    node_priority: Priority
    node_route: Routing


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The reply to one ticket, field for field as the contract has it."""

    decision_id: str
    task_id: str
    score: float
    priority: Priority
    route: Routing
    contributions: tuple[Contribution, ...]
    similar: tuple[Similar, ...] = ()
    served_by: ServedBy
    recorded: bool
    """False only in best-effort mode while the ledger cannot write."""
    latency_ms: float
    at: str
    """The instant the ticket was scored for."""
    request_id: str
    rules_digest: Digest
    settings_generation: int
    team: str = ""
    """Whose package and rules decided; empty for a ticket of no team."""
    arm: str = ""
    """Of which experiment, and which arm of it; empty outside of any."""
    override: Override | None = None
    """Set once a person has corrected the decision; `priority` and `route` are then theirs."""


class Randomness(Protocol):
    """The one method of `random.Random` that ids need."""

    def getrandbits(self, k: int, /) -> int:
        """Return an integer of `k` random bits."""


def assessment_bytes(assessment: Assessment | Decision) -> bytes:
    """Return the canonical JSON of {score, priority, route, contributions}: what reproducibility is promised for."""
    if isinstance(assessment, Decision):
        assessment = Assessment(
            score=assessment.score,
            priority=assessment.priority,
            route=assessment.route,
            contributions=assessment.contributions,
        )
    return canonical(assessment)


def decision_id(at: datetime, rng: Randomness) -> str:
    """Return `dec_` and 26 characters that sort by `at` to the millisecond: 48 bits of time, 80 random.

    Source: https://github.com/ulid/spec; an instant before 1970 counts as 1970.
    """
    milliseconds = max(0, int(at.timestamp() * 1000)) & (2**48 - 1)
    number = (milliseconds << 80) | rng.getrandbits(80)
    return "dec_" + "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


def instant_text(moment: datetime) -> str:
    """Return `moment` as RFC 3339 in UTC with `Z`, to the microsecond where there is one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
