"""`holdfast ledger` on a data directory that no node runs on: what it prints and how it exits."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.cli.main import main

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one ledger command on a data directory of its own."""

    def runs(*arguments: str) -> tuple[int, str]:
        code = main(["--data", str(tmp_path / "state"), "ledger", *arguments])
        return code, capsys.readouterr().out

    return runs


@pytest.fixture
def filled(run: Run) -> Run:
    """A ledger of three erasures, the only thing the command line alone records."""
    for number in range(3):
        run("erase", "--task", f"TASK-{number}", "--yes")
    return run


def test_reading_where_no_node_ever_was_makes_no_directory(run: Run, tmp_path: Path) -> None:
    assert run("verify")[0] == 69
    assert not (tmp_path / "state").exists()


def test_an_empty_ledger_holds(run: Run, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    code, out = run("verify")
    assert code == 0
    assert "0 entries" in out


def test_entries_are_listed_newest_first(filled: Run) -> None:
    lines = filled("show")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["3", "2", "1"]


def test_a_page_says_how_to_go_on(filled: Run) -> None:
    assert filled("show", "--limit", "2")[1].splitlines()[-1] == "more: --before 2"
    assert filled("show", "--limit", "2", "--before", "2")[1].splitlines()[0].split()[0] == "1"


def test_one_entry_is_shown_with_its_payload(filled: Run) -> None:
    shown = json.loads(filled("show", "2")[1])
    assert (shown["header"]["sequence"], shown["state"], shown["payload"]) == (2, "kept", {"of": "subject"})


def test_an_unknown_entry_exits_65(filled: Run) -> None:
    assert filled("show", "dec_unknown")[0] == 65


def test_only_entries_about_one_task_are_shown(filled: Run) -> None:
    found = json.loads(filled("show", "--task", "TASK-1", "--json")[1])
    assert [entry["header"]["sequence"] for entry in found["entries"]] == [2]


def test_erasing_asks_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run("erase", "--task", "TASK-1")[0] == 64
    assert run("show")[1].startswith("nothing recorded")


def test_an_export_is_one_json_line_an_entry(filled: Run, tmp_path: Path) -> None:
    filled("export", "-o", str(tmp_path / "out.jsonl"))
    entries = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [json.loads(entry["header"])["sequence"] for entry in entries] == [1, 2, 3]


def test_an_altered_entry_exits_65_and_is_named(filled: Run, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "state" / "node.db")
    with connection:
        altered = "CAST(replace(CAST(header AS TEXT), 'erasure', 'erasurE') AS BLOB)"
        connection.execute(f"UPDATE entries SET header = {altered} WHERE sequence = 2")
    connection.close()
    code, out = filled("verify")
    assert code == 65
    assert "entry 2: the header, or the hash kept beside it, was altered" in out


def test_an_older_database_exits_65_until_the_loss_is_accepted(filled: Run, tmp_path: Path) -> None:
    database = tmp_path / "state" / "node.db"
    old = database.read_bytes()
    filled("erase", "--task", "TASK-9", "--yes")
    database.write_bytes(old)
    code, out = filled("verify")
    assert code == 65
    assert "saw entry 4, the ledger ends before it" in out
    assert filled("verify", "--accept-loss")[0] == 0
    assert filled("verify", "--json")[0] == 0


def test_an_export_whose_reader_goes_away_is_no_error(filled: Run, tmp_path: Path) -> None:
    assert filled("show")[0] == 0
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "holdfast", "--data", str(tmp_path / "state"), "ledger", "export"]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writing)
    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr
    assert b"Error" not in ended.stderr
