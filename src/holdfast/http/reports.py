"""What the node says about its own work, over HTTP: drift."""

from __future__ import annotations

from holdfast.access import VIEW
from holdfast.http.bodies import encode
from holdfast.http.messages import Endpoint, Reply, Request
from holdfast.node.node import Node
from holdfast.report.shift import Drifts

__all__ = ["ReportEndpoints"]


class ReportEndpoints:
    """On the operator limiter: looking back must not delay new tickets."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        return (
            Endpoint(
                method="GET",
                template="/v1/triage/drift",
                call=self.drift,
                summary="Whether each package is still asked, and still says, what it was made for.",
                needs=VIEW,
                gives=Drifts,
            ),
        )

    def drift(self, request: Request) -> Reply:
        """See the summary."""
        seen = self._node.parts.drift.current().packages
        return Reply(encode(Drifts(packages=tuple(one for one in seen if request.caller.sees(one.team)))))
