"""The pool: one model's workers, kept alive by the loop that steps it and asked by any number of threads."""

from __future__ import annotations

import importlib.metadata
import math
import random
import threading
from collections import deque
from collections.abc import Sequence

from holdfast.clock import Clock
from holdfast.digest import Digest
from holdfast.finding import Finding, Severity
from holdfast.measure import Measures
from holdfast.runtime.child import Child, ChildState, End
from holdfast.runtime.cpu import cpu_class
from holdfast.runtime.engine import Condition, InvalidTokens, TierUnavailable
from holdfast.runtime.frames import MAX_TEXT_CHARS, Reply, Row, Vector
from holdfast.runtime.keeper import Keeper, WorkerEvent
from holdfast.runtime.lanes import LaneQueue
from holdfast.runtime.limits import WorkerLimits
from holdfast.runtime.pace import Pace
from holdfast.runtime.sealed import SealedModel
from holdfast.tier import Reason, Tier

__all__ = ["WorkerPool"]

_CHUNK_TEXTS = 16  # a long batch gives its lane back in between, and its timeout is noticed early
_KEPT_EVENTS = 1000
_REST_S = 5.0  # a model whose memory was wanted back does not return before the want is over
_CLOSE_WAIT_S = 2.0
_FAULTS = {"late": Reason.TIMED_OUT, "failed": Reason.CRASHED}


