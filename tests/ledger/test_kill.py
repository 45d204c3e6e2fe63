"""SIGKILL of a process that appends: what it acknowledged is in the ledger."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from .desk import open_desk_at

REPOSITORY = Path(__file__).parents[2]


def _acknowledged_before_kill(directory: Path, after_s: float) -> list[tuple[int, int]]:
    """Start an appender, kill it `after_s` after it is ready, and read what it acknowledged."""
    command = [sys.executable, "-m", "tests.ledger.appender", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        killer = threading.Timer(after_s, process.kill)
        killer.start()
        lines = process.stdout.read().splitlines()
        killer.join()
    return [(int(sequence), int(number)) for sequence, number in (line.split() for line in lines)]


def _kill_and_check(directory: Path, kills: int, *, seed: int) -> None:
    rng = random.Random(seed)
    total = 0
    for _ in range(kills):
        acknowledged = _acknowledged_before_kill(directory, rng.uniform(0.0, 0.15))
        total += len(acknowledged)
        desk = open_desk_at(directory)
        verdict = desk.journal.verify()
        kept = {sequence: desk.journal.entry(sequence) for sequence, _ in acknowledged}
        desk.close()
        assert verdict.ok, verdict
        lost = [s for s, n in acknowledged if not (e := kept[s]) or not (e.payload or b"").startswith(b"%d:" % n)]
        assert lost == []
    assert total > kills


def test_killed_at_10_moments_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    _kill_and_check(tmp_path, 10, seed=6)


@pytest.mark.faults
def test_killed_at_50_moments_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    _kill_and_check(tmp_path, 50, seed=7)
