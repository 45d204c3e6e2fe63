"""Webhooks: what trackers deliver, believed for its signature and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.access import VIEW
from holdfast.apps.triage.connections import Connection
from holdfast.apps.triage.decision import Decision
from holdfast.apps.triage.intake import Arrival, Outcome, Overruled, Taken
from holdfast.http.bodies import encode
from holdfast.http.messages import Endpoint, Reply, Request
from holdfast.node.connections_verbs import ConnectionsPage, list_connections
from holdfast.node.node import Node

__all__ = ["HookAnswer", "HookEndpoints"]

_LONGEST_MS = 1_400  # a sender is answered within 2 s: this for the score, the rest for the disk
_ACCEPTED = 202


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that will be written back."""

    task_id: str
    decision_id: str


class HookAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a delivery that is not answered with its decision alone."""

    ignored: str = ""
    """Why nothing was scored."""
    decision_id: str = ""
    """Of the first task."""
    task_id: str = ""
    written_back: tuple[Told, ...] = ()
    """Each decision that is on its way to the tracker."""
    decisions: tuple[Decision, ...] = ()
    """Of a delivery about several tasks, where nothing is written back."""


class HookEndpoints:
    """Bytes in, a call on the node's hooks, bytes out."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        return (
            Endpoint(
                method="POST",
                template="/v1/hooks/{connection}",
                call=self.take,
                needs=None,
                proves=True,
                stage="answering",
                summary="Take a tracker's webhook: 200 with the decision, 202 when it will be written back.",
                takes=dict[str, Any],
                gives=HookAnswer,
            ),
            Endpoint(
                method="GET",
                template="/v1/node/connections",
                call=self.connections,
                needs=VIEW,
                summary="The trackers the node speaks with: dialect, abilities, faults, what came of their deliveries.",
                gives=ConnectionsPage,
            ),
        )

    def connections(self, request: Request) -> Reply:
        """See the summary; of connections that are a team's only those the caller may see."""
        listed = list_connections(self._node).connections
        return Reply(encode(ConnectionsPage(connections=tuple(c for c in listed if request.caller.sees(c.team)))))

    def take(self, request: Request) -> Reply:
        """See the summary."""
        hooks = self._node.parts.hooks
        connection = hooks.connection(request.arguments["connection"])
        allowed_ms = min(self._node.loaded.settings.limits.deadline_ms, _LONGEST_MS)
        arrival = Arrival(
            deadline_s=request.arrived_s + allowed_ms / 1000.0,
            started_s=request.arrived_s,
            request_id=request.request_id,
        )
        headers = {name.decode("latin-1"): value.decode("latin-1").strip() for name, value in request.headers.items()}
        return _reply(hooks.take(connection.name, headers, request.body, arrival=arrival), connection)


def _reply(outcome: Outcome, connection: Connection) -> Reply:
    if isinstance(outcome, Taken):
        return _taken(outcome, connection)
    if isinstance(outcome, Overruled):
        return Reply(encode(outcome.decision), headers=_replay(replayed=outcome.replayed))
    return Reply(encode(HookAnswer(ignored=outcome.reason)))


def _taken(taken: Taken, connection: Connection) -> Reply:
    first = taken.decisions[0]
    headers = [(b"holdfast-tier", first.served_by.tier.value.encode()), *_replay(replayed=taken.replayed)]
    if connection.writes and not taken.replayed:
        told = tuple(Told(task_id=one.task_id, decision_id=one.decision_id) for one in taken.decisions)
        answer = HookAnswer(decision_id=first.decision_id, task_id=first.task_id, written_back=told)
        return Reply(encode(answer), _ACCEPTED, headers=headers)
    if len(taken.decisions) == 1:
        return Reply(encode(first), headers=headers)
    return Reply(encode(HookAnswer(decisions=taken.decisions)), headers=headers)


def _replay(*, replayed: bool) -> list[tuple[bytes, bytes]]:
    return [(b"holdfast-replay", b"true")] if replayed else []
