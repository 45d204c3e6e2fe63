"""Runs a write-back job in processes that are killed just before a chosen statement, each in its turn."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import apsw

from holdfast.apps.triage.keywords import KeywordMatcher
from holdfast.apps.triage.rubric import Rubric
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.vocabulary import read_builtin_vocabulary
from tests.apps.triage.counter import open_counter
from tests.apps.triage.killing import ACKNOWLEDGED, Executioner
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


def in_a_process(directory: Path, policy: Policy, at: int | None) -> tuple[int, int]:
    """Do it in a child; return its wait status and the statements it counted."""
    directory.mkdir()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        count = write(directory, policy, at)
        os.write(writing, str(count).encode())
        os._exit(ACKNOWLEDGED)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return status, int(pipe.read() or 0)


def main(root: Path, kills: int) -> None:
    policy = Policy(Rubric(), KeywordMatcher(read_builtin_vocabulary()))
    status, statements = in_a_process(root / "whole", policy, None)
    assert os.waitstatus_to_exitcode(status) == ACKNOWLEDGED
    for number in range(kills):
        at = number % (statements + 1)
        status, _ = in_a_process(root / str(number), policy, at)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, (at, status)
        print(at, statements, flush=True)  # noqa: T201  # what the test reads


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
