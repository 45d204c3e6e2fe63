"""`python -m bench.laden …` is `holdfast …`, with a queue that SIGUSR1 keeps at a thousand jobs and SIGUSR2 empties.

Each job waits as long as a tracker nearby takes to answer; the lanes, leases and durable ends are the node's own.
"""

from __future__ import annotations

import itertools
import signal
import sys
import threading
import time
from functools import partial

from holdfast.cli.main import main
from holdfast.database import Transaction
from holdfast.job import Done, JobState, Lease, NewJob, Outcome
from holdfast.node.lanes import JobLanes
from holdfast.node.node import Node

QUEUE, DEPTH = "write-back", 1000
_ANSWER_S = 0.05
_TOP_UP_S = 0.5
_AT_ONCE = 100


class _Load:
    """Keeps the queue at its depth while it is wanted. `wanted` is the only thing two threads share."""

    def __init__(self, node: Node) -> None:
        self._database, self._jobs = node.state.database, node.state.jobs
        self.wanted = threading.Event()
        self._numbers = itertools.count()

    def keep(self) -> None:
        while True:
            self.wanted.wait()
            while self.wanted.is_set():
                depth = next(state.ready for state in self._jobs.states() if state.queue == QUEUE)
                if depth < DEPTH:
                    self._database.commit(partial(self._add, count=min(_AT_ONCE, DEPTH - depth)))
                time.sleep(_TOP_UP_S if depth >= DEPTH - _AT_ONCE else 0.01)
            self._database.commit(lambda t: self._jobs.purge(t, QUEUE, state=JobState.READY))

    def _add(self, transaction: Transaction, count: int) -> None:
        for number in itertools.islice(self._numbers, count):
            self._jobs.enqueue(transaction, NewJob(queue=QUEUE, kind="errand", payload=b"", key=f"errand {number}"))


def _errand(_: Lease) -> Outcome:
    time.sleep(_ANSWER_S)
    return Done()


def _laden(node: Node) -> None:
    load = _Load(node)
    signal.signal(signal.SIGUSR1, lambda *_: load.wanted.set())
    signal.signal(signal.SIGUSR2, lambda *_: load.wanted.clear())
    threading.Thread(target=load.keep, name="load", daemon=True).start()


class _LadenLanes(JobLanes):
    """The node's lanes, which also run errands."""

    def start(self) -> None:
        self.offer("errand", _errand)
        _laden(self._node)
        super().start()


if __name__ == "__main__":
    from holdfast.node import parts

    parts.JobLanes = _LadenLanes  # type: ignore[misc]  # from outside nothing can enqueue a job of this kind
    sys.exit(main())
