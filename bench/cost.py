"""CPU per ticket over HTTP, by tier, connections and kind of request, next to the raw limit."""

from __future__ import annotations

import msgspec

from bench.load import Shot, closed_loop, request_bytes
from bench.rows import Row, at_least, at_most
from bench.stage import Stage, score_requests
from holdfast.rehearse.figures import macro_f1, percentile
from holdfast.rehearse.subject import Subject

_BATCH = 256


def cpu_ms_per_request(node: Subject, payloads: list[bytes], *, connections: int) -> tuple[float, list[Shot]]:
    """CPU milliseconds of the node and its workers per request, idle cost included, and the shots."""
    before = node.footprint().cpu_s
    shots = closed_loop(node.host, node.port, payloads, connections=connections)
    return (node.footprint().cpu_s - before) * 1000 / len(payloads), shots


def _latencies(shots: list[Shot]) -> dict[str, float]:
    ok = [shot.latency_ms for shot in shots if shot.status == 200]
    return {f"p{p}_ms": round(percentile(ok, p), 2) for p in (50, 95, 99)} | {"failed": len(shots) - len(ok)}


def full_tier(stage: Stage, raw_ms: float) -> list[Row]:
    """Everything on, cascade off, every text new, at 1, 8 and 32 connections."""
    rows: list[Row] = []
    with stage.node("full") as node:
        closed_loop(node.host, node.port, score_requests(node, stage.bodies(suffix=" warm"))[:40], connections=4)
        for connections in (1, 8, 32):
            payloads = score_requests(node, stage.bodies(suffix=f" c{connections}"))
            cost_ms, shots = cpu_ms_per_request(node, payloads, connections=connections)
            full = sum(shot.tier == "full" for shot in shots) / len(shots)
            detail = _latencies(shots) | {"full_share": round(full, 4)}
            rows.append(at_most(f"full tier, CPU per ticket, c={connections}", cost_ms, 7.5, "ms", **detail))
            rows.append(at_most(f"full tier against the raw limit, c={connections}", cost_ms / raw_ms, 1.2, "x"))
        repeated = score_requests(node, stage.bodies(suffix=" c32")[-300:])
        cost_ms, shots = cpu_ms_per_request(node, repeated * 4, connections=1)
        rows.append(at_most("repeated ticket, CPU", cost_ms, 0.4, "ms", **_latencies(shots)))
    return rows


def cascade(stage: Stage) -> list[Row]:
    """Routing tickets with the n-grams answering alone where their margin is large, and what that costs in quality."""
    quality, cost = {}, 0.0
    for on in (False, True):
        with stage.node(f"cascade-{on}", cascade=on) as node:
            routed = score_requests(node, [ticket.body() for ticket in stage.routing])
            cost, _ = cpu_ms_per_request(node, routed, connections=8)
            quality[on] = _routing_quality(node, stage)
    loss = quality[False] - quality[True]
    return [
        at_most("cascade on, CPU per routing ticket", cost, 1.5, "ms"),
        at_most(
            "cascade on, loss of routing macro-F1",
            loss,
            0.002,
            "",
            off=round(quality[False], 4),
            on=round(quality[True], 4),
        ),
    ]


def _routing_quality(node: Subject, stage: Stage) -> float:
    predicted: list[str] = []
    bodies = [msgspec.Raw(ticket.body()) for ticket in stage.routing]
    for start in range(0, len(bodies), _BATCH):
        status, content = node.post(
            "/v1/triage/score:batch", msgspec.json.encode({"tickets": bodies[start : start + _BATCH]})
        )
        assert status == 200, content[:300]
        predicted += [decision["route"]["label"] for decision in msgspec.json.decode(content)["decisions"]]
    return macro_f1([ticket.labels["route"] for ticket in stage.routing], predicted)


def small_tier(stage: Stage) -> list[Row]:
    """The n-gram tier alone: single requests, and batches of 256."""
    with stage.node("small", highest="small") as node:
        single = score_requests(node, stage.bodies())
        closed_loop(node.host, node.port, single[:200], connections=8)
        single_ms, single_shots = cpu_ms_per_request(node, single, connections=8)
        bodies = [msgspec.Raw(body) for body in stage.bodies()]
        batches = [bodies[start : start + _BATCH] for start in range(0, len(bodies), _BATCH)]
        host = f"{node.host}:{node.port}"
        payloads = [
            request_bytes(host, "/v1/triage/score:batch", msgspec.json.encode({"tickets": batch}))
            for batch in batches * 3
        ]
        batch_ms, batch_shots = cpu_ms_per_request(node, payloads, connections=2)
    per_ticket_ms = batch_ms * len(payloads) / (3 * len(bodies))
    return [
        at_least(
            "small tier, single, tickets per CPU-second", 1000 / single_ms, 2000, "1/s", **_latencies(single_shots)
        ),
        at_least(
            "small tier, batches, tickets per CPU-second", 1000 / per_ticket_ms, 7000, "1/s", **_latencies(batch_shots)
        ),
    ]
