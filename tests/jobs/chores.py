"""What jobs in a process of their own do in tests; run by `holdfast.jobs.child`."""

# ruff: noqa: T201 - what a job prints is what is tested
from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time

from holdfast.job import Dead, Done, Job, Outcome


def echo(job: Job) -> Outcome:
    print("printing is no answer")
    return Done(note=job.payload.decode())


def give_up(job: Job) -> Outcome:
    return Dead(f"{job.key} will never work")


def segfault(_: Job) -> Outcome:
    print("about to fall", file=sys.stderr, flush=True)
    ctypes.string_at(0)
    return Done()


def eat_memory(_: Job) -> Outcome:
    kept = [bytes([1]) * (16 << 20) for _ in range(1000)]
    return Done(note=str(len(kept)))


def hang(_: Job) -> Outcome:
    grandchild = subprocess.Popen(["sleep", "600"])
    print(f"started {grandchild.pid}", file=sys.stderr, flush=True)
    time.sleep(600)
    return Done()


def chatter(_: Job) -> Outcome:
    for number in range(100_000):
        print(f"line {number} " + "x" * 50, file=sys.stderr)
    raise RuntimeError("the last words")


def leave(_: Job) -> Outcome:
    os._exit(3)


def show_environment(_: Job) -> Outcome:
    return Done(note=" ".join(sorted(os.environ)))
