"""Shadow: what a candidate would have said on tickets that were decided without it, from their records."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.answer.answerer import Answerer
from holdfast.apps.triage.drafting import Snapshot
from holdfast.apps.triage.experiments import SHADOW, ShadowRecord
from holdfast.apps.triage.records import DecisionRecord
from holdfast.apps.triage.replay import prepared_again
from holdfast.apps.triage.reprocess import Verdict, verdict_of
from holdfast.apps.triage.scoring import score
from holdfast.inference import InferenceRequest, TextOutput
from holdfast.record import Draft
from holdfast.tier import Tier

__all__ = ["shadow_drafts", "unpack_shadow"]

_RECORD = msgspec.msgpack.Decoder(ShadowRecord)


def shadow_drafts(
    records: Sequence[DecisionRecord], candidate: Snapshot, *, experiment: str, answerer: Answerer, deadline_s: float
) -> list[Draft]:
    """The ledger's entries of what `candidate` says, in order; nothing of them is told to anybody.

    Where the candidate has the package that answered, its answer is on record: only the rest is computed anew.
    """
    outputs: dict[int, tuple[TextOutput, Tier]] = {
        position: (record.output, record.decision.served_by.tier)
        for position, record in enumerate(records)
        if record.decision.served_by.digest == candidate.serving.digest
    }
    others = [position for position in range(len(records)) if position not in outputs]
    if others:
        texts = tuple(records[position].read_ticket().text for position in others)
        answer = answerer.ask(InferenceRequest(texts, deadline_s), candidate.engines, candidate.serving)
        tier = answer.served_by.tier
        outputs |= {position: (output, tier) for position, output in zip(others, answer.outputs, strict=True)}
    return [
        _draft(experiment, record, _verdict(record, candidate, *outputs[position]), candidate)
        for position, record in enumerate(records)
    ]


def unpack_shadow(payload: bytes) -> ShadowRecord:
    """Decode an entry. Raises msgspec.DecodeError for one that another version wrote."""
    return _RECORD.decode(payload)


def _verdict(record: DecisionRecord, candidate: Snapshot, output: TextOutput, tier: Tier) -> Verdict:
    said = score(prepared_again(record, candidate.policy), output, lens=candidate.lens, policy=candidate.policy)
    serving = candidate.serving
    return Verdict(
        decision_id=record.decision.decision_id,
        score=said.score,
        priority=said.priority,
        route=said.route.label,
        tier=tier,
        package=f"{serving.package}@{serving.version}",
    )


def _draft(experiment: str, record: DecisionRecord, said: Verdict, candidate: Snapshot) -> Draft:
    decision = record.decision
    shadow = ShadowRecord(experiment=experiment, task_id=decision.task_id, control=verdict_of(decision), candidate=said)
    return Draft(
        kind=SHADOW,
        payload=msgspec.msgpack.encode(shadow),
        reference=f"shadow:{experiment}:{decision.decision_id}",
        subject=decision.task_id,
        tier=said.tier,
        package=candidate.serving.digest,
        score=said.score,
        band=said.priority.value,
        team=decision.team,
    )
