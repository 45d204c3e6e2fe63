"""Corrections on a real node: exported, learnt from, counted, and explained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.store.package import open_package
from tests.node.test_lifecycle import holdfast
from tests.served import Served, Start, starting
from tests.tiny_package import write_tiny

RULES = "[[rule]]\nname='outage'\nwhen={field='text',contains_word='outage'}\nfloor=95\n"


TEAMS = '[teams.office]\nlabels = ["office"]\n[teams.cloud]\nlabels = ["cloud"]\n'


def started(start: Start, directory: Path, more: str = "") -> Served:
    """A node with a package and a rule."""
    (directory / "rules.toml").write_text(RULES)
    node = start(f'[trust]\nallow_unsigned = true\n[triage]\nrules_file = "{directory / "rules.toml"}"\n{more}')
    package = write_tiny(directory / "tiny.tar").path
    assert holdfast(node, "package", "install", str(package)).returncode == 0
    return node


@pytest.fixture
def node(start: Start, tmp_path: Path) -> Served:
    return started(start, tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests about tasks of their own."""
    directory = tmp_path_factory.mktemp("reports")
    nodes = starting(directory)
    yield started(next(nodes), directory)
    nodes.close()


def score(node: Served, task: str, title: str) -> dict:
    answer = node.post("/v1/triage/score", {"id": task, "title": title, "description": f"Reported as {task}."})
    assert answer.status == 200, answer.body
    return answer.json()


def correct(node: Served, decision: dict, **correction: str) -> None:
    answer = node.post(f"/v1/triage/decisions/{decision['decision_id']}/override", correction)
    assert answer.status == 200, answer.body


