"""The node about itself: status, tiers, packages, queue, alerts, the history of tiers."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from holdfast.access import VIEW
from holdfast.http.bodies import encode, whole_number
from holdfast.http.messages import Endpoint, Parameter, Reply, Request
from holdfast.node import showing
from holdfast.node.node import Node
from holdfast.node.views import Alerts, NodeStatus, Packages, Queue, Tiers, Transitions
from holdfast.outbound.standing import Standing

__all__ = ["NodeEndpoints"]

_MOST_TRANSITIONS = 1000


class NodeEndpoints:
    """Read-only; on the operator limiter, so that dashboards cannot starve scoring."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        shown: tuple[tuple[str, Callable[[Node], msgspec.Struct], type, str], ...] = (
            ("status", showing.status, NodeStatus, "The node at a glance."),
            ("tiers", showing.tiers, Tiers, "Every tier: available or why not, its queue and its pace."),
            ("packages", showing.packages, Packages, "Installed packages, and the one that answers."),
            ("queue", showing.queue, Queue, "What waits, and how much may."),
            ("outbound", lambda node: node.outbound.standing(), Standing, "Whom the node talks to, and how that goes."),
            ("alerts", showing.alerts, Alerts, "What somebody should look at, with the next step."),
        )
        views = tuple(
            Endpoint(
                method="GET",
                template=f"/v1/node/{name}",
                call=self._shows(view),
                gives=gives,
                summary=summary,
                needs=VIEW,
            )
            for name, view, gives, summary in shown
        )
        history = Endpoint(
            method="GET",
            template="/v1/tiers/history",
            call=self.history,
            gives=Transitions,
            summary="Changes of the best available tier with their cause, newest first.",
            needs=VIEW,
            parameters=(
                Parameter(name="limit", schema={"type": "integer", "minimum": 1, "maximum": _MOST_TRANSITIONS}),
            ),
        )
        return (*views, history)

    def history(self, request: Request) -> Reply:
        """See the summary."""
        limit = whole_number(request.query().get("limit", "100"), "limit", least=1, most=_MOST_TRANSITIONS)
        return Reply(encode(showing.transitions(self._node, limit)))

    def _shows(self, view: Callable[[Node], msgspec.Struct]) -> Callable[[Request], Reply]:
        def show(_request: Request) -> Reply:
            return Reply(encode(view(self._node)))

        return show
