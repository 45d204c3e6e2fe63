"""A token of one team sees and sends that team's tickets, and learns of no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.node.test_lifecycle import holdfast
from tests.served import Answer, Served, Start, starting
from tests.tiny_package import write_tiny

TEAMS = "[teams.office]\nlabels = ['printer']\n[teams.cloud]\n"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    nodes = starting(tmp_path_factory.mktemp("tokens"))
    yield next(nodes)(TEAMS)
    next(nodes, None)


@pytest.fixture(scope="module")
def tokens(node: Served) -> dict[str, str]:
    """A token for each team, and one for all."""
    given = {"office": ("--team", "office"), "both": ("--team", "office", "--team", "cloud"), "all": ()}
    return {
        name: holdfast(node, "token", "create", name, "--role", "operator", *arguments).stdout.strip()
        for name, arguments in given.items()
    }


def ask(node: Served, token: str, method: str, path: str, body: object = None) -> Answer:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return node.ask(method, path, None if body is None else json.dumps(body).encode(), headers)


def score(node: Served, token: str, task: str, **metadata: object) -> Answer:
    return ask(node, token, "POST", "/v1/triage/score", {"id": task, "title": "toner", "metadata": metadata})


def decided(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return answer.json()


def test_its_tickets_are_its_teams_whether_they_say_so_or_not(node: Served, tokens: dict[str, str]) -> None:
    assert decided(score(node, tokens["office"], "T-1"))["team"] == "office"
    assert decided(score(node, tokens["office"], "T-2", team="office"))["team"] == "office"
    refused = score(node, tokens["office"], "T-3", team="cloud")
    assert (refused.status, "expected one of office" in refused.json()["detail"]) == (403, True)
    assert score(node, tokens["both"], "T-4").status == 403
    assert decided(score(node, tokens["both"], "T-5", team="cloud"))["team"] == "cloud"


def test_another_teams_decision_is_as_unknown_as_one_that_never_was(node: Served, tokens: dict[str, str]) -> None:
    theirs = decided(score(node, tokens["all"], "T-6", team="cloud"))["decision_id"]
    path = f"/v1/triage/decisions/{theirs}"
    told = [
        ask(node, tokens["office"], "GET", path),
        ask(node, tokens["office"], "POST", f"{path}/override", {"priority": "P0"}),
        ask(node, tokens["office"], "GET", f"{path}/reprocess"),
        ask(node, tokens["office"], "GET", "/v1/triage/decisions/dec_00000000000000000000000000"),
    ]
    assert [one.status for one in told] == [404] * 4
    assert decided(ask(node, tokens["both"], "GET", path))["override"] is None


def test_lists_hold_its_own_only(node: Served, tokens: dict[str, str]) -> None:
    for team in ("office", "cloud", "nobody"):
        score(node, tokens["all"], f"L-{team}", team=team)
    page = decided(ask(node, tokens["office"], "GET", "/v1/triage/decisions?limit=500"))
    assert {one["decision"]["team"] for one in page["decisions"]} == {"office"}
    assert ask(node, tokens["office"], "GET", "/v1/triage/decisions?team=cloud").status == 403
    assert ask(node, tokens["both"], "GET", "/v1/triage/decisions").status == 403
    assert ask(node, tokens["both"], "GET", "/v1/triage/decisions?team=cloud").status == 200
    shown = decided(ask(node, tokens["office"], "GET", "/v1/node/teams"))["teams"]
    assert [one["team"] for one in shown] == ["office"]


def test_the_inference_protocol_answers_with_its_own_package_and_records_it_as_its_own(
    node: Served, tokens: dict[str, str]
) -> None:
    body = {"id": "v2", "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["toner"]}]}
    assert ask(node, tokens["office"], "POST", "/v2/models/builtin/infer", body).status == 200
    page = decided(ask(node, tokens["office"], "GET", "/v1/triage/decisions?task_id=v2/0"))
    assert [one["decision"]["team"] for one in page["decisions"]] == ["office"]


def test_a_key_that_another_team_used_brings_no_decision_of_theirs(node: Served, tokens: dict[str, str]) -> None:
    ticket = json.dumps({"id": "T-9", "title": "toner"}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": "same"}
    told = [
        node.ask("POST", "/v1/triage/score", ticket, {**headers, "Authorization": f"Bearer {tokens[name]}"})
        for name in ("all", "office", "office")
    ]
    assert [one.headers.get("holdfast-replay") for one in told] == [None, None, "true"]
    assert [one.json()["team"] for one in told] == ["", "office", "office"]


def test_metrics_tell_a_teams_own_series_only(node: Served, tokens: dict[str, str]) -> None:
    for team in ("office", "cloud"):
        score(node, tokens["all"], f"M-{team}", team=team)
    told = {who: ask(node, tokens[who], "GET", "/metrics").body.decode() for who in ("office", "all")}
    assert ['team="cloud"' in told[who] for who in ("office", "all")] == [False, True]
    assert 'team="office"' in told["office"]
    assert "holdfast_requests_total{" in told["office"]


def test_models_are_those_that_answer_its_own_tickets(start: Start, tmp_path: Path) -> None:
    packages = "[trust]\nallow_unsigned = true\n[tiers]\nhighest = 'small'\n[triage]\npackage = 'tiny'\n"
    node = start(packages + "[teams.office]\npackage = 'mine'\n[teams.cloud]\npackage = 'theirs'\n")
    for name in ("tiny", "mine", "theirs"):
        assert holdfast(node, "package", "install", str(write_tiny(tmp_path / name, name=name).path)).returncode == 0
    made = holdfast(node, "token", "create", "office", "--role", "operator", "--team", "office")
    office = made.stdout.strip()
    listed = decided(ask(node, office, "GET", "/v1/models"))["data"]
    assert [one["id"] for one in listed] == ["mine"]
    asked = [
        ask(node, office, "POST", "/v1/embeddings", {"model": name, "input": "a"})
        for name in ("mine", "theirs", "tiny")
    ]
    assert [one.status for one in asked] == [503, 404, 404]  # without an encoder there is none of its own
    shown = ask(node, office, "GET", "/metrics").body.decode()
    assert ('package="mine"' in shown or 'name="mine"' in shown, "theirs" in shown, "tiny" in shown) == (
        True,
        False,
        False,
    )


def test_while_a_teams_package_is_missing_its_model_keeps_answering_by_name(start: Start) -> None:
    node = start("[teams.office]\npackage = 'mine'\n[teams.cloud]\npackage = 'theirs'\n")
    office = holdfast(node, "token", "create", "o", "--role", "operator", "--team", "office").stdout.strip()
    body = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["toner"]}]}
    told = [ask(node, office, "POST", f"/v2/models/{name}/infer", body) for name in ("mine", "theirs")]
    assert [one.status for one in told] == [200, 404]
    assert told[0].json()["model_name"] == "builtin"
