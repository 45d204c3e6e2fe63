"""The triage app: tickets in, recorded decisions out."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from holdfast.answer.answerer import Answerer
from holdfast.apps.triage.archive import Archive
from holdfast.apps.triage.decision import Decision, Randomness
from holdfast.apps.triage.drafting import Drafted, Sitting, Snapshot, draft_decision
from holdfast.apps.triage.policies import PolicyShelf
from holdfast.apps.triage.records import DecisionRecord, unpack_decision
from holdfast.apps.triage.replay import Replayer, prepared_again
from holdfast.apps.triage.scoring import Prepared, prepare
from holdfast.apps.triage.ticket import InvalidTicket, Ticket
from holdfast.clock import Clock
from holdfast.database import Transaction
from holdfast.errors import HoldfastError, Refused, Unavailable
from holdfast.inference import InferenceRequest, TextOutput
from holdfast.ledger.journal import Journal
from holdfast.record import Draft, Recorded

__all__ = ["Call", "DecisionGone", "Extra", "Scored", "StillDegraded", "TriageApp"]

Extra: TypeAlias = Callable[[Transaction, Sequence[Decision]], None]
"""Runs in the unit of work that records these decisions."""

_SIMILAR = 2.0  # a group waits as long as its most hurried ticket: nobody gives up more than half of its time to that
_LEAST_S = 0.001


class DecisionGone(Refused):
    """What was recorded can no longer be read: its key was destroyed, or the disk was full when it was made."""


class StillDegraded(Unavailable):
    """The best tier was to decide again, and did not."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it reached the node."""

    deadline_s: float
    """Monotonic instant after which nobody waits."""
    started_s: float
    """Monotonic instant at which it arrived; `latency_ms` counts from here."""
    request_id: str = ""
    idempotency_key: str | None = None
    body_sha256: bytes | None = None
    """Of what the key came with, where it is not the tickets themselves."""
    extra: Extra | None = None
    """What becomes durable with the decisions or not at all: a job that tells somebody of them."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A decision that may be told, because it is on disk or says that it is not."""

    decision: Decision
    output: TextOutput
    """What the tier said about the text."""
    replayed: bool = False
    """True when the same idempotency key was answered before: this is the first decision."""


