"""A backlog of jobs: what a request pays for a thousand of them, with the lanes at work all the time."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

import msgspec

from bench.load import Arrivals, Shot, open_loop
from bench.rows import Row, at_most
from bench.stage import Stage, score_requests
from holdfast.rehearse.figures import percentile
from holdfast.rehearse.subject import Subject

_DEPTH = 1000
_RATE = 30.0  # requests per second: far from what the node can answer, so that waiting is somebody's fault
_SETTLE_S = 15.0
_CLIENTS = 8
_MOST_RATIO = 1.1


def backlog(stage: Stage, *, seconds: float, rounds: int) -> list[Row]:
    """P95 of requests with and without the backlog, by turns on one node, so that the machine is the same."""
    shots: dict[str, list[Shot]] = {"idle": [], "laden": []}
    with stage.node("backlog", highest="small", module="bench.laden") as node:
        payloads = score_requests(node, stage.bodies(suffix=" backlog"))
        open_loop(node.host, node.port, payloads, arrivals=Arrivals(_RATE, 2.0, _CLIENTS))
        depths: list[int] = []
        for turn in range(rounds):
            for name in ("idle", "laden") if turn % 2 else ("laden", "idle"):
                _put(node, name)
                arrivals = Arrivals(_RATE, seconds, _CLIENTS, seed=turn)
                shots[name] += open_loop(node.host, node.port, payloads, arrivals=arrivals)
                depths += [_depth(node)] if name == "laden" else []
        done = _done(node)
    idle, laden = (percentile([shot.latency_ms for shot in shots[name]], 95.0) for name in ("idle", "laden"))
    detail = {
        "p95_idle_ms": round(idle, 2),
        "p95_laden_ms": round(laden, 2),
        "p50_idle_ms": _median(shots["idle"]),
        "p50_laden_ms": _median(shots["laden"]),
        "queued_at_the_end_of_a_turn": min(depths),
        "jobs_done": done,
        "requests_each": len(shots["laden"]),
        "errors": sum(shot.status != 200 for name in shots for shot in shots[name]),
    }
    return [at_most("API P95 with 1,000 queued jobs, by idle P95", laden / idle, _MOST_RATIO, "x", **detail)]


def _put(node: Subject, name: str) -> None:
    """Fill the queue, or empty it, and wait until it is."""
    node.process.send_signal(signal.SIGUSR1 if name == "laden" else signal.SIGUSR2)
    end_s = time.monotonic() + _SETTLE_S
    while time.monotonic() < end_s:
        depth = _depth(node)
        if depth == 0 if name == "idle" else depth > _DEPTH / 2:
            return
        time.sleep(0.1)
    raise RuntimeError(f"the queue is not {name} after {_SETTLE_S:g} s")


def _depth(node: Subject) -> int:
    return int(_queue(node)["ready"] + _queue(node)["leased"])


def _queue(node: Subject) -> dict[str, float]:
    _, content = node.get("/v1/node/queue")
    found: dict[str, float] = next(q for q in msgspec.json.decode(content)["jobs"] if q["queue"] == "write-back")
    return found


def _done(node: Subject) -> int:
    _, content = node.get("/metrics")
    line = 'holdfast_job_runs_total{outcome="done",queue="write-back"} '
    return int(float(next(text for text in content.decode().splitlines() if text.startswith(line)).removeprefix(line)))


def _median(shots: Sequence[Shot]) -> float:
    return round(percentile([shot.latency_ms for shot in shots], 50.0), 2)
