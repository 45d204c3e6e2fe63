"""Plain counters, gauges and histograms that any component may bump; http exposes them.

The metrics a node has are a table, so that docs, tests and the exposition read one list. Label values come from closed
sets (tiers, reasons, routes as templates, package names), never from requests.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["METRICS", "Histogram", "Measures", "Metric"]

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MAX_SERIES_PER_METRIC = 500  # a label that leaks request data would otherwise grow for ever


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric's name without the `holdfast_` prefix, its kind, labels and meaning."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str


METRICS: tuple[Metric, ...] = (
    Metric("requests_total", "counter", ("route", "status"), "HTTP requests answered, by route template and status."),
    Metric("request_seconds", "histogram", ("route",), "Seconds from the first byte of a request to its answer."),
    Metric("inference_seconds", "histogram", ("package", "tier"), "Seconds a tier took to answer one request."),
    Metric("tier_served_total", "counter", ("package", "tier"), "Texts answered, by the tier that answered."),
    Metric(
        "tier_transitions_total", "counter", ("package", "from", "to", "reason"), "Changes of the best available tier."
    ),
    Metric(
        "worker_restarts_total",
        "counter",
        ("package", "tier", "reason"),
        "Model workers started again after they ended.",
    ),
    Metric("queue_jobs", "gauge", ("queue", "state"), "Jobs, and changes for the disk, by queue and state."),
    Metric("oldest_job_seconds", "gauge", (), "Age of the oldest job that is neither done nor dead."),
    Metric("job_runs_total", "counter", ("queue", "outcome"), "Runs of jobs: done, again, dead, or lost to another."),
    Metric("embedding_cache_total", "counter", ("package", "result"), "Embedding cache look-ups: hit or miss."),
    Metric("package_info", "gauge", ("name", "version", "digest"), "1 for each active package."),
    Metric(
        "package_refused_total", "counter", ("reason",), "Packages refused: bad hash, failed health check, over budget."
    ),
    Metric("temperature_celsius", "gauge", (), "The hottest sensor the node can read."),
    Metric("resident_bytes", "gauge", ("process",), "Resident memory of the node and of its workers."),
    Metric("disk_free_bytes", "gauge", (), "Free space under the data directory."),
    Metric("disk_written_bytes_total", "counter", (), "Bytes the node has written to disk since it started."),
    Metric(
        "write_backs_total",
        "counter",
        ("connection", "result"),
        "Runs of write-back jobs: written, found (applied before), kept (nothing to write), left (a person judged), "
        "again, dead.",
    ),
    Metric("ledger_entries_total", "counter", ("kind",), "Ledger entries appended, by kind."),
    Metric(
        "team_entries_total",
        "counter",
        ("team", "kind", "priority"),
        "Ledger entries of each team, by kind and priority: its decisions, its overrides.",
    ),
    Metric("ledger_commit_seconds", "histogram", (), "Seconds one group commit took, fsync included."),
    Metric(
        "outbound_requests_total",
        "counter",
        ("host", "result"),
        "Exchanges with the outside, by host and how they ended; refused destinations are host `other`.",
    ),
    Metric("hooks_total", "counter", ("connection", "outcome"), "Webhook deliveries, by what became of them."),
    Metric("alerts_active", "gauge", ("name", "severity"), "1 for each alert that is raised."),
    Metric(
        "drift_psi", "gauge", ("package", "feature"), "How far a feature of tickets or answers is from the reference."
    ),
    Metric("similar_tickets", "gauge", (), "Earlier tickets among which similar ones are found."),
    Metric(
        "accuracy_ratio",
        "gauge",
        ("package", "version"),
        "Share of decisions of the last 30 days whose priority people let stand.",
    ),
    Metric("rules_reloads_total", "counter", ("result",), "Rule files read again: accepted or refused."),
    Metric("swallowed_errors_total", "counter", ("place",), "Errors a loop survived by design; should stay 0."),
)

_BY_NAME = {metric.name: metric for metric in METRICS}


@dataclass(slots=True)
class Histogram:
    """Cumulative-ready bucket counts over `bounds` (upper, inclusive), with sum and count."""

    bounds: tuple[float, ...] = _SECONDS
    counts: list[int] = field(default_factory=lambda: [0] * (len(_SECONDS) + 1))
    total: float = 0.0
    count: int = 0


class Measures:
    """Every metric of one node. One lock guards all series; each call is a dictionary write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, dict[tuple[str, ...], float]] = {m.name: {} for m in METRICS if m.kind != "histogram"}
        self._histograms: dict[str, dict[tuple[str, ...], Histogram]] = {
            m.name: {} for m in METRICS if m.kind == "histogram"
        }

    def add(self, name: str, *labels: str, amount: float = 1.0) -> None:
        """Raise counter `name` by `amount`. `labels` in the order of the table; KeyError for an unknown metric."""
        series = self._numbers[name]
        with self._lock:
            if labels in series or len(series) < _MAX_SERIES_PER_METRIC:
                series[labels] = series.get(labels, 0.0) + amount

    def set(self, name: str, *labels: str, value: float) -> None:
        """Set gauge `name`. `labels` in the order of the table; KeyError for an unknown metric."""
        series = self._numbers[name]
        with self._lock:
            if labels in series or len(series) < _MAX_SERIES_PER_METRIC:
                series[labels] = value

    def replace(self, name: str, values: Mapping[tuple[str, ...], float]) -> None:
        """Make `values` the whole of gauge `name`, so that a cleared alert or an old package leaves no series."""
        with self._lock:
            self._numbers[name] = dict(values)

    def observe(self, name: str, *labels: str, value: float) -> None:
        """Count `value` in histogram `name`. KeyError for an unknown metric."""
        with self._lock:
            series = self._histograms[name]
            histogram = series.get(labels)
            if histogram is None:
                if len(series) >= _MAX_SERIES_PER_METRIC:
                    return
                histogram = series[labels] = Histogram()
            histogram.counts[bisect_left(histogram.bounds, value)] += 1
            histogram.total += value
            histogram.count += 1

    def numbers(self) -> dict[str, dict[tuple[str, ...], float]]:
        """A copy of every counter and gauge: metric name -> label values -> value."""
        with self._lock:
            return {name: dict(series) for name, series in self._numbers.items()}

    def histograms(self) -> dict[str, dict[tuple[str, ...], Histogram]]:
        """A copy of every histogram: metric name -> label values -> histogram."""
        with self._lock:
            return {
                name: {key: Histogram(h.bounds, list(h.counts), h.total, h.count) for key, h in series.items()}
                for name, series in self._histograms.items()
            }
