"""Health and metrics: for probes, scrapers and people with curl."""

from __future__ import annotations

from holdfast.access import METRICS, VIEW
from holdfast.http.bodies import encode
from holdfast.http.messages import Endpoint, Reply, Request
from holdfast.http.teams import labels_shown
from holdfast.node.node import Node
from holdfast.node.showing import health
from holdfast.node.views import Health

__all__ = ["HealthEndpoints"]

_TEXT = b"text/plain; charset=utf-8"


class HealthEndpoints:
    """Cheap answers that never wait: all but the metrics run on the event loop."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        return (
            Endpoint(
                method="GET",
                template="/livez",
                call=self.live,
                stage="inline",
                summary="Is the process alive?",
                needs=None,
                gives_media_type="text/plain",
            ),
            Endpoint(
                method="GET",
                template="/readyz",
                call=self.ready,
                stage="inline",
                summary="Can some tier answer, and can the ledger append? 503 if not. Names the tier.",
                needs=None,
                gives_media_type="text/plain",
            ),
            Endpoint(
                method="GET",
                template="/healthz",
                call=self.health,
                stage="inline",
                gives=Health,
                summary="How the node is; says when it is degraded, and why.",
                needs=VIEW,
            ),
            Endpoint(
                method="GET",
                template="/metrics",
                call=self.metrics,
                summary="Metrics for Prometheus, as text.",
                needs=METRICS,
                gives_media_type="text/plain",
            ),
        )

    def live(self, _request: Request) -> Reply:
        """Answer as long as the event loop turns."""
        return Reply(b"live\n", media_type=_TEXT)

    def ready(self, _request: Request) -> Reply:
        """200 with the tier's name, or 503 with why not."""
        shown = health(self._node)
        if shown.status == "unready":
            return Reply(f"not ready: {'; '.join(shown.reasons)}\n".encode(), 503, _TEXT, [(b"retry-after", b"1")])
        return Reply(f"ready: {shown.tier.value}\n".encode(), media_type=_TEXT)

    def health(self, _request: Request) -> Reply:
        """200 while something answers, degraded or not; 503 when nothing may."""
        shown = health(self._node)
        return Reply(encode(shown), 503 if shown.status == "unready" else 200)

    def metrics(self, request: Request) -> Reply:
        """The exposition; of series that are a team's only those the caller may see."""
        from holdfast.http.exposition import CONTENT_TYPE, exposition  # noqa: PLC0415  # 70 ms of a cold start

        return Reply(exposition(self._node.measures, labels_shown(self._node, request.caller)), media_type=CONTENT_TYPE)
