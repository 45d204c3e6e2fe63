"""Earlier tickets that resemble a new one: in the answer, over HTTP, on the command line; and gone when erased."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.test_lifecycle import holdfast
from tests.served import Served, Start, eventually, starting

VPN = "VPN drops after login"
TEAMS = "[teams.web]\n[teams.ops]\n"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One node for all tests of this file: each speaks of something else."""
    nodes = starting(tmp_path_factory.mktemp("similar"))
    yield next(nodes)(TEAMS)
    next(nodes, None)


def score(node: Served, task: str, title: str, **more: object) -> dict:
    answer = node.post("/v1/triage/score", {"id": task, "title": title, **more})
    assert answer.status == 200, answer.body
    return answer.json()


def ask(node: Served, **query: str) -> dict:
    path = "&".join(f"{name}={value.replace(' ', '+')}" for name, value in query.items())
    answer = node.ask("GET", f"/v1/triage/similar?{path}")
    assert answer.status == 200, answer.body
    return answer.json()


def tasks(node: Served, text: str, **query: str) -> list[str]:
    return [one["task_id"] for one in ask(node, text=text, **query)["similar"]]


def test_an_answer_names_earlier_tickets_like_it_and_how_they_ended(node: Served) -> None:
    first = score(node, "N-1", VPN)
    node.post(f"/v1/triage/decisions/{first['decision_id']}/override", {"priority": "P0", "route": "network"})
    assert eventually(lambda: tasks(node, VPN) == ["N-1"])
    assert eventually(lambda: ask(node, text=VPN)["similar"][0]["judged"])
    (found,) = score(node, "N-2", "vpn drops after each login")["similar"]
    assert 0.3 <= found.pop("similarity") <= 1
    assert found == {"task_id": "N-1", "priority": "P0", "route": "network", "judged": True}


def test_it_can_be_asked_by_decision_and_on_the_command_line(node: Served) -> None:
    score(node, "M-1", "mail server rejects attachments")
    other = score(node, "M-2", "mail server rejects large attachments")
    assert eventually(lambda: "M-1" in tasks(node, "mail server rejects attachments"))
    found = ask(node, decision_id=other["decision_id"])
    assert [one["task_id"] for one in found["similar"]] == ["M-1"]
    shown = holdfast(node, "triage", "similar", other["decision_id"], "--json")
    assert json.loads(shown.stdout)["similar"] == found["similar"]
    assert "M-1" in holdfast(node, "triage", "similar", "--text", "mail server attachments").stdout


@pytest.mark.parametrize("query", ["", "text=a&decision_id=b", "text=a&limit=0", "decision_id=dec_nothing"])
def test_an_unclear_question_is_refused(node: Served, query: str) -> None:
    assert node.ask("GET", f"/v1/triage/similar?{query}").status in (404, 422)


def test_no_team_sees_another_s(node: Served) -> None:
    text = "certificate of the shop expires"
    for team in ("web", "ops"):
        score(node, f"C-{team}", text, metadata={"team": team})
    assert eventually(lambda: tasks(node, text, team="web") == ["C-web"])
    assert eventually(lambda: tasks(node, text, team="ops") == ["C-ops"])
    assert tasks(node, text) == []
    (found,) = score(node, "C-3", text, metadata={"team": "ops"})["similar"]
    assert found["task_id"] == "C-ops"


def test_the_command_line_shows_what_a_scored_ticket_is_like(node: Served, tmp_path: Path) -> None:
    score(node, "W-1", "wireless in the warehouse is slow")
    assert eventually(lambda: tasks(node, "wireless in the warehouse is slow") == ["W-1"])
    ticket = tmp_path / "ticket.json"
    ticket.write_text(json.dumps({"id": "W-2", "title": "wireless of the warehouse slow again"}))
    assert "like W-1 (0." in holdfast(node, "triage", "score", "--ticket", str(ticket)).stdout


def test_an_erased_ticket_is_found_no_more_from_then_on(node: Served) -> None:
    text = "keyboard of the reception is sticky"
    score(node, "E-1", text)
    assert eventually(lambda: tasks(node, text) == ["E-1"])
    assert holdfast(node, "ledger", "erase", "--task", "E-1", "--yes").returncode == 0
    assert tasks(node, text) == []
    assert score(node, "E-2", text)["similar"] == []


