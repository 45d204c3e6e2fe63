"""Operator verbs on the owner socket: what the command line asks the running node to do."""

from __future__ import annotations

from holdfast.http.bodies import encode
from holdfast.http.messages import Endpoint, Reply, Request
from holdfast.node.node import Node
from holdfast.node.verbs import run_encoded

__all__ = ["OperatorEndpoints"]


class OperatorEndpoints:
    """One route; the table of verbs is the node's."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Its route."""
        return (
            Endpoint(
                method="POST",
                template="/v1/operator/{verb}",
                call=self.operate,
                summary="Do an operator verb; owner socket only.",
                socket_only=True,
            ),
        )

    def operate(self, request: Request) -> Reply:
        """Run the verb with the arguments of the body."""
        return Reply(encode(run_encoded(self._node, request.arguments["verb"], request.body, caller=request.caller)))
