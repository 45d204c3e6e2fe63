"""A child: one worker process seen from the node, from its start to its end and the next start."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from holdfast.clock import Clock
from holdfast.errors import HoldfastError
from holdfast.runtime.frames import EXIT_OUT_OF_MEMORY, EXIT_UNFIT, Frame, Load, Ping, Pong, Ready, Unfit
from holdfast.runtime.lanes import Lane
from holdfast.runtime.limits import WorkerLimits
from holdfast.runtime.sealed import SealedModel
from holdfast.runtime.wire import Wire, WireClosed, WireLate
from holdfast.tier import Reason

__all__ = ["NEXT", "Child", "ChildState", "End"]

_PING_EVERY_S = 1.0
_LONGEST_STEP_S = 0.25  # a node that was itself kept waiting does not count that time against its workers
_DATA_HEADROOM_BYTES = 128 << 20  # RLIMIT_DATA counts what is reserved, stacks included; the cap counts what is touched
_CLOSED_S = 0.2  # a lane that closed means a worker that is ending, or one that talks nonsense: then it is ended
_EXIT_REASONS = {EXIT_OUT_OF_MEMORY: Reason.OUT_OF_MEMORY, EXIT_UNFIT: Reason.UNVERIFIED}
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STAT_BYTES = 4096
_STAT_STATE, _STAT_RSS_PAGES = 0, 21  # fields of /proc/PID/stat after the name, proc_pid_stat(5) 3 and 24


class ChildState(StrEnum):
    """Where a worker process is in its life."""

    NONE = "none"
    STARTING = "starting"
    READY = "ready"
    ENDING = "ending"


NEXT: Mapping[ChildState, frozenset[ChildState]] = {
    ChildState.NONE: frozenset({ChildState.STARTING}),
    ChildState.STARTING: frozenset({ChildState.READY, ChildState.ENDING}),
    ChildState.READY: frozenset({ChildState.ENDING}),
    ChildState.ENDING: frozenset({ChildState.NONE}),
}
"""Which state may follow which."""


@dataclass(frozen=True, slots=True)
class End:
    """A worker process is gone: why, and what it said of itself."""

    reason: Reason
    sentence: str
    served_s: float
    """How long it was ready; 0 when it never was."""
    lanes: tuple[Lane, ...] = ()
    """What led to it."""


class Child:
    """One worker process, or none; guarded by the lock of its pool.

    `start` must run on a thread that outlives the worker: PR_SET_PDEATHSIG ends it with the *thread* that made it.
    """

    def __init__(self, model: SealedModel, limits: WorkerLimits, clock: Clock) -> None:
        self._model, self._limits, self._clock = model, limits, clock
        self.state = ChildState.NONE
        self.lanes: tuple[Lane, ...] = ()
        self.ready: Ready | None = None
        self.serving = False
        """Set by the pool once the lanes are in its queue."""
        self.resident_bytes = 0
        self._popen: subprocess.Popen[bytes] | None = None
        self._control: Wire | None = None
        self._why: tuple[Reason, str] | None = None
        self._since_s = self._stepped_s = self._pinged_s = 0.0
        self._silent_s = self._stopped_s = self._closed_s = 0.0
        self._ready_at_s: float | None = None
        self._pings = self._pongs = 0

    @property
    def pid(self) -> int:
        """Of the worker process; 0 when there is none."""
        return self._popen.pid if self._popen else 0

    def start(self, now_s: float, *, check: bool) -> None:
        """Start a worker; `check`: it must meet the known vectors before it is ready. Raises OSError."""
        self._enter(ChildState.STARTING, now_s)
        self._why = self.ready = self._ready_at_s = None
        self.serving = False
        self._silent_s = self._stopped_s = self._closed_s = 0.0
        self._pings = self._pongs = 0
        pairs = [socket.socketpair() for _ in range(1 + self._limits.lane_count)]
        self._control, *lanes = (Wire(ours, self._clock) for ours, _ in pairs)
        self.lanes = tuple(Lane(wire) for wire in lanes)
        fds = [theirs.fileno() for _, theirs in pairs]
        try:
            self._popen = _spawn(fds[0], (*fds, self._model.graph.fd, self._model.tokenizer.fd))
            with contextlib.suppress(WireLate):  # what did not fit is sent by the next steps
                self._control.send(self._load(tuple(fds[1:]), check=check), deadline_s=-1.0)
        finally:
            for _, theirs in pairs:
                theirs.close()

    def step(self, now_s: float) -> End | None:
        """Look at the worker, never waiting for it; an End when it is gone."""
        if self._popen is None:
            return None
        elapsed_s = min(now_s - self._stepped_s, _LONGEST_STEP_S)
        self._stepped_s = now_s
        code = self._popen.poll()
        if self.state is not ChildState.ENDING:
            self._listen(now_s)  # also when it is gone: its last words say why
        if code is not None:
            return self._ended(code, now_s)
        if self.state is not ChildState.ENDING:
            self._judge(now_s, elapsed_s)
        return None

    def listen(self, now_s: float) -> None:
        """Hear what the worker said, at any time between two steps."""
        if self.state is ChildState.STARTING:
            self._listen(now_s)

    def end(self, reason: Reason, sentence: str) -> None:
        """Kill the worker; it has nothing to lose. The step that finds it gone says so."""
        if self._popen is not None and self.state is not ChildState.ENDING:
            self._why = (reason, sentence)
            self._enter(ChildState.ENDING, self._since_s)
            self._popen.kill()

    def abandon(self, now_s: float) -> None:
        """Forget a start that failed before there was a process."""
        self._enter(ChildState.ENDING, now_s)
        self._enter(ChildState.NONE, now_s)
        self._let_go()

    def served_s(self, now_s: float) -> float:
        """How long this worker has been ready."""
        return 0.0 if self._ready_at_s is None else now_s - self._ready_at_s

    def wait(self, timeout_s: float) -> None:
        """Wait until the process is gone; only for closing."""
        if self._popen is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel; it cannot be waited for
                self._popen.wait(timeout_s)

    def _load(self, lane_fds: tuple[int, ...], *, check: bool) -> Load:
        spec, limits = self._model.spec, self._limits
        return Load(
            graph_fd=self._model.graph.fd,
            tokenizer_fd=self._model.tokenizer.fd,
            lane_fds=lane_fds,
            max_tokens=spec.max_tokens,
            features_dim=spec.features_dim,
            embedding_dim=spec.embedding_dim,
            token_budget=limits.token_budget,
            data_limit_bytes=limits.memory_cap_bytes + _DATA_HEADROOM_BYTES,
            niceness=limits.niceness,
            vectors=self._model.vectors if check else b"",
            minimum_cosine=self._model.minimum_cosine,
        )

    def _listen(self, now_s: float) -> None:
        with contextlib.suppress(WireClosed):  # it is ending: the next step finds its exit code
            if self._control is not None:
                with contextlib.suppress(WireLate):
                    self._control.flush(deadline_s=-1.0)
            while self._control is not None and (frame := self._control.poll()) is not None:
                self._hear(frame, now_s)

    def _hear(self, frame: Frame, now_s: float) -> None:
        match frame:
            case Ready():
                self.ready = frame
                self._enter(ChildState.READY, now_s)
                self._ready_at_s = self._pinged_s = now_s
            case Pong(number=number):
                self._pongs = number
            case Unfit(sentence=sentence):
                self.end(Reason.UNVERIFIED, sentence)
            case _:
                self.end(Reason.CRASHED, f"it sent {type(frame).__name__} where only a node speaks")

    def _judge(self, now_s: float, elapsed_s: float) -> None:
        """End a worker that stopped, hangs, takes too much memory or does not get ready."""
        limits = self._limits
        state, self.resident_bytes = _stat(self.pid)
        self._stopped_s = self._stopped_s + elapsed_s if state in "Tt" else 0.0
        self._closed_s += elapsed_s if any(lane.closed for lane in self.lanes) else 0.0
        if self._stopped_s >= limits.stopped_s:
            self.end(Reason.TIMED_OUT, "it was stopped")
        elif self._closed_s >= _CLOSED_S:
            self.end(Reason.CRASHED, "it closed a lane")
        elif self.resident_bytes > limits.memory_cap_bytes:
            held, cap = self.resident_bytes >> 20, limits.memory_cap_bytes >> 20
            self.end(Reason.OUT_OF_MEMORY, f"it holds {held} MiB, its cap is {cap} MiB")
        elif self.state is ChildState.STARTING and now_s - self._since_s > limits.ready_timeout_s:
            self.end(Reason.NOT_READY, f"it was not ready after {limits.ready_timeout_s:g} s")
        elif self.state is ChildState.READY and self._control is not None:
            self._ping(self._control, now_s, elapsed_s=elapsed_s)

    def _ping(self, control: Wire, now_s: float, *, elapsed_s: float) -> None:
        self._silent_s = self._silent_s + elapsed_s if self._pongs < self._pings else 0.0
        if self._silent_s > self._limits.hang_s:
            self.end(Reason.TIMED_OUT, f"it answered no ping for {self._limits.hang_s:g} s")
        elif self._pongs == self._pings and now_s - self._pinged_s >= _PING_EVERY_S:
            self._pinged_s = now_s
            self._pings += 1
            with contextlib.suppress(WireLate, WireClosed):  # its silence counts, and its end is seen by the next step
                control.send(Ping(self._pings), deadline_s=-1.0)

    def _ended(self, code: int, now_s: float) -> End:
        reason, sentence = self._why or (_EXIT_REASONS.get(code, Reason.CRASHED), _exit_sentence(code))
        served_s = self.served_s(now_s)
        if self.state is not ChildState.ENDING:
            self._enter(ChildState.ENDING, now_s)
        self._enter(ChildState.NONE, now_s)
        lanes = self.lanes
        self._let_go()
        return End(reason, sentence, served_s, lanes)

    def _let_go(self) -> None:
        if self._control is not None:
            self._control.close()
        if not self.serving:
            for lane in self.lanes:
                lane.close()
        self.lanes = ()
        self._popen = self._control = None
        self.resident_bytes = 0

    def _enter(self, state: ChildState, now_s: float) -> None:
        if state not in NEXT[self.state]:
            raise HoldfastError(f"a {self.state.value} worker cannot become {state.value}")
        self.state, self._since_s = state, now_s


def _spawn(control_fd: int, fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "holdfast.runtime.worker", str(control_fd), str(os.getpid())],
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_ENVIRONMENT,
        cwd="/",
    )


_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "1",  # one heap for all lanes: 14 MB less
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",  # numpy would reserve a stack per core
    "TOKENIZERS_PARALLELISM": "false",
}
"""Nothing of the node's environment: a worker needs none of it, and it may hold secrets."""


def _stat(pid: int) -> tuple[str, int]:
    """State letter and resident bytes of a process; `Z` and 0 when it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)  # ten times a second, for years: no Path, no file
    except OSError:
        return "Z", 0
    try:
        fields = os.read(fd, _STAT_BYTES).rpartition(b")")[2].split()
    except OSError:
        return "Z", 0
    finally:
        os.close(fd)
    return fields[_STAT_STATE].decode(), int(fields[_STAT_RSS_PAGES]) * _PAGE_BYTES


def _exit_sentence(code: int) -> str:
    if code < 0:
        return f"it was ended by {_signal_name(-code)}"
    return f"it exited with code {code}"


def _signal_name(number: int) -> str:
    """The name of a signal; real-time signals have only a number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
