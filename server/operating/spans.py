"""Spans of work, for those who trace; nothing at all for everybody else.

The OpenTelemetry API is an extra, so nothing of it is imported before tracing is switched on
(`server.operating.tracing`). A process has one tracer, as it has one log.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol


class Span(Protocol):
    """What of a span is used here."""

    def set_attribute(self, key: str, value: Any) -> object:  # noqa: ANN401  OpenTelemetry's
        """Note a fact."""


class _Nothing:
    """A span where nobody traces."""

    def set_attribute(self, key: str, value: Any) -> object:  # noqa: ANN401
        """Note nothing."""


class _Tracing:
    """Where spans go: None while nobody traces."""

    tracer: Any = None
    extract: Any = None
    server: Any = None


def switch(tracer: Any, extract: Any, server: Any) -> None:  # noqa: ANN401
    """Send spans to a tracer from now on, or with None nowhere.

    `extract` reads the caller's trace from headers, `server` is the kind of span of a request.
    """
    _Tracing.tracer, _Tracing.extract, _Tracing.server = tracer, extract, server


def on() -> bool:
    """Whether anybody traces."""
    return _Tracing.tracer is not None


@contextmanager
def span(name: str, **facts: str | float) -> Iterator[Span]:
    """A piece of work; what fails in it is noted."""
    if _Tracing.tracer is None:
        yield _Nothing()
        return
    attributes = {f"plait.{key}": value for key, value in facts.items()}
    with _Tracing.tracer.start_as_current_span(name, attributes=attributes) as made:
        yield made


@contextmanager
def request(method: str, route: str, headers: Mapping[str, str], identity: str) -> Iterator[Span]:
    """A request, as part of its caller's trace if that sent one."""
    attributes = {
        "http.request.method": method,
        "http.route": route,
        "plait.request_id": identity,
    }
    with _Tracing.tracer.start_as_current_span(
        f"{method} {route}",
        context=_Tracing.extract(headers),
        kind=_Tracing.server,
        attributes=attributes,
    ) as made:
        yield made


def committed(rows: int, size: int, seconds: float) -> None:
    """A commit of the log has just ended; its rows are of many requests, so it has no parent."""
    if _Tracing.tracer is None:
        return
    end = time.time_ns()
    attributes = {"plait.rows": rows, "plait.bytes": size}
    start = end - int(seconds * 1e9)
    made = _Tracing.tracer.start_span("commit", attributes=attributes, start_time=start)
    made.end(end_time=end)
