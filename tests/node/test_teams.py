"""Two teams with a package and rules of their own on one node: nothing of one shows in the other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.node.test_lifecycle import holdfast
from tests.served import Served, Start, eventually, starting
from tests.tiny_package import write_tiny

OFFICE_RULES = "[[rule]]\nname='toner'\nwhen={field='text',contains_word='toner'}\nfloor=95\nroute='office-desk'\n"
CLOUD_RULES = "[[rule]]\nname='calm'\nwhen={field='text',contains_word='toner'}\ncap=5\nroute='cloud-desk'\n"
LOST = """
[trust]
allow_unsigned = true
[tiers]
highest = "small"
[triage]
package = "tiny"
[teams.lost]
package = "nowhere"
"""


def configuration(folder: Path) -> str:
    (folder / "office.toml").write_text(OFFICE_RULES)
    (folder / "cloud.toml").write_text(CLOUD_RULES)
    return f"""
[trust]
allow_unsigned = true
[tiers]
highest = "small"
[triage]
package = "tiny"
[teams.office]
package = "office-pack"
rules_file = "{folder / "office.toml"}"
labels = ["printer"]
[teams.cloud]
package = "cloud-pack"
rules_file = "{folder / "cloud.toml"}"
[teams.shared]
weights = {{ model = 0.1, keywords = 0.55 }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("teams")


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[Served]:
    """One node with three packages, for all tests of this file: each has tickets of its own."""
    nodes = starting(folder)
    node = next(nodes)(configuration(folder))
    for name in ("tiny", "office-pack", "cloud-pack"):
        package = write_tiny(folder / f"{name}.tar", name=name).path
        report = holdfast(node, "package", "install", str(package))
        assert report.returncode == 0, report.stderr
    yield node
    next(nodes, None)


def score(node: Served, task: str, **metadata: object) -> dict:
    ticket = {"id": task, "title": "Printer out of toner", "metadata": metadata}
    answer = node.post("/v1/triage/score", ticket)
    assert answer.status == 200, answer.body
    return answer.json()


def test_each_team_is_answered_by_its_own_package_and_rules(node: Served) -> None:
    found = {team: score(node, f"T-{team}", team=team) for team in ("office", "cloud", "shared", "unheard-of")}
    assert {team: one["served_by"]["package"] for team, one in found.items()} == {
        "office": "office-pack",
        "cloud": "cloud-pack",
        "shared": "tiny",
        "unheard-of": "tiny",
    }
    assert {team: one["team"] for team, one in found.items()}["unheard-of"] == ""
    assert [found[team]["route"]["label"] for team in ("office", "cloud")] == ["office-desk", "cloud-desk"]
    assert found["office"]["score"] == 95
    assert found["shared"]["score"] != found["unheard-of"]["score"]
    assert score(node, "T-label", labels=["Printer"])["team"] == "office"


def test_decisions_overrides_and_counts_of_one_team_are_listed_without_the_others(node: Served) -> None:
    office = [score(node, f"O-{n}", team="office") for n in range(3)]
    score(node, "C-1", team="cloud")
    score(node, "N-1")
    node.post(f"/v1/triage/decisions/{office[0]['decision_id']}/override", {"priority": "P3"})
    listed = {
        team: node.ask("GET", f"/v1/triage/decisions?team={team}").json()["decisions"]
        for team in ("office", "cloud", "")
    }
    ours = {"O-0", "O-1", "O-2", "C-1", "N-1"}
    names = {team: sorted({one["decision"]["task_id"] for one in page} & ours) for team, page in listed.items()}
    assert names == {"office": ["O-0", "O-1", "O-2"], "cloud": ["C-1"], "": ["N-1"]}
    assert holdfast(node, "ledger", "verify").returncode == 0
    lines = node.ask("GET", "/metrics").body.decode().splitlines()
    counted = [line for line in lines if line.startswith("holdfast_team_entries_total{")]
    assert sum("override" in line and "office" in line for line in counted) == 1
    assert not any("override" in line and "cloud" in line for line in counted)


def test_a_batch_of_several_teams_is_one_answer_in_order(node: Served) -> None:
    tickets = [
        {"id": f"B-{n}", "title": "toner", "metadata": {"team": team}}
        for n, team in enumerate(("office", "cloud", "office", "none", "cloud"))
    ]
    decisions = node.post("/v1/triage/score:batch", {"tickets": tickets}).json()["decisions"]
    assert [one["task_id"] for one in decisions] == [f"B-{n}" for n in range(5)]
    assert [one["team"] for one in decisions] == ["office", "cloud", "office", "", "cloud"]


def test_every_decision_is_replayed_with_the_package_and_rules_of_its_team(node: Served) -> None:
    decided = [score(node, f"R-{team}", team=team)["decision_id"] for team in ("office", "cloud", "none")]
    verdicts = [json.loads(holdfast(node, "triage", "replay", one, "--json").stdout)[0] for one in decided]
    assert Counter(one["verdict"] for one in verdicts) == {"same": 3}


def test_tickets_of_teams_that_wait_together_are_each_answered_by_their_own(node: Served) -> None:
    told: dict[str, dict] = {}

    def send(number: int) -> None:
        team = ("office", "cloud", "none")[number % 3]
        told[f"{team}-{number}"] = score(node, f"{team}-{number}", team=team)

    with ThreadPoolExecutor(24) as callers:
        list(callers.map(send, range(90)))
    packages = {task: (one["task_id"], one["served_by"]["package"]) for task, one in told.items()}
    own = {"office": "office-pack", "cloud": "cloud-pack", "none": "tiny"}
    assert packages == {task: (task, own[task.partition("-")[0]]) for task in told}


def test_teams_that_take_turns_do_not_put_their_policies_on_record_each_time(node: Served) -> None:
    for task in ("first", "second"):
        for team in ("office", "cloud", "shared", "none"):
            score(node, f"{task}-{team}", team=team)
        kept = json.loads(holdfast(node, "ledger", "show", "--kind", "triage-policy", "--limit", "99", "--json").stdout)
        if task == "first":
            before = len(kept["entries"])
    assert len(kept["entries"]) == before


def test_a_team_that_is_new_is_served_after_a_reload(start: Start, tmp_path: Path) -> None:
    node = start(LOST.replace("[teams.lost]", "[teams.found]").replace("nowhere", "other"))
    node.config.write_text(LOST.replace("nowhere", "tiny"))
    assert holdfast(node, "package", "install", str(write_tiny(tmp_path / "tiny.tar").path)).returncode == 0
    assert holdfast(node, "config", "reload").returncode == 0
    assert eventually(lambda: score(node, "N-1", team="lost")["served_by"]["package"] == "tiny")
    assert score(node, "N-2", team="found")["team"] == ""


def test_another_default_package_is_served_after_a_reload(start: Start, tmp_path: Path) -> None:
    node = start(LOST)
    for name in ("tiny", "other"):
        assert holdfast(node, "package", "install", str(write_tiny(tmp_path / name, name=name).path)).returncode == 0
    assert score(node, "R-1")["served_by"]["package"] == "tiny"
    node.config.write_text(LOST.replace('"tiny"', '"other"'))
    assert holdfast(node, "config", "reload").returncode == 0
    assert eventually(lambda: score(node, "R-2")["served_by"]["package"] == "other")


def test_an_edited_rule_file_of_one_team_changes_nothing_for_the_other(node: Served, folder: Path) -> None:
    (folder / "office.toml").write_text(OFFICE_RULES.replace("office-desk", "front-desk"))
    assert eventually(lambda: score(node, "E-1", team="office")["route"]["label"] == "front-desk", within_s=8)
    assert score(node, "E-2", team="cloud")["route"]["label"] == "cloud-desk"


def test_a_team_whose_package_is_missing_is_answered_by_rules_and_not_by_anothers(start: Start, tmp_path: Path) -> None:
    node = start(LOST)
    package = write_tiny(tmp_path / "tiny.tar").path
    assert holdfast(node, "package", "install", str(package)).returncode == 0
    decision = score(node, "L-1", team="lost")
    assert (decision["served_by"]["package"], decision["served_by"]["tier"]) == ("builtin", "rules")
    assert score(node, "L-2")["served_by"]["package"] == "tiny"
    assert eventually(lambda: "team-package-not-served" in node.ask("GET", "/v1/node/alerts").body.decode())


def test_a_connection_of_an_unknown_team_is_refused_by_name(start: Start, tmp_path: Path) -> None:
    node = start()
    node.config.write_text('[connections.desk]\nteam = "ofice"\n[teams.office]\n')
    checked = holdfast(node, "config", "check")
    assert checked.returncode == 78
    assert "connections.desk.team: expected a name under [teams] (office), found 'ofice'" in checked.stderr
