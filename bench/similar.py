"""Similar past tickets: what a search costs, how long a rebuild takes, how often the group is found."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from bench.rows import Row, at_least, at_most
from holdfast.apps.triage.app import Call
from holdfast.apps.triage.likeness import DIM, likenesses
from holdfast.apps.triage.memory import Asked, TicketMemory
from holdfast.apps.triage.ticket import MAX_BATCH, Ticket
from holdfast.index import Vectors
from holdfast.node.log import Log
from holdfast.node.node import Node
from holdfast.settings.loading import Sources, load
from holdfast.workbench.bundled import load_head

_TICKETS = 10_000  # the default capacity
_MOST = 100_000
_HISTORY, _QUERIES, _TOP = 12_000, 2_000, 3
_ROUNDS = 50


def similar(work: Path) -> list[Row]:
    """Rebuild a full memory from a ledger, search it, search the largest there may be."""
    tickets = load_head("route").reading.tickets
    texts = [ticket.text for ticket in tickets]
    with tempfile.TemporaryDirectory(dir=work) as directory:
        rebuilt_s, searched_ms = _remembered(Path(directory), texts[:_TICKETS], texts[_TICKETS:])
    groups = np.array([ticket.labels["route"] for ticket in tickets])
    return [
        at_most("similar tickets, likeness and search among 10,000", searched_ms, 1.0, "ms"),
        at_most("similar tickets, search among 100,000", _largest_ms(), 8.0, "ms"),
        at_most("similar tickets, 10,000 read from the ledger at a start", rebuilt_s, 3.0, "s CPU"),
        at_least("similar tickets, nearest three of the same IT group", _share(texts, groups), 0.62, "share"),
    ]


def _remembered(directory: Path, texts: list[str], asked: list[str]) -> tuple[float, float]:
    """CPU seconds until all `texts` are known, and milliseconds of one search."""
    loaded = load(Sources((), {}, {}))
    with (directory / "log").open("w") as log:
        node = Node(loaded, directory, log=Log(log), reread=lambda: loaded)
        for first in range(0, len(texts), MAX_BATCH):
            batch = [Ticket(id=f"T-{first + i}", title=text) for i, text in enumerate(texts[first : first + MAX_BATCH])]
            now_s = node.state.clock.monotonic_s()
            node.triage.score_batch(batch, node.active, Call(deadline_s=now_s + 60, started_s=now_s))
        memory = TicketMemory(node.state.journal, node.state.clock, capacity=_TICKETS, measures=node.measures)
        cpu_s = time.process_time()
        while memory.step(1.0):
            pass
        rebuilt_s = time.process_time() - cpu_s
        fresh = iter(asked)
        searched_ms = _median_ms(lambda: memory.like([Asked(next(fresh))], count=_TOP))
        node.stop()
        node.log.settle()
    return rebuilt_s, searched_ms


def _largest_ms() -> float:
    rows = np.random.default_rng(5).integers(-127, 128, (_MOST, DIM), dtype=np.int8)
    vectors = Vectors(_MOST, DIM)
    for age, row in enumerate(rows):
        vectors.put(vectors.slot_for_next(), row, age=age, group=0)
    return _median_ms(lambda: vectors.nearest(rows[:1], group=0, count=_TOP))


def _share(texts: list[str], groups: np.ndarray) -> float:
    """How many of the nearest three are of the query's own group; by chance 0.19."""
    rows = likenesses(texts[: _QUERIES + _HISTORY]).astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1.0)
    nearest = np.argpartition(-(rows[:_QUERIES] @ rows[_QUERIES:].T), _TOP, axis=1)[:, :_TOP]
    known = groups[_QUERIES : _QUERIES + _HISTORY]
    return float((known[nearest] == groups[:_QUERIES, None]).mean())


def _median_ms(work: Callable[[], object]) -> float:
    took: list[float] = []
    for _ in range(_ROUNDS):
        started_s = time.perf_counter()
        work()
        took.append(time.perf_counter() - started_s)
    return median(took) * 1000
