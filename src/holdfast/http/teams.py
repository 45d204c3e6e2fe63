"""Which team a caller may ask about, and whose package and rules answer its tickets."""

from __future__ import annotations

from holdfast.access import Caller
from holdfast.apps.triage.ticket import Ticket
from holdfast.errors import Refused
from holdfast.node.active import Active
from holdfast.node.node import Node

__all__ = ["NotYourTeam", "active_of", "team_asked"]


class NotYourTeam(Refused):
    """The caller's token is for the tickets of other teams."""


def active_of(node: Node, caller: Caller, ticket: Ticket) -> Active:
    """What answers `ticket` for this caller. Raises NotYourTeam.

    A token of one team need not have its tickets name it.
    """
    if not caller.teams:
        return node.active_for(ticket)
    active = node.active_for(ticket)
    if not active.team and len(caller.teams) == 1:
        active = node.active_for(ticket, caller.teams[0])
    _require(caller, active.team)
    return active


def team_asked(caller: Caller, named: str | None) -> str | None:
    """The team a caller asks about: the one it names, else its only one; None for all. Raises NotYourTeam."""
    if named is None and caller.teams:
        if len(caller.teams) > 1:
            raise NotYourTeam(f"team: expected one of {', '.join(caller.teams)}, found none; add ?team=NAME")
        return caller.teams[0]
    if named is not None:
        _require(caller, named)
    return named


def _require(caller: Caller, team: str) -> None:
    if not caller.sees(team):
        raise NotYourTeam(
            f"team: expected one of {', '.join(caller.teams)}, for which {caller.name} is, found {team[:80] or 'none'}"
        )
