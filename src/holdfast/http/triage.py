"""Triage over HTTP: score, override and look back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from holdfast.access import SCORE, Caller
from holdfast.apps.triage.app import Call, Scored
from holdfast.apps.triage.decision import Decision, Similar
from holdfast.apps.triage.ticket import MAX_BATCH, Ticket, decode_batch, decode_ticket
from holdfast.http.bodies import encode
from holdfast.http.deadlines import DEADLINE_HEADER, deadline_of
from holdfast.http.messages import Endpoint, Parameter, Reply, Request
from holdfast.http.problems import InvalidField
from holdfast.http.teams import active_of
from holdfast.node.active import Active
from holdfast.node.node import Node
from holdfast.node.similar import told

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
        active = active_of(node, request.caller, ticket)
        (similar,) = node.parts.similar.alike([(ticket, active.team)])
        return _reply(node.triage.score(ticket, active, call), similar)

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
            found = self._node.parts.similar.alike([(ticket, active.team) for ticket, _ in part.values()])
            similar = dict(zip(part, found, strict=True))
            for position, one in self._node.triage.score_each(part, active):
                yield position, one if isinstance(one, Exception) else _reply(one, similar[position])

    def score_batch(self, request: Request) -> Reply:
        """See the summary."""
        tickets = decode_batch(request.body)
        node = self._node
        asked = [(ticket, active_of(node, request.caller, ticket)) for ticket in tickets]
        similar = node.parts.similar.alike([(ticket, active.team) for ticket, active in asked])
        scored = node.triage.score_mixed(asked, self._call(request, tickets))
        decisions = [told(one.decision, like) for one, like in zip(scored, similar, strict=True)]
        return Reply(encode({"decisions": decisions}), headers=_headers(scored[0]))

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
            idempotency_key=_own_key(request.caller, key),
            extra=self._node.parts.reprocess.extra_for([one.reprocess for one in tickets]),
        )


def _own_key(caller: Caller, key: str | None) -> str | None:
    """A team's keys are its own: no other team's key brings its decision back."""
    return key if key is None or not caller.teams else f"{','.join(caller.teams)}\0{key}"


def _reply(scored: Scored, similar: tuple[Similar, ...]) -> Reply:
    return Reply(encode(told(scored.decision, similar)), headers=_headers(scored))


def _headers(scored: Scored) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = [(b"holdfast-tier", scored.decision.served_by.tier.value.encode())]
    if scored.replayed:
        headers.append((b"holdfast-replay", b"true"))
    return headers
