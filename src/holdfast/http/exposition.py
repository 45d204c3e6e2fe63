"""Measures in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from holdfast.measure import METRICS, Histogram, Measures
from holdfast.measure import Metric as Described

__all__ = ["CONTENT_TYPE", "exposition"]

V = TypeVar("V")

_PREFIX = "holdfast_"
CONTENT_TYPE = CONTENT_TYPE_LATEST.encode()


def exposition(measures: Measures, shown: Mapping[str, Collection[str]]) -> bytes:
    """Every metric of the node as text. shown: label -> the only values of it that are told; others are all told."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(measures, shown))
    return generate_latest(registry)


class _Families(Collector):
    """One scrape's view of the measures; prometheus_client's documented extension point."""

    def __init__(self, measures: Measures, shown: Mapping[str, Collection[str]]) -> None:
        self._shown = shown
        self._numbers, self._histograms = measures.numbers(), measures.histograms()

    def collect(self) -> Iterable[Metric]:
        """One family per metric of the table, with or without samples."""
        for metric in METRICS:
            if metric.kind == "histogram":
                yield _histogram(metric, self._told(metric, self._histograms[metric.name]))
            else:
                yield _plain(metric, self._told(metric, self._numbers[metric.name]))

    def _told(self, metric: Described, series: dict[tuple[str, ...], V]) -> dict[tuple[str, ...], V]:
        limits = [(place, self._shown[label]) for place, label in enumerate(metric.labels) if label in self._shown]
        if not limits:
            return series
        return {labels: of for labels, of in series.items() if all(labels[place] in kept for place, kept in limits)}


def _plain(metric: Described, series: dict[tuple[str, ...], float]) -> Metric:
    name = _PREFIX + metric.name
    family: CounterMetricFamily | GaugeMetricFamily
    if metric.kind == "counter":
        family = CounterMetricFamily(name, metric.help, labels=metric.labels)
    else:
        family = GaugeMetricFamily(name, metric.help, labels=metric.labels)
    for labels, value in series.items():
        family.add_metric(labels, value)
    return family


def _histogram(metric: Described, series: dict[tuple[str, ...], Histogram]) -> Metric:
    family = HistogramMetricFamily(_PREFIX + metric.name, metric.help, labels=metric.labels)
    for labels, histogram in series.items():
        family.add_metric(labels, buckets=list(_buckets(histogram)), sum_value=histogram.total)
    return family


def _buckets(histogram: Histogram) -> Iterator[tuple[str, float]]:
    """Cumulative counts, as the format wants them."""
    total = 0
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        total += count
        yield bound, float(total)
