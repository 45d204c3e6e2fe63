"""Experiments on a running node: shadow, A/B, promote, stop, take back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.apps.triage.experiments import drawn
from tests.node.test_lifecycle import holdfast
from tests.served import Served, Start, eventually, starting
from tests.tiny_package import write_tiny

RULES = "[[rule]]\nname='toner'\nwhen={field='text',contains_word='toner'}\nfloor=95\nroute='front-desk'\n"
CONFIGURATION = (
    '[trust]\nallow_unsigned = true\n[tiers]\nhighest = "small"\n[triage]\npackage = "tiny"\n[teams.cloud]\n'
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One node for all tests of this file: each stops what it began."""
    folder = tmp_path_factory.mktemp("experiments")
    nodes = starting(folder)
    node = next(nodes)(CONFIGURATION)
    for name, version in (("tiny", "2.0.0"), ("tiny", "1.0.0"), ("other", "1.0.0")):
        package = write_tiny(folder / f"{name}-{version}.tar", name=name, version=version).path
        assert holdfast(node, "package", "install", str(package)).returncode == 0
    (node.directory / "rules.toml").write_text(RULES)
    yield node
    next(nodes, None)


def experiment(node: Served, *arguments: str) -> dict[str, Any]:
    done = holdfast(node, "triage", "experiment", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def results(node: Served, name: str) -> dict[str, Any]:
    return node.ask("GET", f"/v1/triage/experiments/{name}").json()


def score(node: Served, task: str, **metadata: object) -> dict[str, Any]:
    ticket = {"id": task, "title": "Printer out of toner", "metadata": metadata}
    return node.post("/v1/triage/score", ticket).json()


def entries(node: Served, kind: str) -> list[dict[str, Any]]:
    return json.loads(holdfast(node, "ledger", "show", "--kind", kind, "--json").stdout)["entries"]


def test_shadow_scores_records_and_decides_nothing(node: Served) -> None:
    before = score(node, "S-0")
    experiment(node, "start", "shade", "--rules", str(node.directory / "rules.toml"))
    told = [score(node, f"S-{n}") for n in range(1, 6)]
    assert {(one["score"], one["arm"]) for one in told} == {(before["score"], "")}
    assert eventually(lambda: results(node, "shade")["tasks"] == 5, within_s=10)
    node.post(f"/v1/triage/decisions/{told[0]['decision_id']}/override", {"priority": "P0"})
    control, candidate = results(node, "shade")["comparison"]["arms"]
    assert (control["priorities"]["P0"], candidate["priorities"]["P0"]) == (0, 5)
    assert (control["agreement"]["estimate"], candidate["agreement"]["estimate"]) == (0.8, 0.2)
    assert (control["judged"], control["override_rate"]["estimate"]) == (1, 0.2)
    assert experiment(node, "stop", "shade")["state"] == "stopped"
    assert len(entries(node, "shadow")) == 5


def test_a_candidate_with_another_package_is_asked_beside_the_one_in_force(node: Served) -> None:
    experiment(node, "start", "beside", "--package", "other")
    assert score(node, "B-1")["served_by"]["package"] == "tiny"
    assert eventually(lambda: results(node, "beside")["tasks"] == 1, within_s=10)
    experiment(node, "stop", "beside")


def test_ab_gives_each_task_its_arm_and_a_team_is_left_alone(node: Served) -> None:
    experiment(node, "start", "half", "--mode", "ab", "--weight", "model=0.4", "--weight", "keywords=0.25")
    told = {f"A-{n}": score(node, f"A-{n}") for n in range(20)}
    assert {task: one["arm"] for task, one in told.items()} == {
        task: f"half/{drawn('half', task, share=0.5)}" for task in told
    }
    assert len({(one["arm"], one["score"]) for one in told.values()}) == 2
    assert score(node, "A-1", team="cloud")["arm"] == ""
    page = results(node, "half")
    assert [one["decisions"] for one in page["comparison"]["arms"]] == [
        sum(one["arm"] == f"half/{arm}" for one in told.values()) for arm in ("control", "candidate")
    ]
    experiment(node, "stop", "half")
    assert score(node, "A-1")["arm"] == ""


def test_a_promoted_candidate_is_in_force_after_a_restart_and_shown_with_its_origin(node: Served) -> None:
    before = score(node, "P-0")["score"]
    experiment(node, "start", "better", "--weight", "model=0.4", "--weight", "keywords=0.25")
    assert experiment(node, "promote", "better")["state"] == "promoted"
    promoted = score(node, "P-1")["score"]
    assert promoted != before
    node.stop()
    node.start()
    assert eventually(lambda: score(node, "P-2")["score"] == promoted)
    shown = json.loads(holdfast(node, "config", "show", "--origin", "--json").stdout)["triage.weights.model"]
    assert (shown["value"], Path(shown["origin"].rpartition(":")[0]).name) == (0.4, "promoted.toml")
    assert experiment(node, "rollback")["state"] == "rolled-back"
    assert score(node, "P-3")["score"] == before


def test_promoted_rules_and_versions_come_and_go_with_one_command(node: Served) -> None:
    rules = str(node.directory / "rules.toml")
    experiment(node, "start", "both", "--rules", rules, "--package", "tiny@2.0.0")
    experiment(node, "promote", "both")
    decision = score(node, "V-1")
    assert (decision["served_by"]["version"], decision["route"]["label"]) == ("2.0.0", "front-desk")
    experiment(node, "rollback")
    decision = score(node, "V-2")
    assert (decision["served_by"]["version"], decision["route"]["label"]) == ("1.0.0", "hardware")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("bad", "--weight", "model=0.9"), "sum to 1"),
        (("none",), "expected a candidate that differs"),
        (("lost", "--package", "nowhere"), "nowhere"),
        (("Bad name", "--band", "p0=80"), "Bad name"),
        (("who", "--band", "p0=80", "--team", "nobody"), "expected a configured team (cloud)"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_one_line_and_leaves_nothing(node: Served, arguments, says) -> None:
    refused = holdfast(node, "triage", "experiment", "start", *arguments)
    assert refused.returncode == 65, refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    known = node.ask("GET", "/v1/triage/experiments").json()["experiments"]
    assert arguments[0] not in {one["name"] for one in known}


def test_a_setting_that_is_stronger_than_a_promotion_is_named(start: Start) -> None:
    node = start(HOLDFAST_TRIAGE__BANDS__P0="88")
    experiment(node, "start", "lower", "--band", "p0=85")
    refused = holdfast(node, "triage", "experiment", "promote", "lower")
    assert "environment HOLDFAST_TRIAGE__BANDS__P0" in refused.stderr
    assert not (node.data / "promoted.toml").exists()


def test_the_ledger_tells_who_started_promoted_and_took_back_what(node: Served) -> None:
    told = entries(node, "experiment")
    assert {one["payload"]["event"] for one in told} >= {"started", "promoted", "rolled-back", "stopped"}
    assert holdfast(node, "ledger", "verify").returncode == 0
