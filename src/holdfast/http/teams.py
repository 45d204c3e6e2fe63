"""Which team a caller may ask about, and whose package and rules answer its tickets."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from holdfast.access import VIEW, Caller
from holdfast.apps.triage.ticket import Ticket
from holdfast.errors import Refused
from holdfast.http.bodies import encode
from holdfast.http.messages import Endpoint, Reply, Request
from holdfast.node.active import Active
from holdfast.node.connections_verbs import list_connections
from holdfast.node.node import Node
from holdfast.node.team_views import TeamsView, show_teams

__all__ = ["NotYourTeam", "TeamEndpoints", "active_of", "actives_seen", "labels_shown", "team_asked"]


class NotYourTeam(Refused):
    """The caller's token is for the tickets of other teams."""


class TeamEndpoints:
    """Which teams there are; a caller that is for some of them sees only those."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        return (
            Endpoint(
                method="GET",
                template="/v1/node/teams",
                needs=VIEW,
                call=self.teams,
                summary="Each team: its package and rules in service, and the labels of its tickets.",
                gives=TeamsView,
            ),
        )

    def teams(self, request: Request) -> Reply:
        """See the summary."""
        shown = tuple(one for one in show_teams(self._node).teams if request.caller.sees(one.team))
        return Reply(encode(TeamsView(teams=shown)))


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


def actives_seen(node: Node, caller: Caller) -> tuple[Active, ...]:
    """What answers the tickets that `caller` may send, the default first."""
    return tuple(one for one in node.parts.teams.actives() if caller.sees(one.team))


def labels_shown(node: Node, caller: Caller) -> Mapping[str, Collection[str]]:
    """Label of metrics -> the only values of it that `caller` may see; labels that are nobody's are not there."""
    if not caller.teams:
        return {}
    serving = [one.serving for one in actives_seen(node, caller)]
    return {
        "team": caller.teams,
        "package": {one.package for one in serving},
        "digest": {one.digest for one in serving},
        "connection": {one.name for one in list_connections(node).connections if caller.sees(one.team)},
    }


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
