"""Traces and metrics by OpenTelemetry, sent to a collector (OTLP over HTTP). Off by default.

Traced are requests (as part of the caller's trace), commits of the log, loads of documents and
compactions; the metrics are those of /metrics. Sampling and batching follow OpenTelemetry's own
variables (OTEL_TRACES_SAMPLER and so on). Needs the extra `tracing`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from server import __version__
from server.binding import StartError
from server.inspecting.inspector import NODE
from server.operating import spans

if TYPE_CHECKING:
    from server.metrics import Metrics

log = logging.getLogger("plait.tracing")

READ_EVERY_S = 2.0
"""How often the numbers are read; the exporter's thread must not walk what the loop changes."""
END_S = 3.0
"""How long the end waits for a collector."""


class Tracing:
    """Sends what this process does to a collector, from `start` to `stop`."""

    def __init__(self, url: str, metrics: Metrics) -> None:
        self._url = url.rstrip("/")
        self._metrics = metrics
        self._values: dict[str, float] = {}
        self._reading: asyncio.Task[None] | None = None
        self._providers: list[Any] = []

    def start(self) -> None:
        """Begin. Raises StartError where the extra is not installed."""
        try:
            from opentelemetry import propagate, trace  # noqa: PLC0415  an extra
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        except ImportError as error:
            raise StartError(
                "tracing needs the extra `tracing`: pip install 'plait[tracing]' (setting "
                "tracing_url)"
            ) from error
        resource = Resource.create(
            {
                "service.name": "plait",
                "service.version": __version__,
                "service.instance.id": NODE,
            }
        )
        tracers, meters = _traces_to(self._url, resource), _metrics_to(self._url, resource)
        self._providers = [tracers, meters]
        self._read()
        self._declare(meters.get_meter("plait", __version__))
        spans.switch(
            tracers.get_tracer("plait", __version__), propagate.extract, trace.SpanKind.SERVER
        )
        if self._metrics.flusher is not None:
            self._metrics.flusher.statistics.on_commit = spans.committed
        loop = asyncio.get_running_loop()
        self._reading = loop.create_task(self._keep_reading(), name="read metrics")
        log.info("traces and metrics go to %s", self._url)

    async def stop(self) -> None:
        """Send what is left, for a few seconds at most."""
        spans.switch(None, None, None)
        if self._metrics.flusher is not None:
            self._metrics.flusher.statistics.on_commit = None
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
            self._read()
        providers, self._providers = self._providers, []
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        # A thread that nothing waits for at the very end: exporters try again for half a minute.
        work = partial(_end, providers, partial(loop.call_soon_threadsafe, ended.set))
        threading.Thread(target=work, name="end of tracing", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await ended.wait()

    async def _keep_reading(self) -> None:
        while True:
            await asyncio.sleep(READ_EVERY_S)
            self._read()

    def _read(self) -> None:
        values = self._metrics.snapshot()
        self._values = {name: value for name, value in values.items() if name != "refusals"}
        self._values["refusals"] = sum(values["refusals"].values())

    def _declare(self, meter: Any) -> None:  # noqa: ANN401
        """One instrument for each number; those that may fall are gauges."""
        for name in self._values:
            make = (
                meter.create_observable_gauge
                if name in self._metrics.gauges
                else meter.create_observable_counter
            )
            make(f"plait.{name}", [self._observer(name)])

    def _observer(self, name: str) -> Callable[[Any], Iterator[Any]]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415

        def observe(_options: Any) -> Iterator[Any]:  # noqa: ANN401
            yield Observation(self._values.get(name, 0))

        return observe


def _traces_to(url: str, resource: Any) -> Any:  # noqa: ANN401
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    return provider


def _metrics_to(url: str, resource: Any) -> Any:  # noqa: ANN401
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
        OTLPMetricExporter,
    )
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics"))
    return MeterProvider([reader], resource=resource, shutdown_on_exit=False)


def _end(providers: list[Any], tell: Callable[[], object]) -> None:
    for provider in providers:
        provider.force_flush(int(END_S * 1000))
        provider.shutdown()
    with contextlib.suppress(RuntimeError):  # The loop did not wait that long.
        tell()
