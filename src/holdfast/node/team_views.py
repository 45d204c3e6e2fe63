"""What a person sees of the teams of a node."""

from __future__ import annotations

import msgspec

from holdfast.digest import Digest
from holdfast.node.node import Node
from holdfast.tier import Tier

__all__ = ["TeamView", "TeamsView", "show_teams"]


class TeamView(msgspec.Struct, frozen=True, kw_only=True):
    """One team, and what answers its tickets; the first, without a name, is for the tickets of none."""

    team: str
    package: str
    version: str
    unsigned: bool
    best: Tier
    rules: int
    rules_digest: Digest
    labels: tuple[str, ...]
    """A ticket with one of them is theirs."""


class TeamsView(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    teams: tuple[TeamView, ...]


def show_teams(node: Node) -> TeamsView:
    """The teams as they are served now, the default first."""
    settings = node.loaded.settings.teams
    views = [
        TeamView(
            team=active.team,
            package=active.serving.package,
            version=active.serving.version,
            unsigned=active.serving.unsigned,
            best=node.answerer.best_tier(active.serving.package),
            rules=len(active.policy.rules.rules),
            rules_digest=active.serving.rules_digest,
            labels=settings[active.team].labels if active.team in settings else (),
        )
        for active in node.parts.teams.actives()
    ]
    return TeamsView(teams=tuple(views))
