"""A user's own tickets replayed against a running node: latency, memory, power, and the last run beside it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil

from holdfast.rehearse.figures import percentile
from holdfast.rehearse.load import score_all

__all__ = ["Run", "last_run", "remember", "replay"]

_ENERGY_FILE = Path("/sys/class/powercap/intel-rapl:0/energy_uj")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one replay."""

    tickets: int
    failed: int
    callers: int
    tickets_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms_per_ticket: float
    """Of the node and its workers."""
    rss_bytes: int
    """Of the node and its workers, at the end."""
    watts: float | None
    """Of the whole processor package; null where the machine does not tell."""
    tiers: dict[str, int]


def replay(address: tuple[str, int], pid: int, bodies: Sequence[bytes], *, callers: int) -> Run:
    """Send every body once and measure process `pid` with its children. Raises psutil.NoSuchProcess when it ends."""
    energy_uj, cpu_s, started_s = _energy_uj(), _cpu_s(pid), time.monotonic()
    samples = score_all(address, bodies, callers=callers, on_sample=lambda _: None)
    seconds = time.monotonic() - started_s
    ok = [sample for sample in samples if sample.ok]
    latencies = [sample.latency_ms for sample in ok]
    spent_uj = _energy_uj()
    watts = None if energy_uj is None or spent_uj is None else round((spent_uj - energy_uj) / 1e6 / seconds, 2)
    return Run(
        tickets=len(samples),
        failed=len(samples) - len(ok),
        callers=callers,
        tickets_per_s=round(len(samples) / seconds, 1),
        p50_ms=round(percentile(latencies, 50), 2),
        p95_ms=round(percentile(latencies, 95), 2),
        p99_ms=round(percentile(latencies, 99), 2),
        cpu_ms_per_ticket=round((_cpu_s(pid) - cpu_s) * 1000 / len(samples), 3),
        rss_bytes=sum(process.memory_info().rss for process in _family(pid)),
        watts=watts,
        tiers=dict(Counter(sample.reply.served_by.tier for sample in ok if sample.reply is not None)),
    )


def last_run(path: Path) -> Run | None:
    """Return the run kept at `path`; None when there is none, or it is another version's."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def remember(path: Path, run: Run) -> None:
    """Keep `run` for the next comparison."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run)))


def _family(pid: int) -> list[psutil.Process]:
    node = psutil.Process(pid)
    return [node, *node.children(recursive=True)]


def _cpu_s(pid: int) -> float:
    node = psutil.Process(pid).cpu_times()
    living = sum(times.user + times.system for times in (process.cpu_times() for process in _family(pid)))
    return float(living + node.children_user + node.children_system)


def _energy_uj() -> int | None:
    try:
        return int(_ENERGY_FILE.read_text())
    except (OSError, ValueError):
        return None
