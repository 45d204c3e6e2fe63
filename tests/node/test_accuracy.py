"""The metric says what the report says, and both what the ledger's entries add up to, also after erasures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.apps.triage.app import Call
from holdfast.apps.triage.archive import Correction
from holdfast.apps.triage.decision import Decision, Priority
from holdfast.apps.triage.ticket import Ticket
from holdfast.node.accuracy import Accuracy
from holdfast.node.node import Node
from tests.node.workshop import node_at


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with node_at(tmp_path / "node") as node:
        yield node


def score(node: Node, count: int) -> list[Decision]:
    now_s = node.state.clock.monotonic_s()
    call = Call(deadline_s=now_s + 30, started_s=now_s)
    tickets = [Ticket(id=f"T-{place}", title="Production database is down") for place in range(count)]
    return [one.decision for one in node.triage.score_batch(tickets, node.active, call)]


def correct(node: Node, decisions: list[Decision]) -> None:
    for decision in decisions:
        other = Priority.P3 if decision.priority is not Priority.P3 else Priority.P0
        node.archive.correct(decision.decision_id, Correction(priority=other), by="kim")


def test_the_metric_and_the_report_are_the_share_of_decisions_let_stand(node: Node) -> None:
    correct(node, score(node, 20)[:5])
    node.parts.accuracy.step()
    (row,) = node.parts.accuracy.report("all").rows
    shown = node.measures.numbers()["accuracy_ratio"]
    assert (row.accuracy, row.changed, row.package) == (0.75, 5, "builtin")
    assert shown == {("builtin", row.version): 0.75}


def test_erasing_the_tickets_leaves_the_figures(node: Node) -> None:
    correct(node, score(node, 8)[:2])
    before = node.parts.accuracy.report("day")
    for place in range(8):
        node.state.journal.erase(f"T-{place}")
    after = Accuracy(node).report("day")
    assert after.rows == before.rows


def test_a_report_counts_what_was_recorded_a_moment_ago(node: Node) -> None:
    assert node.parts.accuracy.report("week").rows == ()
    score(node, 3)
    assert [row.decisions for row in node.parts.accuracy.report("week").rows] == [3]
