"""Triage over HTTP: score, override and look back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from holdfast.access import SCORE
from holdfast.apps.triage.app import Call, Scored
from holdfast.apps.triage.decision import Decision
from holdfast.apps.triage.ticket import MAX_BATCH, Ticket, decode_batch, decode_ticket
from holdfast.http.bodies import encode
from holdfast.http.deadlines import DEADLINE_HEADER, deadline_of
from holdfast.http.messages import Endpoint, Parameter, Reply, Request
from holdfast.http.problems import InvalidField
from holdfast.http.teams import active_of
from holdfast.node.active import Active
from holdfast.node.node import Node

__all__ = ["BatchAnswer", "BatchQuestion", "TriageEndpoints"]

_LONGEST_KEY = 255  # what Stripe takes, and the Idempotency-Key draft suggests no less
_KEY_HEADER = Parameter(
    name="Idempotency-Key",
    place="header",
    description="The same key with the same body returns the first decision; with another body it is 409.",
    schema={"type": "string", "minLength": 1, "maxLength": _LONGEST_KEY},
)


class BatchQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tickets to be scored together, 1 to 256."""

    tickets: Annotated[tuple[Ticket, ...], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One decision per ticket, in order."""

    decisions: tuple[Decision, ...]


class TriageEndpoints:
    """Bytes in, calls on the triage app, bytes out."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        return (
            Endpoint(
                method="POST",
                template="/v1/triage/score",
                call=self.score,
                stage="answering",
                groupable=True,
                summary="Score one ticket: 0-100, priority, route, and why.",
                needs=SCORE,
                takes=Ticket,
                gives=Decision,
                parameters=(DEADLINE_HEADER, _KEY_HEADER),
            ),
            Endpoint(
                method="POST",
                template="/v1/triage/score:batch",
                call=self.score_batch,
                stage="answering",
                summary="Score up to 256 tickets: all of them or none.",
                needs=SCORE,
                takes=BatchQuestion,
                gives=BatchAnswer,
                parameters=(DEADLINE_HEADER, _KEY_HEADER),
            ),
        )

    def score(self, request: Request) -> Reply:
        """See the summary."""
        ticket = decode_ticket(request.body)
        node = self._node
        call = self._call(request, (ticket,))
        scored = node.triage.score(ticket, active_of(node, request.caller, ticket), call)
        return self._reply(ticket, scored, together=1)

    def score_each(self, requests: Sequence[Request]) -> Iterator[tuple[int, Reply | Exception]]:
        """Do what `score` does for requests that waited together, and yield the answer to each by its position."""
        asked: dict[int, tuple[Active, dict[int, tuple[Ticket, Call]]]] = {}
        for position, request in enumerate(requests):
            try:
                ticket = decode_ticket(request.body)
                active = active_of(self._node, request.caller, ticket)
                part = asked.setdefault(id(active), (active, {}))[1]
                part[position] = (ticket, self._call(request, (ticket,)))
            except Exception as error:  # noqa: BLE001  # told to the caller of this ticket, and to no other
                yield position, error
        for active, part in asked.values():
            for position, one in self._node.triage.score_each(part, active):
                told = one if isinstance(one, Exception) else self._reply(part[position][0], one, together=len(part))
                yield position, told

    def score_batch(self, request: Request) -> Reply:
        """See the summary."""
        tickets = decode_batch(request.body)
        node = self._node
        scored = node.triage.score_mixed(
            [(ticket, active_of(node, request.caller, ticket)) for ticket in tickets],
            self._call(request, tickets),
        )
        similar, together = node.parts.similar, len(tickets)
        decisions = [
            similar.told(ticket, one.decision, together=together) for ticket, one in zip(tickets, scored, strict=True)
        ]
        return Reply(encode({"decisions": decisions}), headers=_headers(scored[0]))

    def _reply(self, ticket: Ticket, scored: Scored, *, together: int) -> Reply:
        decision = self._node.parts.similar.told(ticket, scored.decision, together=together)
        return Reply(encode(decision), headers=_headers(scored))

    def _call(self, request: Request, tickets: Sequence[Ticket]) -> Call:
        key = request.header(b"idempotency-key")
        if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isascii()):
            raise InvalidField(
                f"header Idempotency-Key: expected 1 to {_LONGEST_KEY} ASCII characters, found {len(key)}",
                field="Idempotency-Key",
            )
        deadline_ms = min((one.deadline_ms for one in tickets if one.deadline_ms is not None), default=None)
        default_ms = self._node.loaded.settings.limits.deadline_ms
        return Call(
            deadline_s=deadline_of(request, deadline_ms, default_ms=default_ms),
            started_s=request.arrived_s,
            request_id=request.request_id,
            idempotency_key=key,
            extra=self._node.parts.reprocess.extra_for([one.reprocess for one in tickets]),
        )


def _headers(scored: Scored) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = [(b"holdfast-tier", scored.decision.served_by.tier.value.encode())]
    if scored.replayed:
        headers.append((b"holdfast-replay", b"true"))
    return headers
