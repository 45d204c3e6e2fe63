"""Operator verbs of the triage app: score a ticket, derive a past decision again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated

import msgspec

from holdfast.access import Role
from holdfast.apps.triage.app import Call
from holdfast.apps.triage.archive import MAX_PAGE, DecisionPage, DecisionQuery
from holdfast.apps.triage.decision import Decision, Priority
from holdfast.apps.triage.replay import Replay
from holdfast.apps.triage.ticket import Ticket, check_ticket
from holdfast.node.node import Node
from holdfast.node.similar import told
from holdfast.node.team_views import show_teams
from holdfast.node.verb import NoArguments, Verb
from holdfast.tier import Tier

__all__ = ["TRIAGE_VERBS"]

_DEFAULT_MS = 10_000  # a person at a terminal would rather wait than get a lower tier


class ScoreRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ticket, as a tracker sends it."""

    ticket: Ticket


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One past decision."""

    decision_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


def _score(node: Node, asked: ScoreRequest) -> Decision:
    check_ticket(asked.ticket)
    now_s = node.state.clock.monotonic_s()
    wait_s = (asked.ticket.deadline_ms or _DEFAULT_MS) / 1000.0
    call = Call(
        deadline_s=now_s + wait_s,
        started_s=now_s,
        request_id=f"cli-{secrets.token_hex(8)}",
        extra=node.parts.reprocess.extra_for((asked.ticket.reprocess,)),
    )
    active = node.active_for(asked.ticket)
    (similar,) = node.parts.similar.alike([(asked.ticket, active.team)])
    return told(node.triage.score(asked.ticket, active, call).decision, similar)


class DecisionsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which past decisions, newest first."""

    priority: Priority | None = None
    tier: Tier | None = None
    task_id: str | None = None
    team: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = 20
    cursor: str = ""


def _decisions(node: Node, asked: DecisionsRequest) -> DecisionPage:
    return node.archive.page(DecisionQuery(**msgspec.structs.asdict(asked)))


def _replay(node: Node, asked: ReplayRequest) -> Replay:
    record = node.archive.record(asked.decision_id)
    actives = (*node.parts.teams.actives(), *node.parts.experiments.actives())
    active = next((one for one in actives if one.serving.digest == record.decision.served_by.digest), node.active)
    manifest = active.loadout.manifest
    tolerance = manifest.trial.tolerance if manifest is not None else 0.0
    return node.triage.replayer.replay(asked.decision_id, active, tolerance=tolerance)


TRIAGE_VERBS: Mapping[str, Verb] = {
    "triage.decisions": Verb(DecisionsRequest, Role.OPERATOR, _decisions),
    "triage.teams": Verb(NoArguments, Role.VIEWER, lambda node, _: show_teams(node)),
    "triage.score": Verb(ScoreRequest, Role.OPERATOR, _score),
    "triage.replay": Verb(ReplayRequest, Role.VIEWER, _replay),
}
"""For the table in `verbs`."""
