"""The commands of docs/howto/train-your-own.md do what the page says, on real tickets."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "train-your-own.md"
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in block.strip().splitlines()
]


def _rows(name: str, *, every: int) -> Iterator[dict[str, str]]:
    with gzip.open(ROOT / "data" / name, "rt", encoding="utf-8", newline="") as file:
        for i, row in enumerate(csv.DictReader(file)):
            if i % every == 0:
                yield row


def _write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files that the page speaks of, made of bundled tickets."""
    place = tmp_path_factory.mktemp("howto")
    _write_csv(place / "helpdesk.csv", list(_rows("it_service_tickets_train.csv.gz", every=60)))
    _write_csv(place / "reports.csv", list(_rows("nasa_pits_A-E.csv.gz", every=3)))
    with (place / "issues.jsonl").open("w", encoding="utf-8") as file:
        for row in _rows("vulnrichment_to_2024-06.csv.gz", every=30):
            fields = {"summary": row["title"], "description": row["body"], "created": row["date"]}
            fields_and_priority = {**fields, "priority": {"name": row["cvss_severity"]}}
            file.write(json.dumps({"key": row["id"], "fields": fields_and_priority}) + "\n")
    return place


def test_every_command_of_the_page_runs_in_order(desk: Path) -> None:
    assert len(COMMANDS) >= 6
    environment = {**os.environ, "NO_COLOR": "1", "HOME": str(desk)}
    for line in COMMANDS:
        words = shlex.split(line)[1:]
        # The public encoder is a download: what it adds is tested where it is built.
        words += ["--encoder", "none"] if words[1] == "train" else []
        run = [sys.executable, "-m", "holdfast", *words]
        done = subprocess.run(run, cwd=desk, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    for report in ("report.html", "report.txt", "report.json", "training-list.txt"):
        assert (desk / "triage-helpdesk.report" / report).stat().st_size > 0