def test_many_tickets_together_are_answered_without_looking_back(node: Served) -> None:
    score(node, "B-0", "beamer in room four flickers")
    assert eventually(lambda: tasks(node, "beamer in room four flickers") == ["B-0"])
    batch = [{"id": f"B-{n}", "title": "beamer in room four flickers"} for n in range(1, 34)]
    few = node.post("/v1/triage/score:batch", {"tickets": batch[:2]}).json()["decisions"]
    many = node.post("/v1/triage/score:batch", {"tickets": batch}).json()["decisions"]
    assert (bool(few[0]["similar"]), many[0]["similar"]) == (True, [])


def test_a_node_killed_right_after_an_erasure_comes_back_without_the_ticket(start: Start) -> None:
    node = start()
    for task in ("K-1", "K-2"):
        score(node, task, VPN)
    assert eventually(lambda: sorted(tasks(node, VPN)) == ["K-1", "K-2"])
    assert holdfast(node, "ledger", "erase", "--task", "K-1", "--yes").returncode == 0
    node.stop(signal.SIGKILL)
    node.start()
    seen = [ask(node, text=VPN)]
    assert eventually(lambda: seen.append(ask(node, text=VPN)) or seen[-1]["complete"])
    assert {one["task_id"] for found in seen for one in found["similar"]} <= {"K-2"}
    assert [one["task_id"] for one in seen[-1]["similar"]] == ["K-2"]


def test_a_token_of_one_team_finds_that_team_s_tickets_only(start: Start) -> None:
    node = start(TEAMS)
    decisions = {team: score(node, f"P-{team}", VPN, metadata={"team": team}) for team in ("web", "ops")}
    score(node, "P-more", VPN, metadata={"team": "ops"})
    assert eventually(lambda: len(tasks(node, VPN, team="ops")) == 2)
    made = json.loads(holdfast(node, "token", "create", "t", "--team", "web", "--json").stdout)
    bearer = {"Authorization": f"Bearer {made['secret']}"}

    def asked(query: str) -> tuple[int, list[str]]:
        answer = node.ask("GET", f"/v1/triage/similar?{query}", headers=bearer)
        assert answer.json().get("searched", 1) == 1  # how many tickets others have is theirs to know
        return answer.status, [one["task_id"] for one in answer.json().get("similar", [])]

    assert asked("text=vpn+drops+after+login") == (200, ["P-web"])
    assert asked("text=vpn+drops+after+login&team=ops") == (403, [])
    assert asked(f"decision_id={decisions['web']['decision_id']}") == (200, [])
    assert asked(f"decision_id={decisions['ops']['decision_id']}") == (404, [])


@pytest.mark.faults
def test_wherever_a_kill_falls_no_ticket_is_found_whose_entry_is_erased(start: Start) -> None:
    rng = random.Random(5)
    node = start()
    for place in range(20):
        score(node, f"F-{place}", f"{VPN} on laptop {place}")
        erase = [sys.executable, "-m", "holdfast", "--config", str(node.config), "--data", str(node.data)]
        erasing = subprocess.Popen(
            [*erase, "ledger", "erase", "--task", f"F-{place}", "--yes"], stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.2, 0.6))  # the moment is what the test is about
        node.stop(signal.SIGKILL)
        erasing.wait(60)
        node.start()
        assert eventually(lambda: ask(node, text=VPN)["complete"])
        kept = {one["decision"]["task_id"] for one in listed(node) if one["decision"]}
        assert set(tasks(node, VPN, limit="50")) == kept


def listed(node: Served) -> list[dict]:
    return node.ask("GET", "/v1/triage/decisions?limit=100").json()["decisions"]


def test_without_a_node_the_command_reads_the_ledger_and_zero_turns_it_off(start: Start) -> None:
    node = start()
    score(node, "S-1", VPN)
    node.stop()
    assert "S-1" in holdfast(node, "triage", "similar", "--text", VPN).stdout
    node.config.write_text("[triage]\nsimilar = 0\n")
    node.start()
    assert ask(node, text=VPN) == {"similar": [], "searched": 0, "complete": True}
    assert score(node, "S-2", VPN)["similar"] == []
