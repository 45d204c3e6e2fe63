"""What a node costs when it stands: memory, start, idling, and the ledger's share of a decision."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

from bench.load import closed_loop
from bench.rows import Row, at_most
from bench.stage import Stage, install, score_requests
from holdfast.rehearse.figures import percentile
from holdfast.rehearse.subject import Subject, SubjectDidNotStart, free_port

_MIB = 1024 * 1024
_STARTS = 5


def memory(stage: Stage) -> list[Row]:
    """Node and one worker after serving 500 tickets."""
    with stage.node("memory") as node:
        closed_loop(node.host, node.port, score_requests(node, stage.bodies(suffix=" memory"))[:500], connections=8)
        held = node.footprint()
    return [
        at_most("memory, node + worker, PSS", held.pss_bytes / _MIB, 160, "MiB", processes=held.processes),
        at_most("memory, node + worker, RSS", held.rss_bytes / _MIB, 180, "MiB"),
    ]


def cold_start(stage: Stage) -> list[Row]:
    """From exec to the first answer of the rules tier, and of the full tier (medians)."""
    config, data_dir = stage.work / "cold.toml", stage.work / "cold"
    config.write_text("[trust]\nallow_unsigned = true\n[tiers]\ncascade = false\n")
    install(config, data_dir, stage.package)
    any_tier, full = [], []
    for _ in range(_STARTS):
        started_s = time.monotonic()
        with Subject(config, data_dir, port=free_port(18600)) as node:
            node.wait_until_answering(timeout_s=10)
            any_tier.append(time.monotonic() - started_s)
            node.wait_for_tier("full", timeout_s=10)
            full.append(time.monotonic() - started_s)
    return [
        at_most(
            "cold start to the first answer of any tier",
            percentile(any_tier, 50),
            0.3,
            "s",
            worst=round(max(any_tier), 2),
        ),
        at_most("cold start to the full tier", percentile(full, 50), 1.0, "s", worst=round(max(full), 2)),
    ]


def idle(stage: Stage, *, seconds: float) -> list[Row]:
    """CPU of a node that nobody asks anything."""
    with stage.node("idle") as node:
        time.sleep(2)
        before = node.footprint().cpu_s
        time.sleep(seconds)
        share = (node.footprint().cpu_s - before) / seconds
    return [at_most("idle, share of one core", share * 100, 0.5, "%")]


class Peer:
    """The plain peer of bench/peer.py, running."""

    def __init__(self, graph: Path, tokenizer: Path) -> None:
        self.host, self.port = "127.0.0.1", free_port(18700)
        command = [sys.executable, "-m", "bench.peer", str(graph), str(tokenizer), str(self.port)]
        self.process = subprocess.Popen(command)
        started_s = time.monotonic()
        while time.monotonic() - started_s < 20:
            if any(c.status == "LISTEN" for c in psutil.Process(self.process.pid).net_connections()):
                break
            time.sleep(0.01)
        else:
            raise SubjectDidNotStart("the plain peer did not listen within 20 s")
        self.cold_s = time.monotonic() - started_s

    def cpu_s(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def rss_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def peer(stage: Stage, graph: Path, tokenizer: Path) -> dict[str, float]:
    """The plain peer's CPU per ticket, memory and start, measured in the same run."""
    subject = Peer(graph, tokenizer)
    try:
        payloads = score_requests(subject, stage.bodies(suffix=" peer"))
        closed_loop(subject.host, subject.port, payloads[:40], connections=4)
        figures: dict[str, float] = {"cold_s": round(subject.cold_s, 2)}
        for connections in (1, 8):
            before = subject.cpu_s()
            closed_loop(subject.host, subject.port, payloads[:600], connections=connections)
            figures[f"cpu_ms_c{connections}"] = round((subject.cpu_s() - before) * 1000 / 600, 2)
        figures["rss_mib"] = round(subject.rss_bytes() / _MIB)
    finally:
        subject.stop()
    return figures
