"""Runs a write-back job in processes that are killed just before a chosen statement, each in its turn."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import apsw

from holdfast.apps.triage.scoring import Policy
from tests.apps.triage.counter import open_counter
from tests.apps.triage.killing import Executioner, kill_at_each
from tests.apps.triage.papertracker import PaperTracker, write_desk


def write(directory: Path, policy: Policy, at: int | None) -> int:
    """Take one task in and write it back; return how many statements the write-back took."""
    executioner = Executioner(at)
    apsw.connection_hooks.append(executioner.watch)
    desk = write_desk(open_counter(directory, policy), PaperTracker(directory / "tasks.json"))
    desk.new()
    executioner.armed = True
    desk.run()
    if executioner.count == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return executioner.count


if __name__ == "__main__":
    kill_at_each(Path(sys.argv[1]), write, kills=int(sys.argv[2]))
