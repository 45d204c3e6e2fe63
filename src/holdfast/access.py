"""Who may what: roles in rising order, scopes that narrow them, and the caller of one request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

import msgspec

from holdfast.errors import Refused, Unavailable

__all__ = [
    "JUDGE",
    "METRICS",
    "OPERATE",
    "SCORE",
    "VIEW",
    "Caller",
    "Forbidden",
    "Need",
    "Role",
    "Scope",
    "TooManyRequests",
    "Unauthenticated",
    "require",
    "require_need",
]


class Role(IntEnum):
    """What a caller may do; each includes the ones before it."""

    VIEWER = 1
    OPERATOR = 2
    APPROVER = 3
    ADMIN = 4


class Scope(StrEnum):
    """What a token may be narrowed to; one without scopes may use all that its role reaches."""

    READ = "read"
    """Whatever only shows: decisions, tiers, packages, queues, jobs."""
    SCORE = "score"
    """Tickets in, answers out; infer and embeddings too."""
    JUDGE = "judge"
    """Overrides and what else a person decides about a ticket."""
    METRICS = "metrics"
    """`/metrics`, for a Prometheus that needs nothing else."""
    OPERATE = "operate"
    """What changes the node."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as far as the node can tell."""

    name: str
    """`local` for the open loopback, `uid 0` on the owner socket, `token NAME` with a token."""
    role: Role
    scopes: tuple[Scope, ...] = ()
    """Empty: no narrowing."""
    teams: tuple[str, ...] = ()
    """The only teams whose tickets this caller may see or send; empty: all."""

    def sees(self, team: str) -> bool:
        """Say whether what belongs to `team` (empty: to none) is this caller's to see."""
        return not self.teams or team in self.teams


class Unauthenticated(Refused):
    """The node wants a token and got none, or none that is good."""


class TooManyRequests(Unavailable):
    """This caller asks more often than it may."""


class Forbidden(Refused):
    """The caller's role, scopes or teams do not reach."""


def require(caller: Caller, role: Role, action: str) -> None:
    """Return if `caller` may do `action`. Raises Forbidden."""
    if caller.role < role:
        raise Forbidden(
            f"{action}: expected a caller with role {role.name.lower()}, "
            f"found {caller.name} ({caller.role.name.lower()})"
        )


@dataclass(frozen=True, slots=True)
class Need:
    """What a caller must have for one call."""

    role: Role
    scope: Scope


VIEW = Need(Role.VIEWER, Scope.READ)
METRICS = Need(Role.VIEWER, Scope.METRICS)
SCORE = Need(Role.OPERATOR, Scope.SCORE)
JUDGE = Need(Role.OPERATOR, Scope.JUDGE)
OPERATE = Need(Role.OPERATOR, Scope.OPERATE)


def require_need(caller: Caller, need: Need, action: str) -> None:
    """Return if `caller` has what `action` needs: the role, and the scope where it is narrowed. Raises Forbidden."""
    require(caller, need.role, action)
    if caller.scopes and need.scope not in caller.scopes:
        raise Forbidden(
            f"{action}: expected a token with scope {need.scope.value}, "
            f"found {caller.name} ({', '.join(caller.scopes)})"
        )
