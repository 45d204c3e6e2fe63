"""Job lanes: threads that lease jobs and give each to the function that owns its kind; no queue shares one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from holdfast.errors import Unavailable
from holdfast.finding import Finding
from holdfast.job import Again, Dead, Done, Lease, Outcome, QueueState
from holdfast.jobs import LeaseLost
from holdfast.node.guard import Guard
from holdfast.node.loop import Loop
from holdfast.node.queue_findings import queue_findings
from holdfast.node.queues import queue_limits

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["JobLanes", "Run"]

Run = Callable[[Lease], Outcome]
"""Does one job. What it raises is a failure that may pass."""

_LOOK_EVERY_S = 60.0  # a bell that was not heard costs at most this
_STEP_S = 1.0
_DRAIN_S = 5.0
_PAUSE_S = 1.0  # while the disk takes no lease, or not the end of a run


class JobLanes:
    """Every lane of a node. `_lock` guards the table of lanes.

    It is the last part of a node to start: by then every kind has the function that owns it.
    """

    def __init__(self, node: Node) -> None:
        self._node, self._jobs = node, node.state.jobs
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._states: tuple[QueueState, ...] = ()
        self.stopping = threading.Event()
        self._end_s = 0.0
        self._guard = Guard("jobs", seen=(node.measures, node.log))
        self._loop = Loop("jobs", self._step, every_s=_STEP_S, seen=(node.measures, node.log))

    def offer(self, kind: str, run: Run) -> None:
        """Have `run` do the jobs of `kind`; called before the lanes start. It runs on a lane's thread."""
        self._runs[kind] = run

    def wake(self, queue: str) -> None:
        """Look for work in `queue` now."""
        self._jobs.bell(queue).ring()

    def start(self) -> None:
        """Take back what the process before held, then begin."""
        released = self._jobs.release_all()
        if released:
            self._node.log.warning("jobs-released", count=released)
        self._begin()
        self._loop.start()

    def wind_down(self) -> None:
        """Begin no job any more; called as soon as the node is told to stop: lanes end while it still answers."""
        if not self.stopping.is_set():
            self._end_s = time.monotonic() + _DRAIN_S
            self.stopping.set()
            for queue in self._jobs.limits:
                self.wake(queue)

    def stop(self) -> None:
        """Let runs end until five seconds after `wind_down`; one that does not is run again by the next process."""
        self.wind_down()
        with self._lock:
            lanes = tuple(self._lanes.values())
        for lane in lanes:
            lane.join(self._end_s - time.monotonic())
        self._loop.stop()

    def reconfigure(self) -> None:
        """Put the new limits in force: lanes come or go, a lane that runs goes after its job. Raises UnknownQueue."""
        self._jobs.limits = queue_limits(self._node.loaded.settings)
        if self._loop.started:
            self._begin()

    def findings(self) -> tuple[Finding, ...]:
        """What waits too long, what was given up, what hangs."""
        now_s = self._node.state.clock.monotonic_s()
        with self._lock:
            held = [lane.lease for lane in self._lanes.values()]
        overdue = [lease for lease in held if lease is not None and lease.until_s < now_s]
        return queue_findings(self._states, overdue)

    def wanted(self, queue: str, number: int) -> bool:
        """Say whether lane `number` of `queue` is to go on."""
        return not self.stopping.is_set() and number < self._jobs.limits_of(queue).lanes

    def do(self, lease: Lease) -> Outcome:
        """Run the job of `lease`, whatever happens."""
        kind = lease.job.kind
        run = self._runs.get(kind)
        if run is None:
            return Again(f"nothing on this node does jobs of kind {kind}")
        try:
            return run(lease)
        except LeaseLost as error:
            return Again(str(error))  # which will find the same
        except Unavailable as error:
            return Again(str(error), after_s=error.retry_after_s, counts=False)  # the disk: no fault of the job's
        except Exception as error:  # noqa: BLE001  # rim: a lane that died would leave its queue without one
            self._node.measures.add("swallowed_errors_total", "jobs")
            self._node.log.failure("job-raised", kind=kind, job=lease.job.id, error=type(error).__name__)
            return Again(f"{type(error).__name__}: {error}")

    def _begin(self) -> None:
        for queue, limits in self._jobs.limits.items():
            for number in range(limits.lanes):
                with self._lock:
                    lane = self._lanes.get((queue, number))
                    if lane is None or not lane.alive:
                        self._lanes[queue, number] = lane = _Lane(self, self._node, queue, number)
                        lane.start()
            self.wake(queue)

    def _step(self) -> None:
        with self._guard.part("queue"):
            self._jobs.step()
        self._states = states = self._jobs.states()
        measures = self._node.measures
        for state in states:
            for name, count in _counts(state).items():
                measures.set("queue_jobs", state.queue, name, value=float(count))
        measures.set("oldest_job_seconds", value=max((state.oldest_s for state in states), default=0.0))


def _counts(state: QueueState) -> Mapping[str, int]:
    return {
        "ready": state.ready - state.waiting,
        "waiting": state.waiting,
        "leased": state.leased,
        "dead": state.dead,
    }


class _Lane:
    """One thread of one queue. `lease` is written by it alone."""

    def __init__(self, lanes: JobLanes, node: Node, queue: str, number: int) -> None:
        self._lanes, self._node, self._jobs = lanes, node, node.state.jobs
        self._queue, self._number = queue, number
        self.lease: Lease | None = None
        self._fault = ""
        self._thread = threading.Thread(target=self._work, name=f"job-{queue}-{number}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(max(timeout_s, 0.0))

    def _work(self) -> None:
        bell = self._jobs.bell(self._queue)
        while self._lanes.wanted(self._queue, self._number):
            rings = bell.rings
            try:
                self.lease = lease = self._jobs.lease(self._queue)
                wait_s = self._jobs.wait_s(self._queue)
            except Exception as error:  # noqa: BLE001  # rim: a full disk, or anything else, must not end the lane
                self._swallowed("job-not-leased", error)
                lease, wait_s = None, _PAUSE_S
            if lease is None:
                bell.wait(rings, timeout_s=_LOOK_EVERY_S if wait_s is None else min(wait_s, _LOOK_EVERY_S))
                continue
            outcome = self._lanes.do(lease)
            self._settle(lease, outcome)
            self.lease = None

    def _settle(self, lease: Lease, outcome: Outcome) -> None:
        """Write the outcome down, for as long as the lease lasts."""
        while True:
            try:
                self._jobs.finish(lease, outcome)
            except LeaseLost:
                self._count("lost")
                return
            except Exception as error:  # noqa: BLE001  # rim: what is not written down is run again
                self._swallowed("job-not-settled", error)
                late = self._node.state.clock.monotonic_s() > lease.until_s
                if late or not isinstance(error, Unavailable) or self._lanes.stopping.wait(_PAUSE_S):
                    return
            else:
                self._fault = ""
                self._count(_word(outcome))
                return

    def _swallowed(self, event: str, error: Exception) -> None:
        self._node.measures.add("swallowed_errors_total", "jobs")
        detail = f"{type(error).__name__}: {error}"[:300]
        if detail != self._fault:  # a full disk would fill the log, too
            self._fault = detail
            self._node.log.failure(event, queue=self._queue, detail=detail)

    def _count(self, word: str) -> None:
        self._node.measures.add("job_runs_total", self._queue, word)


def _word(outcome: Outcome) -> str:
    return {Done: "done", Again: "again", Dead: "dead"}[type(outcome)]
