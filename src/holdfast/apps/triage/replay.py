"""Replay: a past decision derived again, from the ledger alone and from the package."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC
from typing import Literal

import msgspec

from holdfast.apps.triage.archive import Archive
from holdfast.apps.triage.decision import Assessment, assessment_bytes
from holdfast.apps.triage.drafting import Snapshot
from holdfast.apps.triage.policies import PolicyShelf
from holdfast.apps.triage.records import DecisionRecord
from holdfast.apps.triage.scoring import Policy, Prepared, prepare, score
from holdfast.apps.triage.ticket import read_instant
from holdfast.clock import Clock
from holdfast.errors import Unavailable
from holdfast.inference import InferenceRequest

__all__ = ["PackageGone", "Replay", "Replayer", "prepared_again"]

_MODEL_S = 30.0
_POINTS = 100.0  # a tolerance is of probabilities; a probability of 1 is worth at most this many points


class PackageGone(Unavailable):
    """The package that made a decision does not answer on this node now."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """How a decision came out the second time."""

    decision_id: str
    verdict: Literal["same", "within_tolerance", "different"]
    sentence: str
    recorded: Assessment
    derived: Assessment
    """From the package's answer now."""
    from_ledger: Literal["same", "different"]
    """Scored again from what the tier said then: any difference is a fault of this version."""
    recorded_on: str
    """Variant and runtime then."""
    derived_on: str
    score_off: float
    tolerance: float
    """In points of the score."""


@dataclass(frozen=True, slots=True)
class Replayer:
    """Derives decisions again. Holds no state."""

    archive: Archive
    policies: PolicyShelf
    clock: Clock

    def replay(self, decision_id: str, snapshot: Snapshot, *, tolerance: float) -> Replay:
        """Derive one decision again on `snapshot`; `tolerance` is the package's, of any probability.

        Raises NoSuchDecision, and DecisionUnreadable, PolicyGone, PackageGone or TierUnavailable naming what is gone.
        """
        record = self.archive.record(decision_id)
        policy, lens = self.policies.find(record.policy)
        prepared = prepared_again(record, policy)
        again = score(prepared, record.output, lens=lens, policy=policy)
        _expect_package(record, snapshot)
        engine = snapshot.engines.engines.get(record.decision.served_by.tier)
        if engine is None:
            raise PackageGone(f"decision {decision_id}: its tier {record.decision.served_by.tier} is not served here")
        deadline_s = self.clock.monotonic_s() + _MODEL_S
        (output,) = engine.answer(InferenceRequest((prepared.ticket.text,), deadline_s))
        derived = score(prepared, output, lens=lens, policy=policy)
        return _compared(
            record, derived, again=again, derived_on=f"{engine.variant} {engine.runtime}", tolerance=tolerance
        )


def prepared_again(record: DecisionRecord, policy: Policy) -> Prepared:
    """The ticket as it was read then, for the instant it was scored for."""
    at = read_instant(record.decision.at, UTC, field="/at")
    return replace(prepare(record.read_ticket(), policy.rubric, now=at), readings=record.attachments)


def _expect_package(record: DecisionRecord, snapshot: Snapshot) -> None:
    then, now = record.decision.served_by, snapshot.serving
    if then.digest != now.digest:
        raise PackageGone(
            f"decision {record.decision.decision_id}: package {then.package}@{then.version} ({then.digest[:19]}…) is "
            f"not active, {now.package}@{now.version} is; install and activate it, then replay again"
        )


def _compared(
    record: DecisionRecord, derived: Assessment, *, again: Assessment, derived_on: str, tolerance: float
) -> Replay:
    then = record.decision
    recorded = Assessment(score=then.score, priority=then.priority, route=then.route, contributions=then.contributions)
    recorded_on = f"{then.served_by.variant} {then.served_by.runtime}"
    off = round(abs(derived.score - recorded.score), 2)
    points = round(tolerance * _POINTS, 2)
    verdict: Literal["same", "within_tolerance", "different"] = "different"
    if assessment_bytes(derived) == assessment_bytes(recorded):
        verdict, sentence = "same", "the same bytes"
    elif derived.priority is recorded.priority and off <= points:
        verdict = "within_tolerance"
        sentence = f"the same priority, {off:g} points apart, within the package's tolerance of {points:g}"
    else:
        sentence = f"{recorded.priority} {recorded.score:g} then, {derived.priority} {derived.score:g} now"
    if recorded_on != derived_on:
        sentence += f"; decided on {recorded_on}, replayed on {derived_on}"
    return Replay(
        decision_id=then.decision_id,
        verdict=verdict,
        sentence=sentence,
        recorded=recorded,
        derived=derived,
        from_ledger="same" if assessment_bytes(again) == assessment_bytes(recorded) else "different",
        recorded_on=recorded_on,
        derived_on=derived_on,
        score_off=off,
        tolerance=points,
    )
