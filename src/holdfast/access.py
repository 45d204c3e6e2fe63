"""Who may what: roles in rising order, and the caller of one request."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from holdfast.errors import Refused

__all__ = ["Caller", "Forbidden", "Role", "require"]


class Role(IntEnum):
    """What a caller may do; each includes the ones before it."""

    VIEWER = 1
    OPERATOR = 2
    APPROVER = 3
    ADMIN = 4


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as far as the node can tell."""

    name: str
    """`local` for the open loopback, `uid 0` on the owner socket."""
    role: Role


class Forbidden(Refused):
    """The caller's role does not reach."""

    def __init__(self, caller: Caller, needed: Role, action: str) -> None:
        super().__init__(
            f"{action}: expected a caller with role {needed.name.lower()}, "
            f"found {caller.name} ({caller.role.name.lower()})"
        )


def require(caller: Caller, role: Role, action: str) -> None:
    """Return if `caller` may do `action`. Raises Forbidden."""
    if caller.role < role:
        raise Forbidden(caller, role, action)
