"""A process that enqueues, leases, does and finishes jobs until it is killed; what is durable it says line by line.

`python -m tests.jobs.laborer DIRECTORY PREFIX`: "queued KEY" after a job is durable, "done KEY" after its end is.
The work of a job is a fact that counts its effects, durable in the very unit of work that ends it.
"""

# ruff: noqa: T201 - the lines are what the test reads
from __future__ import annotations

import itertools
import random
import sys
import threading
from pathlib import Path

from holdfast.database import Transaction
from holdfast.job import Again, Done, Lease
from holdfast.jobs import QueueLimits
from tests.jobs.desk import QUEUE, Desk

PATIENT = QueueLimits(max_attempts=1000, backoff_s=0.001, backoff_most_s=0.002)


def effects(desk: Desk, key: str) -> int:
    """How often the work of this job took effect."""
    return int(desk.facts.get(f"effects {key}") or b"0")


def work_once(desk: Desk, rng: random.Random) -> str:
    """Lease one job and do it, or fail; its key once its end is durable."""
    lease = desk.jobs.lease(QUEUE)
    if lease is None:
        return ""
    if rng.random() < 0.3:
        desk.jobs.finish(lease, Again("the tracker failed", after_s=0.0))
        return ""
    desk.jobs.finish(lease, Done(), extra=lambda t: _effect(desk, lease, t))
    return lease.job.key


def _effect(desk: Desk, lease: Lease, transaction: Transaction) -> None:
    name = f"effects {lease.job.key}"
    before = int(desk.facts.get(name, transaction) or b"0")
    desk.facts.put(name, str(before + 1).encode(), transaction)


def _produce(desk: Desk, prefix: str) -> None:
    for number in itertools.count():
        desk.add(f"{prefix}-{number}")
        print(f"queued {prefix}-{number}", flush=True)


def main() -> None:
    desk = Desk(Path(sys.argv[1]), PATIENT)
    desk.jobs.release_all()
    print("ready", flush=True)
    threading.Thread(target=_produce, args=(desk, sys.argv[2]), daemon=True).start()
    rng = random.Random(sys.argv[2])
    while True:
        if key := work_once(desk, rng):
            print(f"done {key}", flush=True)


if __name__ == "__main__":
    main()
