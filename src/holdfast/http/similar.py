"""Similar tickets over HTTP."""

from __future__ import annotations

import msgspec

from holdfast.access import VIEW
from holdfast.apps.triage.archive import NoSuchDecision
from holdfast.http.bodies import encode, whole_number
from holdfast.http.messages import Endpoint, Parameter, Reply, Request
from holdfast.http.teams import team_asked
from holdfast.node.node import Node
from holdfast.node.similar import MOST_SIMILAR, SimilarFound, SimilarQuestion

__all__ = ["SimilarEndpoints"]

_PARAMETERS = (
    Parameter(name="decision_id", description="Whose ticket the others are to be like; or `text`."),
    Parameter(name="text", description="What the others are to be like; or `decision_id`."),
    Parameter(name="team", description="With `text`: whose tickets to look among; empty: those of no team."),
    Parameter(name="limit", schema={"type": "integer", "minimum": 1, "maximum": MOST_SIMILAR, "default": 5}),
)


class SimilarEndpoints:
    """On the operator limiter: looking back must not delay new tickets."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        return (
            Endpoint(
                method="GET",
                template="/v1/triage/similar",
                call=self.similar,
                summary="Earlier tickets that resemble one, and how they ended.",
                needs=VIEW,
                gives=SimilarFound,
                parameters=_PARAMETERS,
            ),
        )

    def similar(self, request: Request) -> Reply:
        """See the summary."""
        given = request.query()
        part = self._node.parts.similar
        asked = SimilarQuestion(
            decision_id=given.get("decision_id"),
            text=given.get("text"),
            limit=whole_number(given.get("limit", "5"), "limit", least=1, most=MOST_SIMILAR),
        )
        if asked.decision_id is None:
            asked = msgspec.structs.replace(asked, team=team_asked(request.caller, given.get("team")) or "")
        elif not request.caller.sees(part.team_of(asked)):  # as unknown to its caller as one that never was
            raise NoSuchDecision(f"no decision {asked.decision_id[:40]!r} in the ledger", field="decision_id")
        return Reply(encode(part.find(asked)))
