"""Overload and kills: what a node does when it is asked for more than it has, or loses its worker."""

from __future__ import annotations

import threading
import time

from bench.load import Arrivals, Shot, closed_loop, open_loop
from bench.rows import Row, at_least, at_most
from bench.stage import Stage, score_requests
from holdfast.rehearse.figures import percentile
from holdfast.rehearse.subject import Subject

_DEADLINE_MS = 1000.0
_CLIENTS = 300
_MOST_FULL_BACK_S = 2.0


def capacity_per_s(node: Subject, payloads: list[bytes], *, connections: int) -> float:
    """Answers per second with `connections` callers that never pause."""
    started_s = time.monotonic()
    shots = closed_loop(node.host, node.port, payloads, connections=connections)
    return len(shots) / (time.monotonic() - started_s)


def overload(stage: Stage, *, seconds: float) -> list[Row]:
    """Five times the full tier's capacity: lower tiers answer; nothing fails and nothing is late."""
    with stage.node("overload") as node:
        payloads = score_requests(node, stage.bodies(suffix=" overload"))
        rate = 5 * capacity_per_s(node, score_requests(node, stage.bodies(suffix=" rate"))[:300], connections=2)
        shots = open_loop(node.host, node.port, payloads, arrivals=Arrivals(rate, seconds, _CLIENTS))
    errors = sum(shot.status != 200 or not shot.tier for shot in shots)
    late = sum(shot.latency_ms > _DEADLINE_MS for shot in shots)
    detail = _spread(shots) | {"rate_per_s": round(rate), "late": late}
    return [at_most("overload at 5x full capacity: errors and late answers", errors + late, 0, "", **detail)]


def flood(stage: Stage, *, seconds: float) -> list[Row]:
    """Five times the small tier's capacity: an answer or a 503 with Retry-After, each within a second."""
    with stage.node("flood", highest="small") as node:
        payloads = score_requests(node, stage.bodies(suffix=" flood"))
        rate = 5 * capacity_per_s(node, payloads[:1500], connections=16)
        shots = open_loop(node.host, node.port, payloads, arrivals=Arrivals(rate, seconds, _CLIENTS))
    bad = sum(not (shot.status == 200 or (shot.status == 503 and shot.retry_after)) for shot in shots)
    late = sum(shot.latency_ms > _DEADLINE_MS for shot in shots)
    detail = _spread(shots) | {"rate_per_s": round(rate), "late": late}
    return [at_most("flood at 5x small capacity: anything but 200 or 503 in 1 s", bad + late, 0, "", **detail)]


def kills(stage: Stage, *, count: int, pause_s: float = 8.0) -> list[Row]:
    """The worker is killed again and again at 60 % of capacity, cascade off."""
    back_s: list[float] = []
    with stage.node("kills") as node:
        rate = 0.6 * capacity_per_s(node, score_requests(node, stage.bodies(suffix=" rate"))[:300], connections=2)
        payloads = score_requests(node, stage.bodies(suffix=" kills"))
        killer = threading.Thread(target=_kill, args=(node, count, pause_s, back_s))
        killer.start()
        shots = open_loop(node.host, node.port, payloads, arrivals=Arrivals(rate, (count + 0.5) * pause_s, 64))
        killer.join()
    full = sum(shot.tier == "full" for shot in shots) / len(shots)
    failed = sum(shot.status != 200 for shot in shots)
    return [
        at_most(f"{count} kills of the worker: failed requests", failed, 0, "", **_spread(shots)),
        at_most(
            "kills: full tier back after, at worst",
            max(back_s),
            _MOST_FULL_BACK_S,
            "s",
            median=round(percentile(back_s, 50), 2),
        ),
        at_least("kills: share of full answers", full, 0.85, ""),
    ]


def _kill(node: Subject, count: int, pause_s: float, back_s: list[float]) -> None:
    for _ in range(count):
        time.sleep(pause_s)
        node.kill_workers()
        killed_s = time.monotonic()
        while not node.workers() or node.readiness() != "full":
            time.sleep(0.01)
        back_s.append(time.monotonic() - killed_s)


def _spread(shots: list[Shot]) -> dict[str, float | int]:
    tiers = {tier: sum(shot.tier == tier for shot in shots) for tier in ("full", "small", "rules")}
    answered = [shot.latency_ms for shot in shots if shot.status == 200]
    refused = sum(shot.status == 503 for shot in shots)
    return {
        "requests": len(shots),
        "refused": refused,
        "p50_ms": round(percentile(answered, 50), 1),
        "p99_ms": round(percentile(answered, 99), 1),
        **tiers,
    }
