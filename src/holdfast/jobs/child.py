"""The child: one process that does one job, so that its crash, its memory and its time are not the node's.

Started as `python -m holdfast.jobs.child MODULE:FUNCTION MEMORY_BYTES PARENT_PID`. The job comes on standard input, the
outcome leaves on standard output; whatever the function prints goes to standard error, whose end is kept as the log.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable

import msgspec

from holdfast.job import Again, Dead, Done, Job, Outcome

__all__ = ["EXIT_FAILED", "EXIT_OUT_OF_MEMORY", "decode_outcome", "encode_job", "main"]

EXIT_FAILED = 70
EXIT_OUT_OF_MEMORY = 71
_PR_SET_PDEATHSIG = 1
_OOM_SCORE = 900  # the kernel takes a job before the node and before its model workers
_NICENESS = 10  # requests come first


class _Told(msgspec.Struct, frozen=True):
    """An outcome on the wire."""

    done: Done | None = None
    again: Again | None = None
    dead: Dead | None = None


_JOB = msgspec.msgpack.Decoder(Job)
_TOLD = msgspec.msgpack.Decoder(_Told)
_ENCODER = msgspec.msgpack.Encoder()


def encode_job(job: Job) -> bytes:
    """Return `job` as the child reads it."""
    return _ENCODER.encode(job)


def decode_outcome(said: bytes) -> Outcome | None:
    """Return what the child said; None for what no child of ours says."""
    try:
        told = _TOLD.decode(said)
    except msgspec.DecodeError:
        return None
    return told.done or told.again or told.dead


def main() -> int:
    """Do the job; returns the exit status."""
    target, memory_bytes, parent_pid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    _bind(memory_bytes, parent_pid)
    answer = os.dup(1)
    os.dup2(2, 1)
    try:
        outcome = _function(target)(_JOB.decode(sys.stdin.buffer.read()))
        told = _Told(
            done=outcome if isinstance(outcome, Done) else None,
            again=outcome if isinstance(outcome, Again) else None,
            dead=outcome if isinstance(outcome, Dead) else None,
        )
    except MemoryError:
        os.write(2, b"out of memory\n")  # nothing that allocates
        return EXIT_OUT_OF_MEMORY
    except Exception:  # noqa: BLE001  # rim: the parent learns of it by the status, people by the log
        traceback.print_exc()
        return EXIT_FAILED
    with os.fdopen(answer, "wb") as pipe:
        pipe.write(_ENCODER.encode(told))
    return 0


def _bind(memory_bytes: int, parent_pid: int) -> None:
    """End with the node, within its memory, behind its requests, leaving no core file."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(EXIT_FAILED)  # the node ended before the line above
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold what the job carries
    os.nice(_NICENESS)
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123  # not a path of ours
        file.write(str(_OOM_SCORE))


def _function(target: str) -> Callable[[Job], Outcome]:
    module, _, name = target.partition(":")
    found: Callable[[Job], Outcome] = getattr(importlib.import_module(module), name)
    return found


if __name__ == "__main__":
    sys.exit(main())
