"""The triage app: tickets in, recorded decisions out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from holdfast.answer.answerer import Answerer
from holdfast.apps.triage.archive import Archive
from holdfast.apps.triage.decision import Decision, Randomness
from holdfast.apps.triage.drafting import Drafted, Sitting, Snapshot, draft_decision
from holdfast.apps.triage.policies import PolicyShelf
from holdfast.apps.triage.records import unpack_decision
from holdfast.apps.triage.replay import Replayer
from holdfast.apps.triage.scoring import Prepared, prepare
from holdfast.apps.triage.ticket import InvalidTicket, Ticket
from holdfast.clock import Clock
from holdfast.errors import HoldfastError, Refused
from holdfast.inference import InferenceRequest, TextOutput
from holdfast.ledger.journal import Journal
from holdfast.record import Recorded

__all__ = ["Call", "DecisionGone", "Scored", "TriageApp"]


class DecisionGone(Refused):
    """What was recorded can no longer be read: its key was destroyed, or the disk was full when it was made."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it reached the node."""

    deadline_s: float
    """Monotonic instant after which nobody waits."""
    started_s: float
    """Monotonic instant at which it arrived; `latency_ms` counts from here."""
    request_id: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """A decision that may be told, because it is on disk or says that it is not."""

    decision: Decision
    output: TextOutput
    """What the tier said about the text."""
    replayed: bool = False
    """True when the same idempotency key was answered before: this is the first decision."""


class TriageApp:
    """Scores tickets. Holds no state but which policies are on record; any thread may call it."""

    def __init__(self, answerer: Answerer, journal: Journal, *, clock: Clock, rng: Randomness) -> None:
        self._answerer, self._journal = answerer, journal
        self._clock, self._rng = clock, rng
        self._policies = PolicyShelf(journal, clock)
        self.archive = Archive(journal, clock)
        self.replayer = Replayer(self.archive, self._policies, clock)

    def score(self, ticket: Ticket, snapshot: Snapshot, call: Call) -> Scored:
        """Score one ticket and record the decision.

        Raises InvalidTicket, DecisionGone (an old idempotency key), and what `Journal.append` raises.
        """
        prepared = prepare(ticket, snapshot.policy.rubric, now=self._clock.wall_at())
        (scored,) = self._score((prepared,), snapshot, call)
        return scored

    def score_batch(self, tickets: Sequence[Ticket], snapshot: Snapshot, call: Call) -> tuple[Scored, ...]:
        """Score tickets together, in order, all or none: one model request, one fsync. Raises as `score` does."""
        now = self._clock.wall_at()
        prepared: list[Prepared] = []
        for position, ticket in enumerate(tickets):
            try:
                prepared.append(prepare(ticket, snapshot.policy.rubric, now=now))
            except InvalidTicket as error:
                raise InvalidTicket(str(error), field=f"/tickets/{position}{error.field}") from error
        return self._score(prepared, snapshot, call)

    def score_each(self, asked: Sequence[tuple[Ticket, Call]], snapshot: Snapshot) -> list[Scored | HoldfastError]:
        """Score tickets of different callers: one model request, one fsync, and for each its own decision or error."""
        results: dict[int, Scored | HoldfastError] = {}
        together: dict[int, tuple[Prepared, Call]] = {}
        for position, (ticket, call) in enumerate(asked):
            try:
                if call.idempotency_key is not None:  # a unit of work of its own: it may be a replay
                    results[position] = self.score(ticket, snapshot, call)
                else:
                    prepared = prepare(ticket, snapshot.policy.rubric, now=self._clock.wall_at())
                    together[position] = (prepared, call)
            except HoldfastError as error:
                results[position] = error
        results |= self._score_together(together, snapshot)
        return [results[position] for position in range(len(asked))]

    def _score_together(
        self, asked: Mapping[int, tuple[Prepared, Call]], snapshot: Snapshot
    ) -> dict[int, Scored | HoldfastError]:
        if not asked:
            return {}
        texts = tuple(prepared.ticket.text for prepared, _ in asked.values())
        deadline_s = min(call.deadline_s for _, call in asked.values())
        try:
            answer = self._answerer.ask(InferenceRequest(texts, deadline_s), snapshot.engines, snapshot.serving)
            policy = self._policies.in_force(snapshot.policy, snapshot.lens)
            now = self._clock.wall_at()
            drafted = [
                draft_decision(prepared, Sitting(snapshot, answer, policy, call.request_id, now, self._rng), index)
                for index, (prepared, call) in enumerate(asked.values())
            ]
            recorded = self._journal.append_many([one.draft for one in drafted])
        except HoldfastError as error:
            return dict.fromkeys(asked, error)
        now_s = self._clock.monotonic_s()
        return {
            position: _scored(one, proof, round((now_s - call.started_s) * 1000.0, 3))
            for (position, (_, call)), one, proof in zip(asked.items(), drafted, recorded, strict=True)
        }

    def _score(self, prepared: Sequence[Prepared], snapshot: Snapshot, call: Call) -> tuple[Scored, ...]:
        request = InferenceRequest(tuple(one.ticket.text for one in prepared), call.deadline_s, call.request_id)
        answer = self._answerer.ask(request, snapshot.engines, snapshot.serving)
        policy = self._policies.in_force(snapshot.policy, snapshot.lens)
        sitting = Sitting(snapshot, answer, policy, call.request_id, self._clock.wall_at(), self._rng)
        drafted = [draft_decision(one, sitting, index) for index, one in enumerate(prepared)]
        recorded = self._journal.append_many(
            [one.draft for one in drafted],
            idempotency_key=call.idempotency_key,
            body_sha256=_body_sha256(drafted) if call.idempotency_key is not None else None,
        )
        latency_ms = round((self._clock.monotonic_s() - call.started_s) * 1000.0, 3)
        return tuple(_scored(one, proof, latency_ms) for one, proof in zip(drafted, recorded, strict=True))


def _body_sha256(drafted: Sequence[Drafted]) -> bytes:
    """The hash of what was asked, whatever spaces the request had: a client may encode its retry anew."""
    return hashlib.sha256(b"".join(one.request_sha256 for one in drafted)).digest()


def _scored(drafted: Drafted, proof: Recorded, latency_ms: float) -> Scored:
    if not proof.replayed:
        decision = msgspec.structs.replace(drafted.decision, recorded=proof.recorded, latency_ms=latency_ms)
        return Scored(decision, drafted.output)
    if proof.payload is None:
        raise DecisionGone("the first decision under this Idempotency-Key can no longer be read; send a new key")
    first = unpack_decision(proof.payload)
    return Scored(msgspec.structs.replace(first.decision, latency_ms=latency_ms), first.output, replayed=True)
