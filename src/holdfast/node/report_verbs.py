"""Operator verbs of the reports: what the node says about its own work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from holdfast.access import Role
from holdfast.apps.triage.feedback import FeedbackPage, FeedbackQuery, export_page
from holdfast.apps.triage.handled import HandledPage, HandledQuery, handled_page
from holdfast.apps.triage.trace import Why, why
from holdfast.node.node import Node
from holdfast.node.verb import NoArguments, Verb
from holdfast.report.accuracy import AccuracyReport, Period

__all__ = ["REPORT_VERBS"]


class AccuracyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a row is."""

    period: Period = "week"


class WhyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which task."""

    task_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    team: str | None = None


def _accuracy(node: Node, asked: AccuracyRequest) -> AccuracyReport:
    return node.parts.accuracy.report(asked.period)


def _overrides(node: Node, asked: FeedbackQuery) -> FeedbackPage:
    return export_page(node.state.journal, asked)


def _handled(node: Node, asked: HandledQuery) -> HandledPage:
    return handled_page(node.state.journal, asked, zone=node.active.policy.rubric.zone)


def _why(node: Node, asked: WhyRequest) -> Why:
    return why(node.state.journal, node.state.store.state(), asked.task_id, team=asked.team)


REPORT_VERBS: Mapping[str, Verb] = {
    "triage.accuracy": Verb(AccuracyRequest, Role.VIEWER, _accuracy),
    "triage.drift": Verb(NoArguments, Role.VIEWER, lambda node, _: node.parts.drift.current()),
    "triage.handled": Verb(HandledQuery, Role.VIEWER, _handled),
    "triage.overrides": Verb(FeedbackQuery, Role.OPERATOR, _overrides),
    "triage.why": Verb(WhyRequest, Role.VIEWER, _why),
}
"""For the table in `verbs`. Overrides carry the text of tickets, so they take more than a viewer."""
