"""The commands of docs/howto/look-back.md do what the page says, on a node that people have corrected."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.served import Served
from tests.tiny_package import write_tiny

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "look-back.md"
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in block.strip().splitlines()
]
WORDS = ("production database down customers cannot pay", "printer toner low please refill sometime")


def run(node: Served, line: str) -> subprocess.CompletedProcess[str]:
    """One line of the page, where the page's reader would stand."""
    return subprocess.run(
        [sys.executable, "-m", *shlex.split(line)],
        cwd=node.directory,
        env={**os.environ, "HOLDFAST_CONFIG": str(node.config), "HOLDFAST_DATA__DIRECTORY": str(node.data)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("look-back")
    node = Served(directory, "[trust]\nallow_unsigned = true\n")
    try:
        installed = run(node, f"holdfast package install {write_tiny(directory / 'tiny.tar').path}")
        assert installed.returncode == 0, installed.stderr
        _work(node)
        _export(directory / "export.csv")
        yield node
    finally:
        node.stop()


def _work(node: Served) -> None:
    """Sixty tickets that a person corrected, one by one."""
    for place in range(60):
        at = datetime.now(UTC).isoformat()
        ticket = {"id": f"T-{place}", "title": f"{WORDS[place % 2]} case {place}", "metadata": {"created_at": at}}
        decision = node.post("/v1/triage/score", ticket).json()
        correction = {"priority": ("P0", "P3")[place % 2], "reason": "looked at it"}
        assert node.post(f"/v1/triage/decisions/{decision['decision_id']}/override", correction).status == 200


def _export(path: Path) -> None:
    opened = datetime.now(UTC) - timedelta(days=20)
    rows = [f"B-{place},{opened.isoformat()},{(opened + timedelta(hours=2)).isoformat()},Blocker" for place in range(9)]
    path.write_text("\n".join(["key,created,triaged,priority", *rows]))


def test_each_command_of_the_page_works_in_order_and_leaves_the_files_it_names(node: Served) -> None:
    for line in COMMANDS:
        done = run(node, line)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert json.loads((node.directory / "pilot.json").read_text())["history_tasks"] == 9
    assert len((node.directory / "overrides.jsonl").read_text().splitlines()) == 60


def test_every_address_the_page_names_answers(node: Served) -> None:
    for path in re.findall(r"`(/v1/triage/[a-z]+)`", PAGE.read_text()):
        assert node.ask("GET", f"{path}?task_id=T-1").status == 200, path
