"""Everything the node answers over HTTP, as one table."""

from __future__ import annotations

from holdfast.http.archive import ArchiveEndpoints
from holdfast.http.assets import page_endpoints
from holdfast.http.experiments import ExperimentEndpoints
from holdfast.http.health import HealthEndpoints
from holdfast.http.hooks import HookEndpoints
from holdfast.http.jobs import JobsEndpoints
from holdfast.http.node_endpoints import NodeEndpoints
from holdfast.http.open_inference_endpoints import OpenInferenceEndpoints
from holdfast.http.openai import OpenAIEndpoints
from holdfast.http.openapi import OpenAPIEndpoint
from holdfast.http.operator import OperatorEndpoints
from holdfast.http.reports import ReportEndpoints
from holdfast.http.similar import SimilarEndpoints
from holdfast.http.table import RouteTable
from holdfast.http.teams import TeamEndpoints
from holdfast.http.triage import TriageEndpoints
from holdfast.node.node import Node

__all__ = ["route_table"]


def route_table(node: Node) -> RouteTable:
    """Return the routes of `node`."""
    described = (
        *HealthEndpoints(node).endpoints(),
        *TriageEndpoints(node).endpoints(),
        *ArchiveEndpoints(node).endpoints(),
        *SimilarEndpoints(node).endpoints(),
        *TeamEndpoints(node).endpoints(),
        *ExperimentEndpoints(node).endpoints(),
        *HookEndpoints(node).endpoints(),
        *ReportEndpoints(node).endpoints(),
        *OpenInferenceEndpoints(node).endpoints(),
        *OpenAIEndpoints(node).endpoints(),
        *NodeEndpoints(node).endpoints(),
        *JobsEndpoints(node).endpoints(),
        *page_endpoints(),
    )
    return RouteTable((*described, *OpenAPIEndpoint(described).endpoints(), *OperatorEndpoints(node).endpoints()))