def told(node: Served, *arguments: str) -> dict:
    done = holdfast(node, "triage", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_why_a_task_is_p0_is_one_question(shared: Served) -> None:
    decision = score(shared, "acme/shop#12", "Outage of the shop")
    found = told(shared, "why", "acme/shop#12")
    (traced,) = found["decisions"]
    assert found["sentence"].startswith("acme/shop#12: tiny 1.0.0 (")
    assert "unsigned) said P0, score 95, because of rule:outage" in found["sentence"]
    assert [c["name"] for c in traced["decision"]["contributions"] if c["name"] == "rule:outage"]
    assert [one["event"] for one in traced["approval"]["events"]] == ["installed", "activated"]
    assert "floor=95" in traced["policy"]["rules"]
    assert traced["policy"]["rules_digest"] == decision["rules_digest"]


def test_a_correction_shows_in_the_trace_with_who_when_and_why(shared: Served) -> None:
    decision = score(shared, "T-c", "Outage drill")
    correct(shared, decision, priority="P3", reason="only a drill")
    found = shared.ask("GET", "/v1/triage/why?task_id=T-c").json()
    (override,) = found["decisions"][0]["overrides"]
    assert (override["priority"], override["reason"], override["by"]) == ("P3", "only a drill", "local")
    assert [event["kind"] for event in found["events"]] == ["decision", "override"]
    assert "chose P3" in holdfast(shared, "triage", "why", "T-c").stdout


def test_a_task_nobody_asked_about_is_named(shared: Served) -> None:
    done = holdfast(shared, "triage", "why", "T-9")
    assert done.returncode == 65
    assert "'T-9': the ledger has no entry about it" in done.stderr


def test_an_erased_task_leaves_what_its_headers_say(shared: Served) -> None:
    score(shared, "T-e", "Outage")
    assert holdfast(shared, "ledger", "erase", "--task", "T-e", "--yes").returncode == 0
    found = told(shared, "why", "T-e")
    assert found["decisions"] == []
    assert found["events"][0]["summary"].endswith("the sealed payload is gone")


def test_accuracy_is_what_a_recount_of_the_ledger_gives(node: Served) -> None:
    decisions = [score(node, f"T-{place}", "Outage" if place % 2 else "hello") for place in range(12)]
    for decision in decisions[:3]:
        correct(node, decision, priority="P2" if decision["priority"] != "P2" else "P1")
    correct(node, decisions[3], route="somewhere-else")
    listed = json.loads(holdfast(node, "ledger", "show", "--limit", "500", "--json").stdout)["entries"]
    kinds = [entry["header"]["kind"] for entry in listed]
    (row,) = told(node, "accuracy", "--period", "all")["rows"]
    assert (row["decisions"], row["judged"]) == (kinds.count("decision"), kinds.count("override"))
    assert (row["changed"], row["accuracy"]) == (3, 0.75)
    node.stop()
    assert told(node, "accuracy", "--period", "all")["rows"] == [row]


def test_only_the_last_correction_of_a_decision_is_exported(node: Served, tmp_path: Path) -> None:
    decision = score(node, "T-1", "Printer out of toner")
    correct(node, decision, priority="P3", route="front-desk")
    correct(node, decision, priority="P1", reason="the boss waits")
    file = tmp_path / "overrides.jsonl"
    assert holdfast(node, "triage", "overrides", "export", "-o", str(file)).returncode == 0
    (row,) = map(json.loads, file.read_text().splitlines())
    assert (row["id"], row["title"], row["priority"], row["route"]) == ("T-1", "Printer out of toner", "P1", None)
    assert (row["reason"], row["package"], row["node_priority"]) == ("the boss waits", "tiny", decision["priority"])


def test_corrections_alone_train_a_package_that_installs(node: Served, tmp_path: Path) -> None:
    words = {"P0": "production database down customers cannot pay", "P3": "printer toner low please refill sometime"}
    for place in range(60):
        priority = "P0" if place % 2 else "P3"
        correct(node, score(node, f"T-{place}", f"{words[priority]} case {place}"), priority=priority)
    source = tmp_path / "again"
    options = ("--from-overrides", "--split", "random", "--encoder", "none", "-o", str(source))
    trained = holdfast(node, "triage", "train", *options)
    assert trained.returncode == 0, trained.stderr
    assert "corrections: 60" in trained.stderr
    built = tmp_path / "again.tar"
    assert holdfast(node, "package", "build", str(source), "-o", str(built)).returncode == 0
    with open_package(built) as package:
        assert package.manifest.heads[0].labels == ("P3", "P0")


def test_corrections_join_a_file_with_columns_of_its_own(node: Served, tmp_path: Path) -> None:
    words = {"storage": "disk quota full on the share", "access": "cannot log in password expired"}
    rows = [f"{label},{text} number {i}" for i in range(20) for label, text in words.items()]
    issues = tmp_path / "issues.csv"
    issues.write_text("\n".join(["queue_name,summary", *rows]))
    for place in range(12):
        correct(node, score(node, f"T-{place}", f"badge reader does not open the door {place}"), route="building")
    named = ("--column", "title=summary", "--label", "route=queue_name", "--split", "random", "--encoder", "none")
    source = tmp_path / "joined"
    options = ("--tickets", str(issues), "--from-overrides", *named, "-o", str(source))
    trained = holdfast(node, "triage", "train", *options)
    assert trained.returncode == 0, trained.stderr
    assert "route: access, building, storage" in trained.stderr


def test_a_team_sees_its_own_reports_only(start: Start, tmp_path: Path) -> None:
    node = started(start, tmp_path, TEAMS)
    for team in ("office", "cloud"):
        ticket = {"id": f"T-{team}", "title": "Outage", "metadata": {"labels": [team]}}
        correct(node, node.post("/v1/triage/score", ticket).json(), priority="P3")
    made = holdfast(node, "token", "create", "desk", "--role", "operator", "--team", "office")
    bearer = {"Authorization": f"Bearer {made.stdout.split()[-1]}"}
    answers = {path: node.ask("GET", f"/v1/triage/{path}", None, bearer).json() for path in ("accuracy", "overrides")}
    assert [row["team"] for row in answers["accuracy"]["rows"]] == ["office"]
    assert [row["id"] for row in answers["overrides"]["rows"]] == ["T-office"]
    assert node.ask("GET", "/v1/triage/why?task_id=T-office", None, bearer).status == 200
    assert node.ask("GET", "/v1/triage/why?task_id=T-cloud", None, bearer).status == 404
    assert node.ask("GET", "/v1/triage/overrides?team=cloud", None, bearer).status == 403


def test_training_from_corrections_says_when_there_are_none(node: Served, tmp_path: Path) -> None:
    done = holdfast(node, "triage", "train", "--from-overrides", "--encoder", "none", "-o", str(tmp_path / "none"))
    assert done.returncode == 65
    assert "expected decisions that people corrected, found none" in done.stderr


def test_the_pilot_report_joins_the_ledger_with_the_trackers_export(node: Served, tmp_path: Path) -> None:
    opened = datetime.now(UTC) - timedelta(seconds=30)
    for place in range(8):
        metadata = {"created_at": opened.isoformat()}
        ticket = {"id": f"T-{place}", "title": "Outage of the shop", "metadata": metadata}
        decision = node.post("/v1/triage/score", ticket).json()
        if place < 2:
            correct(node, decision, priority="P2", reason="a drill")
    early = (opened - timedelta(days=20)).isoformat()
    late = (opened - timedelta(days=19)).isoformat()
    rows = [f"B-{place},{early},{late},Blocker,Minor" for place in range(6)]
    history = tmp_path / "export.csv"
    history.write_text("\n".join(["key,created,triaged,priority,final_priority", *rows]))
    page = tmp_path / "pilot.html"
    words = ("--value", "Blocker=P0", "--value", "Minor=P3")
    found = told(node, "pilot", "--history", str(history), *words, "-o", str(page))
    figures = {one["name"]: one for one in found["kpis"]}
    assert (found["tasks"], found["history_tasks"]) == (8, 6)
    assert figures["time_to_triage"]["before"]["estimate"] == 86_400.0
    assert 25 < figures["time_to_triage"]["after"]["estimate"] < 60
    assert (figures["false_p0_rate"]["before"]["estimate"], figures["override_rate"]["after"]["estimate"]) == (
        1.0,
        0.25,
    )
    assert json.loads(page.with_suffix(".json").read_text()) == found
    assert "Pilot report" in page.read_text()


def test_a_history_without_the_needed_column_is_refused_by_name(shared: Served, tmp_path: Path) -> None:
    history = tmp_path / "export.csv"
    history.write_text("key,summary\nB-1,toner\n")
    done = holdfast(shared, "triage", "pilot", "--history", str(history))
    assert done.returncode == 65
    assert "expected a column that says each task's opened, found key, summary" in done.stderr
