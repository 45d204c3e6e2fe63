"""The ledger's share of a decision: CPU of recording, alone and in groups, with the disk underneath."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.rows import Row, at_most
from holdfast.measure import Measures
from holdfast.node.state import open_state
from holdfast.record import Draft
from holdfast.settings.loading import Sources, load
from holdfast.tier import Tier

_DECISIONS = 4096
_WRITERS = 32
_BATCH = 256
_PAYLOAD = msgspec.msgpack.encode(
    {"text": "VPN does not connect since this morning, whole office. " * 12, "ids": list(range(40))}
)


def _draft(number: int) -> Draft:
    return Draft(
        kind="decision",
        payload=_PAYLOAD,
        reference=f"dec_{number:026d}",
        subject=f"T-{number}",
        tier=Tier.SMALL,
        score=41.5,
        band="P2",
    )


def ledger() -> list[Row]:
    """Record the same decisions from 32 threads, one by one, and in batches of 256."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-ledger-") as directory:
        state = open_state(load(Sources((), {}, {})).settings, Path(directory), measures=Measures())
        try:
            journal = state.journal
            single_ms, single_s = _timed(lambda: _from_many_threads(journal.append))
            drafts = [_draft(number) for number in range(_BATCH)]
            batch_ms, batch_s = _timed(lambda: [journal.append_many(drafts) for _ in range(_DECISIONS // _BATCH)])
        finally:
            state.close()
    return [
        at_most("ledger, CPU per decision, 32 writers", single_ms, 0.1, "ms", per_s=round(_DECISIONS / single_s)),
        at_most("ledger, CPU per decision, batches of 256", batch_ms, 0.1, "ms", per_s=round(_DECISIONS / batch_s)),
    ]


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """CPU milliseconds per decision of this process, and wall seconds in all."""
    cpu_s, started_s = time.process_time(), time.monotonic()
    work()
    return (time.process_time() - cpu_s) * 1000 / _DECISIONS, time.monotonic() - started_s


def _from_many_threads(append: Callable[[Draft], object]) -> None:
    def write(first: int) -> None:
        for number in range(first, first + _DECISIONS // _WRITERS):
            append(_draft(number))

    threads = [threading.Thread(target=write, args=(i * _DECISIONS // _WRITERS,)) for i in range(_WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
