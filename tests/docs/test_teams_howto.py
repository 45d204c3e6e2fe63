"""docs/howto/teams-and-experiments.md, followed literally."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import Served, eventually, starting
from tests.tiny_package import write_tiny

PAGE = (Path(__file__).parents[2] / "docs/howto/teams-and-experiments.md").read_text()
BLOCKS = [
    re.sub(r"^ {4}", "", one, flags=re.MULTILINE)
    for one in re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", PAGE, flags=re.MULTILINE)
]
CONFIGURATION = BLOCKS[0]
EXPORT = "key,summary,priority,due,reporter_role\nA-1,database down,Blocker,2026-03-02,ceo\nA-2,toner,Minor,,user\n"


def commands() -> list[str]:
    text = "\n".join(BLOCKS[1:]).replace("\\\n", " ")
    return [line.partition("#")[0].strip() for line in text.splitlines() if line.startswith("holdfast ")]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("howto")
    (folder / "node0").mkdir()
    (folder / "node0" / "cloud.rules.toml").write_text("[[rule]]\nname='x'\nwhen={field='id',exists=true}\nfloor=1\n")
    nodes = starting(folder)
    node = next(nodes)(f'[trust]\nallow_unsigned = true\n[tiers]\nhighest = "small"\n{CONFIGURATION}')
    (node.directory / "export.csv").write_text(EXPORT)
    for name in ("triage-en", "cloud-en"):
        run(node, f"holdfast package install {write_tiny(folder / name, name=name).path}")
    yield node
    next(nodes, None)


def run(node: Served, command: str) -> str:
    program, *arguments = shlex.split(command)
    assert program == "holdfast"
    line = [sys.executable, "-m", "holdfast", "--config", str(node.config), "--data", str(node.data), *arguments]
    done = subprocess.run(line, capture_output=True, text=True, cwd=node.directory, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def test_every_command_of_the_page_works_in_its_order_on_its_configuration(node: Served) -> None:
    assert eventually(lambda: "cloud-en@1.0.0" in run(node, "holdfast triage teams"))
    score = {
        team: node.post("/v1/triage/score", {"id": team, "title": "x", "metadata": {"team": team}}) for team in TEAMS
    }
    assert {team: one.json()["served_by"]["package"] for team, one in score.items()} == TEAMS
    told = {}
    for command in commands():
        if "experiment promote" in command:  # the page stops it first to show how; what was stopped can be promoted
            assert "stopped" in told["stop"]
        told[command.split()[3] if "experiment" in command else command] = run(node, command)
    assert "2 tickets; nothing was recorded" in next(text for key, text in told.items() if "replay" in key)
    assert "rolled-back" in told["rollback"]


TEAMS = {"cloud": "cloud-en", "office": "triage-en", "nobody": "triage-en"}
