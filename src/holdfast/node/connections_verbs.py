"""The operator verb over connections: which trackers the node speaks with, how, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from holdfast.access import Role
from holdfast.node.node import Node
from holdfast.node.verb import NoArguments, Verb

__all__ = ["CONNECTION_VERBS", "ConnectionView", "ConnectionsPage", "list_connections"]


class ConnectionView(msgspec.Struct, frozen=True, kw_only=True):
    """One connection as people see it: nothing secret."""

    name: str
    dialect: str
    built_from: Literal["payloads", "documentation"]
    """Whether real payloads of this tracker were at hand when its dialect was written."""
    mode: Literal["write", "shadow", "reply"]
    writes: bool
    """Whether decisions go back to the tracker."""
    lists: bool
    """Whether tasks missed while the node was down can be asked for."""
    conditional: bool
    """Whether the tracker refuses a write on a task that changed meanwhile."""
    idempotent: bool
    """Whether it honours Idempotency-Key."""
    team: str
    base_url: str
    account: str
    secrets: int
    fault: str
    """Why it cannot be used; empty when it can."""
    deliveries: Mapping[str, int]
    """What became of them since the node started."""
    last_delivery_s: float | None
    """Seconds since the last one that was believed; null: none since the start."""


class ConnectionsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Every configured connection, by name."""

    connections: tuple[ConnectionView, ...]


def list_connections(node: Node) -> ConnectionsPage:
    """See the class."""
    hooks = node.parts.hooks
    views = []
    for name, one in sorted(hooks.connections.items()):
        ability, traffic = one.dialect.ability, hooks.traffic(name)
        view = ConnectionView(
            name=name,
            dialect=one.dialect.name,
            built_from=one.dialect.built_from,
            mode=one.terms.mode,
            writes=one.writes,
            lists=ability.lists,
            conditional=ability.conditional,
            idempotent=ability.idempotent,
            team=one.terms.team,
            base_url=one.place.base_url,
            account=one.place.account,
            secrets=len(one.secrets.texts),
            fault=one.fault,
            deliveries=traffic.outcomes,
            last_delivery_s=traffic.since_last_s,
        )
        views.append(view)
    return ConnectionsPage(connections=tuple(views))


CONNECTION_VERBS: Mapping[str, Verb] = {
    "connections.list": Verb(NoArguments, Role.VIEWER, lambda node, _: list_connections(node)),
}
