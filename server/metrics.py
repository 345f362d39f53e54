"""Counters of the realtime side: plain numbers that the hot path adds to, read by /metrics.

prometheus-client's own counters take a lock per increment; these are read by a collector when
somebody asks, so that counting costs one addition.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from storage.statistics import LATENCY_BOUNDS_S, ROWS_BOUNDS, Statistics

if TYPE_CHECKING:
    from storage.log import Flusher

COUNTERS = {
    "connections": "WebSocket connections accepted",
    "joins": "Sessions that joined a room",
    "frames_in": "Sync protocol frames received",
    "bytes_in": "Bytes of sync protocol frames received",
    "updates_in": "Updates received and accepted",
    "updates_out": "Updates delivered to sessions (a merged one counts once)",
    "awareness_in": "Awareness frames received",
    "awareness_out": "Awareness frames delivered",
    "acknowledged": "Messages acknowledged after their commit",
    "loads": "Documents loaded from the store",
    "load_errors": "Loads that failed; the room was refused",
    "fell_behind": "Times a slow reader's outbox was full",
    "caught_up": "Times a slow reader was brought up to date by one difference",
    "aborted": "Connections cut because their reader was stuck",
    "quarantined": "Updates set aside because they broke a document",
    "compactions": "Compactions done",
    "notices": "Notices of changes in workspaces sent to clients",
    "keepalives": "Empty awareness frames sent to silent connections",
    "room_failures": "Rooms given up after a fault of our own",
}


class Metrics:
    """Everything counted on the realtime path; gauges are asked from their owners when read."""

    def __init__(self) -> None:
        for name in COUNTERS:
            setattr(self, name, 0)
        self.refusals: Counter[str] = Counter()
        """Refused frames, tokens and joins by reason."""
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        """name → (sentence, function that gives the number)."""
        self.counters: dict[str, tuple[str, Callable[[], float]]] = {}
        """Likewise for numbers that only grow."""
        self.flusher: Flusher | None = None
        """The store's flusher, whose statistics are shown."""

    connections: int
    joins: int
    frames_in: int
    bytes_in: int
    updates_in: int
    updates_out: int
    awareness_in: int
    awareness_out: int
    acknowledged: int
    loads: int
    load_errors: int
    fell_behind: int
    caught_up: int
    aborted: int
    quarantined: int
    compactions: int
    notices: int
    keepalives: int
    room_failures: int

    def gauge(self, name: str, sentence: str, read: Callable[[], float]) -> None:
        """Show a number that somebody else keeps; `read()` gives it."""
        self.gauges[name] = (sentence, read)

    def counter(self, name: str, sentence: str, read: Callable[[], float]) -> None:
        """Show a number that somebody else counts."""
        self.counters[name] = (sentence, read)

    def refuse(self, reason: str) -> None:
        """Count one refusal; unknown reasons are few, because they are our own words."""
        self.refusals[reason] += 1

    def snapshot(self) -> dict[str, Any]:
        """The counters as JSON, for `diagnostics.realtime` of /api/health."""
        values: dict[str, Any] = {name: getattr(self, name) for name in COUNTERS}
        for shown in (self.counters, self.gauges):
            values.update({name: read() for name, (_, read) in shown.items()})
        values["refusals"] = dict(self.refusals)
        if self.flusher is not None:
            stats = self.flusher.statistics
            values["commits"] = stats.commits
            values["rows"] = stats.rows
        return values


METRICS = web.AppKey("metrics", Metrics)


class MetricsCollector(Collector):
    """Shows `Metrics` in Prometheus' terms; register it with one registry per application."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """One family per counter, gauge and histogram."""
        metrics = self._metrics
        for name, sentence in COUNTERS.items():
            yield CounterMetricFamily(f"plait_{name}", sentence, getattr(metrics, name))
        for name, (sentence, read) in metrics.counters.items():
            yield CounterMetricFamily(f"plait_{name}", sentence, read())
        for name, (sentence, read) in metrics.gauges.items():
            yield GaugeMetricFamily(f"plait_{name}", sentence, read())
        refusals = CounterMetricFamily("plait_refusals", "Refusals by reason", labels=["reason"])
        for reason, count in sorted(metrics.refusals.items()):
            refusals.add_metric([reason], count)
        yield refusals
        if metrics.flusher is not None:
            yield from self._commits(metrics.flusher.statistics)

    def _commits(self, stats: Statistics) -> Iterator[Metric]:
        for name, sentence in (
            ("commits", "Commits of the update log"),
            ("rows", "Updates committed"),
            ("fenced_rows", "Updates refused by the store"),
            ("lock_waits", "Commits that met a locked document"),
            ("retries", "Commits tried again"),
            ("recognised_rows", "Updates found committed although the answer was lost"),
        ):
            yield CounterMetricFamily(f"plait_log_{name}", sentence, getattr(stats, name))
        yield CounterMetricFamily("plait_log_bytes", "Bytes of updates committed", stats.bytes)
        yield _histogram(
            "plait_commit_seconds",
            "Time of one commit",
            (LATENCY_BOUNDS_S, stats.latency_buckets, stats.latency_s),
        )
        yield _histogram(
            "plait_commit_rows",
            "Updates in one commit",
            (ROWS_BOUNDS, stats.rows_buckets, stats.rows),
        )


def _histogram(
    name: str, sentence: str, data: tuple[Sequence[float], Sequence[int], float]
) -> HistogramMetricFamily:
    """Counts per bucket as Prometheus wants them: cumulative, the last one open."""
    bounds, counts, total = data
    running = list(itertools.accumulate(counts))
    names = [*map(str, bounds), "+Inf"]
    family = HistogramMetricFamily(name, sentence)
    family.add_metric([], list(zip(names, running, strict=True)), total)
    return family
