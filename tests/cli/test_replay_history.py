"""`holdfast triage replay FILE` over a tracker's export: what the node would have done."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest

from holdfast.cli.main import main

ROWS = [
    {"Key": "OPS-1", "Summary": "Production database is down", "Priority": "Blocker", "Team": "infra", "Due": ""},
    {"Key": "OPS-2", "Summary": "please change my desktop picture", "Priority": "Minor", "Team": "desk", "Due": ""},
    {
        "Key": "OPS-3",
        "Summary": "question about the manual",
        "Priority": "P3",
        "Team": "",
        "Due": "2026-03-01T12:00:00Z",
    },
    {"Key": "OPS-4", "Summary": "", "Priority": "P3", "Team": "desk", "Due": ""},
]
VALUES = ("--value", "priority:Blocker=P0", "--value", "priority:Minor=P3")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*ROWS[0], "Created"])
        writer.writeheader()
        writer.writerows({**row, "Created": "2026-03-01 10:00:00"} for row in ROWS)
    return path


@pytest.fixture
def replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["--data", str(tmp_path / "state"), "triage", "replay", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def asked(replay, *arguments: str):
    code, out, err = replay(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_each_ticket_is_scored_as_of_its_day_and_held_against_what_it_had(replay, export: Path) -> None:
    found = asked(replay, str(export), *VALUES, "--metadata", "deadline_at=Due")
    report = found["report"]
    assert (report["tickets"], len(found["unusable"])) == (3, 1)
    assert set(report["then"]) == {"P0", "P3"}
    assert sum(sum(row.values()) for row in report["then"].values()) == 3
    assert report["same_priority"]["low"] <= report["same_priority"]["estimate"] <= report["same_priority"]["high"]


def test_a_deadline_counts_from_the_day_the_ticket_was_written(replay, export: Path) -> None:
    plain = {one["task_id"]: one["score"] for one in asked(replay, str(export))["tickets"]}
    due = {
        one["task_id"]: one["score"] for one in asked(replay, str(export), "--metadata", "deadline_at=Due")["tickets"]
    }
    assert due["OPS-3"] > plain["OPS-3"]
    assert due["OPS-1"] == plain["OPS-1"]


def test_a_candidate_is_tried_without_being_in_force(replay, export: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]\nname='all'\nwhen={field='id',exists=true}\nfloor=95\nroute='everybody'\n")
    tried = asked(replay, str(export), *VALUES, "--rules", str(rules))["report"]
    assert (tried["priorities"]["P0"], tried["needs_triage"]) == (3, 0)
    assert [one["then"] for one in tried["changed"]] == ["P3", "P3"]
    assert asked(replay, str(export), *VALUES)["report"]["priorities"]["P0"] == 1


def test_nothing_of_it_is_recorded(replay, export: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asked(replay, str(export))
    assert main(["--data", str(tmp_path / "state"), "ledger", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == []


def test_tickets_as_the_node_takes_them_are_read_from_json_lines_with_their_metadata(replay, tmp_path: Path) -> None:
    tickets = [
        {"id": "T-1", "title": "toner", "metadata": {"requester": {"role": "ceo"}, "labels": ["a", "b"]}},
        {"id": "T-2", "title": "toner"},
    ]
    path = tmp_path / "tickets.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, tickets)).encode()))
    ceo, other = asked(replay, str(path))["tickets"]
    assert ceo["score"] > other["score"]


def test_the_page_says_what_was_assumed_and_what_could_not_be_used(replay, export: Path) -> None:
    code, out, err = replay(str(export), *VALUES)
    assert code == 0
    assert "assumed: export.csv: column 'Summary' is read as the title" in err
    assert "3 tickets, 1 more cannot be used; nothing was recorded" in out
    assert "expected text, found none" in out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--metadata", "deadline_at=Nope"), 65, "expected a column 'Nope'"),
        (("--metadata", "deadline_at"), 64, "expected --metadata KEY=COLUMN"),
        (("--weight", "model=much"), 65, "expected NAME=NUMBER"),
        (("--package", "nowhere"), 65, "package nowhere cannot be served"),
        (("--band", "p9=3"), 65, "p9"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(replay, export: Path, arguments, code: int, says: str) -> None:
    found, _, err = replay(str(export), *arguments)
    assert (found, len(err.splitlines())) == (code, 1)
    assert says in err
