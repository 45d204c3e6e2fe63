"""Isolated: does a job in a process of its own; what happens to that process is a failed run, and nothing else."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from holdfast.job import Again, Lease, Outcome
from holdfast.jobs.child import EXIT_OUT_OF_MEMORY, decode_outcome, encode_job

__all__ = ["Isolated", "Isolation"]

_MARGIN_S = 1.0  # to write the outcome down before the lease ends
_LOG_BYTES = 8_000
_GRACE_S, _POLL_S = 0.5, 0.005
_ANSWER_BYTES = 1 << 20
_READ_BYTES = 65_536
_ENVIRONMENT = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Nothing of the node's: it may hold secrets."""


@dataclass(frozen=True, slots=True)
class Isolation:
    """What one run may use."""

    memory_bytes: int = 512 << 20
    time_s: float = 60.0


class Isolated:
    """Runs `MODULE:FUNCTION` (from a Job to an Outcome) in a child; offered to the lanes in the place of a function."""

    def __init__(self, target: str, limits: Isolation | None = None) -> None:
        self._target, self._limits = target, limits or Isolation()

    def __call__(self, lease: Lease) -> Outcome:
        """Run it and say how it ended; a crash, too much memory or too much time is an Again with its last lines."""
        limit_s = min(self._limits.time_s, lease.until_s - time.clock_gettime(time.CLOCK_BOOTTIME) - _MARGIN_S)
        job = os.memfd_create("job", os.MFD_CLOEXEC)  # not a pipe, which could fill; not a file, which could be read
        try:
            os.write(job, encode_job(lease.job))
            os.lseek(job, 0, os.SEEK_SET)
            with self._start(job) as child:
                try:
                    answer, log, late = _listen(child, limit_s)
                finally:
                    _end(child.pid)
        finally:
            os.close(job)
        return self._outcome(child.returncode, answer, log=log, late=late)

    def _start(self, stdin: int) -> subprocess.Popen[bytes]:
        arguments = (self._target, str(self._limits.memory_bytes), str(os.getpid()))
        return subprocess.Popen(
            [sys.executable, "-s", "-P", "-m", "holdfast.jobs.child", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,  # so that what it starts can be ended with it
        )

    def _outcome(self, status: int, answer: bytes, *, log: str, late: bool) -> Outcome:
        outcome = decode_outcome(answer) if status == 0 and not late else None
        if outcome is not None:
            return outcome
        if late:
            return Again(f"its process took longer than {self._limits.time_s:g} s and was ended", log=log)
        if status == EXIT_OUT_OF_MEMORY:
            return Again(f"its process needed more than {self._limits.memory_bytes >> 20} MiB", log=log)
        if status < 0:
            return Again(f"its process was ended by {signal.Signals(-status).name}", log=log)
        return Again(f"its process ended with status {status} and no outcome", log=log)


def _listen(child: subprocess.Popen[bytes], limit_s: float) -> tuple[bytes, str, bool]:
    """Read both pipes, bounded, until they close or the time is over: the answer, the end of the log, and if late."""
    end_s = time.monotonic() + limit_s
    answer, log = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map() and (rest_s := end_s - time.monotonic()) > 0:
            for key, _ in selector.select(rest_s):
                read = os.read(key.fd, _READ_BYTES)
                if not read:
                    selector.unregister(key.fileobj)
                elif key.fileobj is child.stderr:
                    log = (log + read)[-_LOG_BYTES:]
                elif len(answer) < _ANSWER_BYTES:
                    answer += read
        late = bool(selector.get_map())
    return bytes(answer), log.decode(errors="replace"), late


def _end(pid: int) -> None:
    """End whatever the child started, and the child, unless it ends by itself now that its pipes are closed.

    It is not reaped before: until then its number, and its group's, is nobody else's.
    """
    end_s = time.monotonic() + _GRACE_S
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None and time.monotonic() < end_s:
        time.sleep(_POLL_S)
    os.killpg(pid, signal.SIGKILL)
