"""What the node says about its own work, over HTTP: drift, accuracy, corrections, and why a task is where it is."""

from __future__ import annotations

from typing import get_args

import msgspec

from holdfast.access import JUDGE, VIEW
from holdfast.apps.triage.feedback import FeedbackPage, FeedbackQuery, export_page
from holdfast.apps.triage.trace import Why, why
from holdfast.http.bodies import encode, whole_number
from holdfast.http.messages import Endpoint, Parameter, Reply, Request
from holdfast.http.problems import InvalidField
from holdfast.http.teams import team_asked
from holdfast.node.node import Node
from holdfast.report.accuracy import AccuracyReport, Period
from holdfast.report.shift import Drifts

__all__ = ["ReportEndpoints"]

_PERIODS: tuple[Period, ...] = get_args(Period)
_MOST_ROWS = 500
_TEAM = Parameter(name="team", description="Of this team only; empty: of none.")


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
            Endpoint(
                method="GET",
                template="/v1/triage/accuracy",
                call=self.accuracy,
                summary="How often people let a decision's priority stand, by period and package version.",
                needs=VIEW,
                gives=AccuracyReport,
                parameters=(Parameter(name="period", schema={"type": "string", "enum": list(_PERIODS)}),),
            ),
            Endpoint(
                method="GET",
                template="/v1/triage/overrides",
                call=self.overrides,
                summary="People's corrections as labelled tickets, newest first.",
                needs=JUDGE,
                gives=FeedbackPage,
                parameters=(
                    Parameter(name="before", schema={"type": "integer", "minimum": 1}),
                    Parameter(name="limit", schema={"type": "integer", "minimum": 1, "maximum": _MOST_ROWS}),
                    _TEAM,
                ),
            ),
            Endpoint(
                method="GET",
                template="/v1/triage/why",
                call=self.why,
                summary="Why a task has the priority it has: package, approvals, decision, corrections, write-backs.",
                needs=VIEW,
                gives=Why,
                parameters=(Parameter(name="task_id", description="Which task; required."), _TEAM),
            ),
        )

    def drift(self, request: Request) -> Reply:
        """See the summary."""
        seen = self._node.parts.drift.current().packages
        return Reply(encode(Drifts(packages=tuple(one for one in seen if request.caller.sees(one.team)))))

    def accuracy(self, request: Request) -> Reply:
        """See the summary."""
        named = request.query().get("period", "week")
        period = next((one for one in _PERIODS if one == named), None)
        if period is None:
            raise InvalidField(f"period: expected one of {', '.join(_PERIODS)}, found {named[:40]!r}", field="period")
        found = self._node.parts.accuracy.report(period)
        rows = tuple(row for row in found.rows if request.caller.sees(row.team))
        return Reply(encode(msgspec.structs.replace(found, rows=rows)))

    def overrides(self, request: Request) -> Reply:
        """See the summary."""
        given = request.query()
        query = FeedbackQuery(
            before=whole_number(given["before"], "before", least=1, most=1 << 62) if "before" in given else None,
            limit=whole_number(given.get("limit", "200"), "limit", least=1, most=_MOST_ROWS),
            team=team_asked(request.caller, given.get("team")),
        )
        return Reply(encode(export_page(self._node.state.journal, query)))

    def why(self, request: Request) -> Reply:
        """See the summary."""
        given = request.query()
        task_id = given.get("task_id", "")
        if not task_id:
            raise InvalidField("task_id: expected the id of a task, found none", field="task_id")
        team = team_asked(request.caller, given.get("team"))
        state = self._node.state
        return Reply(encode(why(state.journal, state.store.state(), task_id, team=team)))