_Together: TypeAlias = dict[int, tuple[Prepared, Call]]


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
        return self.score_mixed([(ticket, snapshot) for ticket in tickets], call)

    def score_mixed(self, asked: Sequence[tuple[Ticket, Snapshot]], call: Call) -> tuple[Scored, ...]:
        """Do what `score_batch` does for tickets of several teams: one model request for each, one fsync."""
        now = self._clock.wall_at()
        parts: dict[int, tuple[Snapshot, dict[int, Prepared]]] = {}
        for position, (ticket, snapshot) in enumerate(asked):
            try:
                prepared = prepare(ticket, snapshot.policy.rubric, now=now)
            except InvalidTicket as error:
                raise InvalidTicket(str(error), field=f"/tickets/{position}{error.field}") from error
            parts.setdefault(id(snapshot), (snapshot, {}))[1][position] = prepared
        drafted: dict[int, Drafted] = {}
        for snapshot, part in parts.values():
            drafted |= zip(part, self._drafted(tuple(part.values()), snapshot, call), strict=True)
        return self._recorded([drafted[position] for position in range(len(asked))], call)

    def score_each(
        self, asked: Mapping[int, tuple[Ticket, Call]], snapshot: Snapshot
    ) -> Iterator[tuple[int, Scored | Exception]]:
        """Score tickets of different callers: yields for each, by its key, its own decision or error.

        Tickets that have about as long are one model request and one fsync; whoever has the least time comes first.
        """
        together: dict[int, tuple[Prepared, Call]] = {}
        for position, (ticket, call) in asked.items():
            try:
                if call.idempotency_key is not None:  # a unit of work of its own: it may be a replay
                    yield position, self.score(ticket, snapshot, call)
                else:
                    prepared = prepare(ticket, snapshot.policy.rubric, now=self._clock.wall_at())
                    together[position] = (prepared, call)
            except Exception as error:  # noqa: BLE001  # told to the caller of this ticket, and to no other
                yield position, error
        for part in _parts(together, now_s=self._clock.monotonic_s()):
            yield from self._score_together(part, snapshot)

    def score_again(
        self, record: DecisionRecord, snapshot: Snapshot, call: Call, *, told: Callable[[Decision], Draft]
    ) -> Scored:
        """Decide a recorded ticket once more, for the same instant; what `told` says of it is recorded with it.

        Raises StillDegraded, having recorded nothing, when a lower tier answers again, and what the journal raises.
        """
        (again,) = self._drafted((prepared_again(record, snapshot.policy),), snapshot, call)
        if again.decision.served_by.degraded:
            raise StillDegraded(f"the {again.decision.served_by.tier.value} tier answered again", retry_after_s=1.0)
        drafts = (again.draft, told(again.decision))
        proof, _ = self._journal.append_many(drafts, extra=_within(call.extra, [again]))
        return _scored(again, proof, round((self._clock.monotonic_s() - call.started_s) * 1000.0, 3))

    def _score_together(self, asked: _Together, snapshot: Snapshot) -> Iterator[tuple[int, Scored | Exception]]:
        texts = tuple(prepared.ticket.text for prepared, _ in asked.values())
        deadline_s = min(call.deadline_s for _, call in asked.values())
        try:
            answer = self._answerer.ask(InferenceRequest(texts, deadline_s), snapshot.engines, snapshot.serving)
            policy = self._policies.in_force(snapshot.policy, snapshot.lens)
        except HoldfastError as error:
            yield from dict.fromkeys(asked, error).items()
            return
        except Exception as error:  # noqa: BLE001  # one text may be at fault: the others shall not fail with it
            if len(asked) == 1:
                yield from dict.fromkeys(asked, error).items()
            else:
                for position, one in asked.items():
                    yield from self._score_together({position: one}, snapshot)
            return
        now = self._clock.wall_at()
        drafted: dict[int, Drafted] = {}
        for index, (position, (prepared, call)) in enumerate(asked.items()):
            try:
                sitting = Sitting(snapshot, answer, policy, call.request_id, now, self._rng)
                drafted[position] = draft_decision(prepared, sitting, index)
            except Exception as error:  # noqa: BLE001  # as above
                yield position, error
        yield from self._record_together(drafted, {position: call for position, (_, call) in asked.items()})

    def _record_together(
        self, drafted: Mapping[int, Drafted], calls: Mapping[int, Call]
    ) -> Iterator[tuple[int, Scored | Exception]]:
        alone = {position: one for position, one in drafted.items() if calls[position].extra is not None}
        for position, one in alone.items():  # what else its unit does may fail, and no other ticket with it
            try:
                yield position, self._recorded((one,), calls[position])[0]
            except Exception as error:  # noqa: BLE001  # as below
                yield position, error
        drafted = {position: one for position, one in drafted.items() if position not in alone}
        if not drafted:
            return
        try:
            recorded = self._journal.append_many([one.draft for one in drafted.values()])
        except Exception as error:  # noqa: BLE001  # what is not on disk is told to nobody
            yield from dict.fromkeys(drafted, error).items()
            return
        now_s = self._clock.monotonic_s()
        for (position, one), proof in zip(drafted.items(), recorded, strict=True):
            yield position, _scored(one, proof, round((now_s - calls[position].started_s) * 1000.0, 3))

    def _score(self, prepared: Sequence[Prepared], snapshot: Snapshot, call: Call) -> tuple[Scored, ...]:
        return self._recorded(self._drafted(prepared, snapshot, call), call)

    def _drafted(self, prepared: Sequence[Prepared], snapshot: Snapshot, call: Call) -> list[Drafted]:
        request = InferenceRequest(tuple(one.ticket.text for one in prepared), call.deadline_s, call.request_id)
        answer = self._answerer.ask(request, snapshot.engines, snapshot.serving)
        policy = self._policies.in_force(snapshot.policy, snapshot.lens)
        sitting = Sitting(snapshot, answer, policy, call.request_id, self._clock.wall_at(), self._rng)
        return [draft_decision(one, sitting, index) for index, one in enumerate(prepared)]

    def _recorded(self, drafted: Sequence[Drafted], call: Call) -> tuple[Scored, ...]:
        recorded = self._journal.append_many(
            [one.draft for one in drafted],
            idempotency_key=call.idempotency_key,
            body_sha256=_body_sha256(drafted, call),
            extra=_within(call.extra, drafted),
        )
        latency_ms = round((self._clock.monotonic_s() - call.started_s) * 1000.0, 3)
        return tuple(_scored(one, proof, latency_ms) for one, proof in zip(drafted, recorded, strict=True))


def _parts(asked: _Together, *, now_s: float) -> Iterator[_Together]:
    """Split by the time left, shortest first: in no part has anybody more than `_SIMILAR` times the least of it."""
    by_deadline = deque(sorted(asked.items(), key=lambda one: one[1][1].deadline_s))
    while by_deadline:
        least_s = max(by_deadline[0][1][1].deadline_s - now_s, _LEAST_S)
        part: _Together = {}
        while by_deadline and by_deadline[0][1][1].deadline_s - now_s <= _SIMILAR * least_s:
            position, one = by_deadline.popleft()
            part[position] = one
        yield part


def _within(extra: Extra | None, drafted: Sequence[Drafted]) -> Callable[[Transaction], None] | None:
    if extra is None:
        return None
    decisions = [one.decision for one in drafted]
    return lambda transaction: extra(transaction, decisions)


def _body_sha256(drafted: Sequence[Drafted], call: Call) -> bytes | None:
    """The hash of what was asked, whatever spaces the request had: a client may encode its retry anew."""
    if call.idempotency_key is None or call.body_sha256 is not None:
        return call.body_sha256
    return hashlib.sha256(b"".join(one.request_sha256 for one in drafted)).digest()


def _scored(drafted: Drafted, proof: Recorded, latency_ms: float) -> Scored:
    if not proof.replayed:
        decision = msgspec.structs.replace(drafted.decision, recorded=proof.recorded, latency_ms=latency_ms)
        return Scored(decision, drafted.output)
    if proof.payload is None:
        raise DecisionGone("the first decision under this Idempotency-Key can no longer be read; send a new key")
    first = unpack_decision(proof.payload)
    return Scored(msgspec.structs.replace(first.decision, latency_ms=latency_ms), first.output, replayed=True)
