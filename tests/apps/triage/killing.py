"""Takes deliveries in processes that are killed just before a chosen statement, each in its turn.

Every statement of every connection counts, BEGIN and COMMIT included: apsw calls the trace before it runs one.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import apsw

from holdfast.apps.triage.keywords import KeywordMatcher
from holdfast.apps.triage.rubric import Rubric
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.vocabulary import read_builtin_vocabulary
from tests.apps.triage.counter import issue, open_counter

ACKNOWLEDGED = 7
POLICY = Policy(Rubric(), KeywordMatcher(read_builtin_vocabulary()))
Act = Callable[[Path, Policy, int | None], int]
"""Does something in a directory, killed before that statement; returns how many statements it took."""


class Executioner:
    """Kills the process before statement number `at`, counted from when it is armed; None: only counts."""

    def __init__(self, at: int | None) -> None:
        self.at, self.count, self.armed = at, 0, False
        self.lock = threading.Lock()

    def watch(self, connection: apsw.Connection) -> None:
        connection.exec_trace = self.trace

    def trace(self, _cursor: apsw.Cursor, _statement: str, _bindings: object) -> bool:
        with self.lock:
            if self.armed:
                if self.count == self.at:
                    os.kill(os.getpid(), signal.SIGKILL)
                self.count += 1
        return True


def take(directory: Path, policy: Policy, at: int | None) -> int:
    """Take one delivery and return how many statements it took."""
    executioner = Executioner(at)
    apsw.connection_hooks.append(executioner.watch)
    counter = open_counter(directory, policy)
    counter.connect()
    executioner.armed = True
    counter.hand_in(issue())
    if executioner.count == at:  # after the last one: durable, and told to nobody
        os.kill(os.getpid(), signal.SIGKILL)
    return executioner.count


def in_a_process(directory: Path, act: Act, at: int | None) -> tuple[int, int]:
    """Do `act` in a child; return its wait status and the statements it counted."""
    directory.mkdir()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        count = act(directory, POLICY, at)
        os.write(write, str(count).encode())
        os._exit(ACKNOWLEDGED)
    os.close(write)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        return status, int(pipe.read() or 0)


def kill_at_each(root: Path, act: Act, *, kills: int) -> None:
    """Do `act` whole, then again and again, killed before each of its statements in turn and after the last."""
    status, statements = in_a_process(root / "whole", act, None)
    assert os.waitstatus_to_exitcode(status) == ACKNOWLEDGED
    for number in range(kills):
        at = number % (statements + 1)
        status, _ = in_a_process(root / str(number), act, at)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, (at, status)
        print(at, statements, flush=True)  # noqa: T201  # what the test reads


if __name__ == "__main__":
    kill_at_each(Path(sys.argv[1]), take, kills=int(sys.argv[2]))