class WorkerPool:
    """Passive: it has no thread of its own. `_lock` guards the keepers and their children.

    `step` belongs to one loop, whose thread must outlive the workers (see Child). Any thread may call everything else;
    `ask` and `embed` wait for a lane and a reply, until their deadline.
    """

    def __init__(
        self, package: str, model: SealedModel, *, limits: WorkerLimits, clock: Clock, measures: Measures
    ) -> None:
        self._package, self._model = package, model
        self._limits, self._clock, self._measures = limits, clock, measures
        rng = random.Random()  # noqa: S311 - jitter, nothing secret
        self._keepers = [Keeper(Child(model, limits, clock), limits, rng) for _ in range(max(1, limits.workers))]
        self._queue = LaneQueue(clock, max_waiting=limits.max_waiting)
        self._pace = Pace()
        self._lock = threading.Lock()
        self._events: deque[WorkerEvent] = deque(maxlen=_KEPT_EVENTS)
        self._asked_at_s = clock.monotonic_s()
        self._released_at_s = -math.inf
        self._checked = self._closed = False
        self._runtime = ""

    @property
    def model_digest(self) -> Digest:
        """Names what turns a text into a vector."""
        return self._model.digest

    @property
    def variant(self) -> str:
        """The variant of the package that the workers serve."""
        return self._model.variant

    @property
    def runtime(self) -> str:
        """Engine, version and CPU feature class."""
        if not self._runtime:
            self._runtime = f"onnxruntime-{importlib.metadata.version('onnxruntime')}/{cpu_class()}"
        return self._runtime

    @property
    def depth(self) -> int:
        """Requests running and waiting."""
        return self._queue.running + self._queue.waiting

    @property
    def resident_bytes(self) -> int:
        """Resident memory of all workers, at the last step."""
        return sum(keeper.child.resident_bytes for keeper in self._keepers)

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the worker processes there are."""
        return tuple(keeper.child.pid for keeper in self._keepers if keeper.child.pid)

    @property
    def ready(self) -> bool:
        """Say whether a worker could take a request now."""
        self._listen()
        return self._queue.lane_count > 0

    def ask(self, texts: Sequence[str], *, wanted: Vector, deadline_s: float) -> list[Row]:
        """One row per text, in order. Raises TierUnavailable."""
        self._demand()
        self._refuse_if_late(len(texts), deadline_s)
        rows: list[Row] = []
        for start in range(0, len(texts), _CHUNK_TEXTS):
            chunk = tuple(_sendable(text) for text in texts[start : start + _CHUNK_TEXTS])
            with self._queue.leased(deadline_s=deadline_s - self._pace.expected_s(len(chunk))) as lane:
                begun_s = self._clock.monotonic_s()
                reply = lane.ask(chunk, wanted=wanted, deadline_s=deadline_s)
            rows += self._rows(reply, expected=len(chunk))
            self._pace.observe(len(chunk), self._clock.monotonic_s() - begun_s)
        return rows

    def embed(self, texts: Sequence[str], *, deadline_s: float) -> list[Row]:
        """Unit vectors (float32, little-endian) with token counts, one row per text. Raises TierUnavailable."""
        return self.ask(texts, wanted="embedding", deadline_s=deadline_s)

    def embed_tokens(self, token_ids: Sequence[Sequence[int]], *, deadline_s: float) -> list[Row]:
        """The same for the token ids the model's tokenizer gives, its special tokens included.

        Raises InvalidTokens, TierUnavailable.
        """
        self._demand()
        self._refuse_if_late(len(token_ids), deadline_s)
        rows: list[Row] = []
        for start in range(0, len(token_ids), _CHUNK_TEXTS):
            chunk = tuple(tuple(ids) for ids in token_ids[start : start + _CHUNK_TEXTS])
            with self._queue.leased(deadline_s=deadline_s - self._pace.expected_s(len(chunk))) as lane:
                reply = lane.ask_tokens(chunk, wanted="embedding", deadline_s=deadline_s)
            rows += self._rows(reply, expected=len(chunk))
        return rows

    def condition(self, text_count: int) -> Condition:
        """What would happen to a request of `text_count` texts; never blocks."""
        lanes = self._queue.lane_count
        if lanes == 0:
            self._listen()
            return self._without_lanes()
        waiting = self._queue.waiting
        queued = waiting + max(0, self._queue.running - lanes + 1)
        return Condition(
            refuses=Reason.OVERLOADED if self._queue.full else None,
            wait_s=queued * self._pace.call_s / lanes if self._queue.running >= lanes else 0.0,
            service_s=self._pace.expected_s(text_count),
            depth=self._queue.running + waiting,
        )

    def release(self) -> None:
        """Give the model's memory back at the next step; somebody asking later brings it back."""
        self._released_at_s = self._clock.monotonic_s()

    def step(self, now_s: float) -> None:
        """Do everything that is due, without waiting. To be called at least every 100 ms by one loop."""
        with self._lock:
            if self._closed:
                return
            wanted = self._wanted(now_s)
            for keeper in self._keepers:
                for event in keeper.step(now_s, wanted=wanted, check=not self._checked):
                    self._apply(keeper, event)
            self._queue.sweep()
            self._end_stuck()
            self._expose()

    def events(self) -> tuple[WorkerEvent, ...]:
        """What happened to the workers since the last call, oldest first."""
        with self._lock:
            taken = tuple(self._events)
            self._events.clear()
        return taken

    def findings(self) -> tuple[Finding, ...]:
        """What a person should know: workers that starting again does not help."""
        with self._lock:
            lost = [(keeper.failures, keeper.trouble) for keeper in self._keepers]
        return tuple(self._finding(failures, end) for failures, end in lost if end is not None)[:1]

    def close(self) -> None:
        """End every worker and wait for it; requests get TierUnavailable from now on."""
        with self._lock:
            self._closed = True
            for keeper in self._keepers:
                keeper.child.end(Reason.NOT_READY, "the node closed it")
                self._queue.remove(keeper.child.lanes, Reason.NOT_READY)
            for keeper in self._keepers:
                keeper.child.wait(_CLOSE_WAIT_S)
                keeper.child.step(self._clock.monotonic_s())
            self._queue.explain(Reason.NOT_READY)
        self._model.close()

    def _expose(self) -> None:
        worker = f"worker:{self._package}"
        self._measures.set("resident_bytes", worker, value=float(self.resident_bytes))
        self._measures.set("queue_jobs", worker, "running", value=float(self._queue.running))
        self._measures.set("queue_jobs", worker, "waiting", value=float(self._queue.waiting))

    def _demand(self) -> None:
        self._asked_at_s = self._clock.monotonic_s()
        if self._queue.lane_count == 0:
            self._listen()

    def _refuse_if_late(self, text_count: int, deadline_s: float) -> None:
        reason = self.condition(text_count).late(deadline_s - self._clock.monotonic_s())
        if reason is not None:
            raise TierUnavailable(reason, "the queue is longer than the time that is left")

    def _listen(self) -> None:
        """Hear a worker become ready now rather than at the next step, if nobody is stepping."""
        if self._lock.acquire(blocking=False):
            try:
                for keeper in self._keepers:
                    keeper.child.listen(self._clock.monotonic_s())
                    self._serve_if_ready(keeper)
            finally:
                self._lock.release()

    def _wanted(self, now_s: float) -> bool:
        if now_s - self._released_at_s < _REST_S or self._asked_at_s <= self._released_at_s:
            return False
        ttl_s = self._limits.idle_ttl_s
        if ttl_s is None or now_s - self._asked_at_s < ttl_s or self.depth > 0:
            return True
        return any(keeper.child.state is ChildState.STARTING for keeper in self._keepers)

    def _apply(self, keeper: Keeper, event: WorkerEvent) -> None:
        self._events.append(event)
        match event.kind:
            case "started" if event.reason is not None:
                self._measures.add("worker_restarts_total", self._package, Tier.FULL, event.reason)
            case "ready":
                self._serve_if_ready(keeper)
            case "ended":
                reason = event.reason or Reason.CRASHED
                if keeper.looping and reason is not Reason.UNVERIFIED:
                    reason = Reason.CRASH_LOOP
                self._queue.remove(event.lanes, reason)
                self._queue.explain(reason)
            case _:
                pass

    def _serve_if_ready(self, keeper: Keeper) -> None:
        child = keeper.child
        if child.state is ChildState.READY and child.ready is not None and not child.serving:
            child.serving = True
            self._checked = True
            self._runtime = child.ready.runtime
            self._asked_at_s = self._clock.monotonic_s()  # idleness counts from here
            self._queue.add(child.lanes)

    def _end_stuck(self) -> None:
        stuck = self._queue.behind_for(self._limits.behind_s)
        for keeper in self._keepers:
            if not stuck.isdisjoint(keeper.child.lanes):
                keeper.child.end(Reason.TIMED_OUT, f"a lane owed its reply for {self._limits.behind_s:g} s")

    def _without_lanes(self) -> Condition:
        down = self._queue.down
        if down is Reason.UNLOADED_IDLE:  # asking is what brings it back
            return Condition(lacks=down)
        return Condition(refuses=down)

    def _rows(self, reply: Reply, *, expected: int) -> tuple[Row, ...]:
        if reply.fault == "invalid":
            raise InvalidTokens(reply.sentence, field="/input")
        if reply.fault:
            raise TierUnavailable(_FAULTS[reply.fault], reply.sentence)
        if len(reply.rows) != expected:
            raise TierUnavailable(Reason.CRASHED, f"expected {expected} rows, found {len(reply.rows)}")
        return reply.rows

    def _finding(self, failures: int, end: End) -> Finding:
        if end.reason is Reason.UNVERIFIED:
            return Finding(
                name="model-unfit",
                severity=Severity.WARNING,
                sentence=f"Variant {self.variant} of {self._package} does not serve here: {end.sentence}. "
                "Lower tiers answer.",
                next_step="Install the package again, so that another variant is chosen, or roll it back.",
                component="runtime",
            )
        return Finding(
            name="worker-crash-loop",
            severity=Severity.WARNING,
            sentence=f"The model worker of {self._package} ended {failures} times in a row: {end.sentence}. "
            "Lower tiers answer.",
            next_step="It is tried again at growing intervals; if it stays, roll back the package or raise its memory.",
            component="runtime",
        )


def _sendable(text: str) -> str:
    """What a worker needs of `text`: one character past its limit, to see that it was cut; no lone surrogates."""
    cut = text[: MAX_TEXT_CHARS + 1]
    try:
        cut.encode()
    except UnicodeEncodeError:
        return cut.encode(errors="replace").decode()
    return cut
