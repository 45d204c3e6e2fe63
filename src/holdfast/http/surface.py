"""Everything the node answers over HTTP, as one table."""

from __future__ import annotations

from holdfast.http.health import HealthEndpoints
from holdfast.http.node_endpoints import NodeEndpoints
from holdfast.http.openai import OpenAIEndpoints
from holdfast.http.operator import OperatorEndpoints
from holdfast.http.table import RouteTable
from holdfast.http.triage import TriageEndpoints
from holdfast.node.node import Node

__all__ = ["route_table"]


def route_table(node: Node) -> RouteTable:
    """Return the routes of `node`."""
    return RouteTable(
        (
            *HealthEndpoints(node).endpoints(),
            *NodeEndpoints(node).endpoints(),
            *TriageEndpoints(node).endpoints(),
            *OpenAIEndpoints(node).endpoints(),
            *OperatorEndpoints(node).endpoints(),
        )
    )
