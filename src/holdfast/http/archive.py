"""Looking back over HTTP: the rubric in force, past decisions, and people's corrections of them."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

import msgspec

from holdfast.access import JUDGE, VIEW, Role, require
from holdfast.apps.triage.archive import MAX_PAGE, Correction, DecisionPage, DecisionQuery, NoSuchDecision
from holdfast.apps.triage.decision import Decision, Priority
from holdfast.apps.triage.reprocess import ReprocessRecord, find_event
from holdfast.apps.triage.rubric_view import RubricView, show_rubric
from holdfast.apps.triage.ticket import read_instant
from holdfast.http.bodies import decode, encode, whole_number
from holdfast.http.messages import Endpoint, Parameter, Reply, Request
from holdfast.http.problems import InvalidField
from holdfast.http.teams import team_asked
from holdfast.node.active import Active
from holdfast.node.node import Node
from holdfast.tier import Tier

__all__ = ["ArchiveEndpoints"]

E = TypeVar("E", bound=StrEnum)

_CORRECTION = msgspec.json.Decoder(Correction)
_INSTANT = {"type": "string", "format": "date-time"}
_PARAMETERS = (
    Parameter(name="since", description="RFC 3339; recorded at or after.", schema=_INSTANT),
    Parameter(name="until", description="RFC 3339; recorded before.", schema=_INSTANT),
    Parameter(name="priority", schema={"type": "string", "enum": [one.value for one in Priority]}),
    Parameter(name="tier", schema={"type": "string", "enum": [one.value for one in Tier]}),
    Parameter(name="task_id", description="Of one ticket only."),
    Parameter(name="team", description="Of one team only; empty: of those that belong to none."),
    Parameter(name="limit", schema={"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50}),
    Parameter(
        name="cursor",
        description="`next_cursor` of the page before.",
        schema={"type": "string", "pattern": "^(c[0-9]{1,18})?$"},
    ),
)


class ArchiveEndpoints:
    """On the operator limiter: reading the past must not delay new tickets."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        return (
            Endpoint(
                method="GET",
                template="/v1/triage/rubric",
                call=self.rubric,
                summary="Weights, ramp, role table, keywords, bands and rules in force, for one team.",
                parameters=(Parameter(name="team", description="Empty: for tickets of no team."),),
                needs=VIEW,
                gives=RubricView,
            ),
            Endpoint(
                method="GET",
                template="/v1/triage/decisions",
                call=self.decisions,
                summary="Past decisions, newest first.",
                needs=VIEW,
                gives=DecisionPage,
                parameters=_PARAMETERS,
            ),
            Endpoint(
                method="GET",
                template="/v1/triage/decisions/{decision_id}",
                call=self.decision,
                summary="One decision, with the latest correction.",
                needs=VIEW,
                gives=Decision,
            ),
            Endpoint(
                method="GET",
                template="/v1/triage/decisions/{decision_id}/reprocess",
                needs=VIEW,
                call=self.reprocessed,
                summary="What scoring it again said, once the best tier was back: old and new.",
                gives=ReprocessRecord,
            ),
            Endpoint(
                method="POST",
                template="/v1/triage/decisions/{decision_id}/override",
                call=self.override,
                summary="Correct a decision: a person's word wins, the node's own view stays beside it.",
                needs=JUDGE,
                takes=Correction,
                gives=Decision,
            ),
        )

    def reprocessed(self, request: Request) -> Reply:
        """See the summary."""
        self._seen(request)
        return Reply(encode(find_event(self._node.state.journal, request.arguments["decision_id"])))

    def rubric(self, request: Request) -> Reply:
        """See the summary."""
        return Reply(encode(show_rubric(self._of_team(request).policy)))

    def decisions(self, request: Request) -> Reply:
        """See the summary."""
        given = request.query()
        query = DecisionQuery(
            since_at=_instant(given, "since"),
            until_at=_instant(given, "until"),
            priority=_one_of(Priority, given, "priority"),
            tier=_one_of(Tier, given, "tier"),
            task_id=given.get("task_id"),
            team=team_asked(request.caller, given.get("team")),
            limit=whole_number(given.get("limit", "50"), "limit", least=1, most=MAX_PAGE),
            cursor=given.get("cursor", ""),
        )
        return Reply(encode(self._node.archive.page(query)))

    def decision(self, request: Request) -> Reply:
        """See the summary."""
        return Reply(encode(self._seen(request)))

    def override(self, request: Request) -> Reply:
        """See the summary."""
        require(request.caller, Role.OPERATOR, "override a decision")
        correction = decode(_CORRECTION, request.body)
        self._seen(request)
        decided = self._node.archive.correct(request.arguments["decision_id"], correction, by=request.caller.name)
        return Reply(encode(decided))

    def _of_team(self, request: Request) -> Active:
        team = team_asked(request.caller, request.query().get("team")) or ""
        found = next((one for one in self._node.parts.teams.actives() if one.team == team), None)
        if found is None:
            known = ", ".join(sorted(self._node.loaded.settings.teams)) or "none"
            raise InvalidField(f"team: expected a configured team ({known}), found {team[:80]!r}", field="team")
        return found

    def _seen(self, request: Request) -> Decision:
        """The decision a path names. Another team's is as unknown to its caller as one that never was."""
        decision_id = request.arguments["decision_id"]
        found = self._node.archive.decision(decision_id)
        if not request.caller.sees(found.team):
            raise NoSuchDecision(f"no decision {decision_id[:40]!r} in the ledger", field="decision_id")
        return found


def _instant(given: dict[str, str], name: str) -> datetime | None:
    return read_instant(given[name], UTC, field=name) if name in given else None


def _one_of(kind: type[E], given: dict[str, str], name: str) -> E | None:
    if name not in given:
        return None
    try:
        return kind(given[name])
    except ValueError as error:
        known = ", ".join(kind)
        raise InvalidField(f"{name}: expected one of {known}, found {given[name][:40]!r}", field=name) from error
