"""Similar tickets on a node: a loop that follows the ledger, and the search among what it has met."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from holdfast.apps.triage.decision import Decision, Similar
from holdfast.apps.triage.ticket import Ticket
from holdfast.errors import InvalidInput
from holdfast.finding import Finding
from holdfast.ledger.journal import Erased
from holdfast.node.loop import Loop

if TYPE_CHECKING:
    # Only the type: it loads numpy, 0.1 s of a cold start in which RULES already answers.
    from holdfast.apps.triage.memory import TicketMemory
    from holdfast.node.node import Node

__all__ = ["MOST_SIMILAR", "SimilarFound", "SimilarQuestion", "SimilarTickets", "UnclearQuestion", "told"]

_EVERY_S = 0.5
_BUDGET_S = 0.1  # of each turn: a fifth of one core at most, and only while there is something to catch up with
_MOST_TOGETHER = 32  # tickets answered at once; with more the node has better things to do than to look back
MOST_SIMILAR = 50


class UnclearQuestion(InvalidInput):
    """Neither a decision nor a text, or both."""


class SimilarQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What other tickets are to be like: a decision's ticket, or a text."""

    decision_id: str | None = None
    text: str | None = None
    team: str = ""
    """Whose tickets to look among; a decision knows its own."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_SIMILAR)] = 5


class SimilarFound(msgspec.Struct, frozen=True, kw_only=True):
    """Earlier tickets, the most similar first."""

    similar: tuple[Similar, ...]
    searched: int
    """Tickets that could be found, of the team."""
    complete: bool
    """False while the node, after a start, still reads what the ledger holds."""


def told(decision: Decision, similar: tuple[Similar, ...]) -> Decision:
    """The decision with the tickets it resembles."""
    return msgspec.structs.replace(decision, similar=similar) if similar else decision


class SimilarTickets:
    """The memory of one node, made by whoever needs it first. `_making` guards that."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._making = threading.Lock()
        self._memory: TicketMemory | None = None
        self._capacity = 0
        self._loop = Loop("similar", self.step, every_s=_EVERY_S, seen=(node.measures, node.log))

    def start(self) -> None:
        """Begin to follow the ledger."""
        self._loop.start()

    def stop(self) -> None:
        """End after the step that runs."""
        self._loop.stop()

    def reconfigure(self) -> None:
        """Nothing to take: the next step sees another capacity, and begins anew."""

    def findings(self) -> tuple[Finding, ...]:
        """Nothing that a person could do anything about."""
        return ()

    def step(self) -> None:
        """Catch up with the ledger for a while."""
        memory = self._kept()
        if memory is not None:
            memory.step(_BUDGET_S)
        self._node.measures.set("similar_tickets", value=float(len(memory) if memory is not None else 0))

    def alike(self, asked: Sequence[tuple[Ticket, str]]) -> Sequence[tuple[Similar, ...]]:
        """For each ticket of a team those it resembles; for none of them where many are being answered together."""
        memory, count = self._memory, self._node.loaded.settings.triage.similar
        if memory is None or not count or len(asked) > _MOST_TOGETHER or not len(memory):
            return ((),) * len(asked)
        from holdfast.apps.triage.memory import Asked  # noqa: PLC0415  # loaded already, for the memory

        return memory.like([Asked(ticket.text, ticket.id, team) for ticket, team in asked], count=count)

    def team_of(self, question: SimilarQuestion) -> str:
        """Whose tickets are looked among. Raises NoSuchDecision, DecisionUnreadable."""
        if question.decision_id is None:
            return question.team
        return self._node.archive.record(question.decision_id).decision.team

    def find(self, question: SimilarQuestion) -> SimilarFound:
        """Raises UnclearQuestion, NoSuchDecision, DecisionUnreadable."""
        if (question.decision_id is None) == (question.text is None):
            raise UnclearQuestion("expected one of decision_id and text, found both or neither", field="decision_id")
        text, task_id, team = question.text or "", "", question.team
        if question.decision_id is not None:
            record = self._node.archive.record(question.decision_id)
            text, task_id, team = record.read_ticket().text, record.decision.task_id, record.decision.team
        memory = self._kept()
        if memory is None:
            return SimilarFound(similar=(), searched=0, complete=True)
        while not self._loop.started and memory.step(_BUDGET_S):
            pass  # a command that runs without a node reads it all now
        from holdfast.apps.triage.memory import Asked  # noqa: PLC0415  # as above

        (found,) = memory.like((Asked(text, task_id, team),), count=question.limit)
        return SimilarFound(similar=found, searched=memory.held(team), complete=memory.complete)

    def forget(self, task_id: str, erased: Erased) -> None:
        """Drop a task whose entries were erased; it is in no answer from now on."""
        memory = self._memory
        if memory is not None:
            memory.forget(task_id, erasure=erased.sequence)

    def _kept(self) -> TicketMemory | None:
        """The memory that the settings ask for; None where they ask for none."""
        triage = self._node.loaded.settings.triage
        capacity = triage.similar_capacity if triage.similar else 0
        with self._making:
            if capacity != self._capacity:
                from holdfast.apps.triage.memory import TicketMemory  # noqa: PLC0415  # numpy, as above

                state = self._node.state
                made = TicketMemory(state.journal, state.clock, capacity=capacity, measures=self._node.measures)
                self._memory, self._capacity = made if capacity else None, capacity
            return self._memory
