"""Drafting: from what a tier said to a decision, and to the ledger entry that keeps it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from holdfast.answer.answerer import served_by_for
from holdfast.apps.triage.decision import Decision, Randomness, assessment_bytes, decision_id, instant_text
from holdfast.apps.triage.records import DECISION, DecisionRecord, pack, ticket_bytes
from holdfast.apps.triage.scoring import Lens, Policy, Prepared, score
from holdfast.digest import Digest
from holdfast.inference import Answer, ServedBy, Serving, TextOutput
from holdfast.record import Draft
from holdfast.runtime.engine import EngineSet

__all__ = ["Drafted", "Sitting", "Snapshot", "draft_decision"]


class Snapshot(Protocol):
    """The immutable view of the node one request is answered with."""

    @property
    def serving(self) -> Serving:
        """Which package and settings answer."""

    @property
    def engines(self) -> EngineSet:
        """The tiers of that package."""

    @property
    def lens(self) -> Lens:
        """How to read its heads."""

    @property
    def policy(self) -> Policy:
        """The operator's part of a score."""

    @property
    def team(self) -> str:
        """Whose tickets it answers."""

    @property
    def arm(self) -> str:
        """Of which experiment, and which arm."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """What all tickets of one request share."""

    snapshot: Snapshot
    answer: Answer
    policy: Digest
    """Of the recorded policy."""
    request_id: str
    now: datetime
    rng: Randomness
    _served_by: dict[tuple[object, ...], ServedBy] = field(default_factory=dict)

    def served_by(self, index: int) -> ServedBy:
        """Who answered ticket number `index`: a batch has few different answers to that."""
        output = self.answer.outputs[index]
        key = (output.approximate, *[(head.stage, head.domain) for head in output.heads.values()])
        found = self._served_by.get(key)
        if found is None:
            found = self._served_by[key] = served_by_for(self.answer, index)
        return found


@dataclass(frozen=True, slots=True)
class Drafted:
    """A decision that is not on disk yet."""

    decision: Decision
    output: TextOutput
    draft: Draft
    request_sha256: bytes


def draft_decision(prepared: Prepared, sitting: Sitting, index: int) -> Drafted:
    """Decide ticket number `index` of the sitting."""
    snapshot, output = sitting.snapshot, sitting.answer.outputs[index]
    ticket, serving = prepared.ticket, snapshot.serving
    assessment = score(prepared, output, lens=snapshot.lens, policy=snapshot.policy)
    decision = Decision(
        decision_id=decision_id(sitting.now, sitting.rng),
        task_id=ticket.id,
        score=assessment.score,
        priority=assessment.priority,
        route=assessment.route,
        contributions=assessment.contributions,
        served_by=sitting.served_by(index),
        recorded=True,
        latency_ms=0.0,
        at=instant_text(prepared.at),
        request_id=sitting.request_id,
        rules_digest=serving.rules_digest,
        settings_generation=serving.settings_generation,
        team=snapshot.team,
        arm=snapshot.arm,
    )
    whole, kept = ticket_bytes(ticket)
    request_sha256 = hashlib.sha256(whole).digest()
    record = DecisionRecord(
        decision=decision,
        ticket=msgspec.Raw(kept),
        output=output,
        attachments=prepared.readings,
        policy=sitting.policy,
        request_sha256=request_sha256,
        response_sha256=hashlib.sha256(assessment_bytes(assessment)).digest(),
    )
    draft = Draft(
        kind=DECISION,
        payload=pack(record),
        reference=decision.decision_id,
        subject=ticket.id,
        tier=decision.served_by.tier,
        package=serving.digest,
        score=assessment.score,
        band=assessment.priority.value,
        team=snapshot.team,
    )
    return Drafted(decision, output, draft, request_sha256)
