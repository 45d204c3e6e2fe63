"""What the watch settles once survives its process, and each team is watched by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.apps.triage.app import Call
from holdfast.apps.triage.ticket import Ticket
from holdfast.node.drift import Drift
from holdfast.node.node import Node
from holdfast.node.verbs import run_verb
from holdfast.record import Draft
from holdfast.workbench.bundled import load_head
from tests.node.workshop import node_at

TEAMS = "[trust]\nallow_unsigned = true\n[teams.office]\n[teams.cloud]\nweights = { model = 0.55, keywords = 0.1 }\n"


@pytest.fixture
def node(tmp_path: Path, small_package: Path) -> Iterator[Node]:
    with node_at(tmp_path / "node", TEAMS) as node:
        run_verb(node, "package.install", {"path": str(small_package)})
        node.load_here()
        yield node


def score(node: Node, texts: list[str], *, team: str = "") -> None:
    now_s = node.state.clock.monotonic_s()
    call = Call(deadline_s=now_s + 30, started_s=now_s)
    for first in range(0, len(texts), 250):
        tickets = [Ticket(id=f"T-{first + i}", title=text) for i, text in enumerate(texts[first : first + 250])]
        node.triage.score_batch(tickets, node.active_for(tickets[0], team), call)


def it_texts(count: int) -> list[str]:
    return [ticket.text for ticket in load_head("route").reading.tickets[:count]]


def test_that_a_head_is_not_used_here_is_not_found_out_anew_after_a_restart(node: Node) -> None:
    score(node, it_texts(360))
    node.parts.drift.step()
    (before,) = (one for one in node.parts.drift.reports.packages if not one.team)
    assert before.unused == ("priority",)
    score(node, [ticket.text[:160] for ticket in load_head("priority").reading.tickets[-1_900:]])
    again = Drift(node)
    again.step()
    (after,) = (one for one in again.reports.packages if not one.team)
    assert (after.drifting, after.features[0].chance) == (True, 0.0)


def test_scores_are_held_against_the_baseline_of_the_process_before(node: Node) -> None:
    score(node, it_texts(1_050))
    node.parts.drift.step()
    again = Drift(node)
    again.step()
    (report,) = (one for one in again.reports.packages if not one.team)
    assert [shift.samples for shift in report.features if shift.feature == "score"] == [1_050]


def test_one_teams_tickets_say_nothing_about_another(node: Node) -> None:
    score(node, ["printer toner"] * 400, team="office")
    score(node, it_texts(400), team="cloud")
    node.parts.drift.step()
    reports = {one.team: one for one in node.parts.drift.reports.packages}
    assert {team: one.samples for team, one in reports.items()} == {"": 0, "office": 400, "cloud": 400}
    assert reports["office"].drifting
    assert min(one.chance for one in reports["cloud"].features if one.feature == "route.words") > 1e-3
    assert [finding.sentence for finding in node.parts.drift.findings() if "team office" in finding.sentence]


def test_what_cannot_be_read_any_more_is_passed_over(node: Node) -> None:
    score(node, it_texts(20))
    node.state.journal.erase("T-3")
    node.state.journal.append(Draft(kind="decision", payload=b"\x81\xa6schema\x63"))
    node.parts.drift.step()
    assert [one.samples for one in node.parts.drift.reports.packages if not one.team] == [19]
