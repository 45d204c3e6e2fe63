"""`holdfast bench` replays a user's own tickets and puts the last run beside the figures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.served import Served, Start
from tests.stories.conftest import command

TICKETS = [
    ("A-1", "VPN is down", "nobody can work"),
    ("A-2", "Toner", "printer is empty"),
    ("A-3", "Access", "new folder"),
]


@pytest.fixture
def node(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Served:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return start()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "title", "description"), *TICKETS])
    return path


def _bench(node: Served, export: Path) -> dict:
    done = command(node, "bench", "--tickets", str(export), "--port", str(node.port), "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_second_replay_shows_the_first_beside_it(node: Served, export: Path) -> None:
    first, second = _bench(node, export), _bench(node, export)
    assert (first["run"]["tickets"], first["run"]["failed"], first["last"]) == (3, 0, None)
    assert second["last"] == first["run"]
    assert second["run"]["tiers"] == {"rules": 3}


def test_without_a_node_it_says_how_to_start_one(node: Served, export: Path) -> None:
    node.stop()
    done = command(node, "bench", "--tickets", str(export))
    assert done.returncode == 69
    assert "holdfast serve" in done.stderr
