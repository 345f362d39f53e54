"""Probes, ids of requests, traces: what those who run the server go by."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from server.logs import JsonFormatter
from server.operating.probes import READINESS
from server.operating.tracing import END_S
from tests.clients import becomes
from tests.inside import Inside, fresh_database, serving
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """A server that logs each request and is soon said not to be ready."""
    folder = tmp_path_factory.mktemp("watched")
    async with (
        fresh_database(postgres) as database,
        serving(database, folder, log_requests=True, ready_lag_s=0.3) as running,
    ):
        yield running


async def probe(inside: Inside, path: str = "/readyz") -> tuple[int, Any]:
    """Status and body of a probe."""
    async with aiohttp.ClientSession(inside.url) as session, session.get(path) as answer:
        return answer.status, await answer.json()


async def says(inside: Inside, *reasons: str) -> tuple[int, Any]:
    """Wait until /readyz gives these reasons and no other; its status and body then."""
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await probe(inside))[1]["reasons"] != list(reasons):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return answer


# -- probes -----------------------------------------------------------------------------------


async def test_a_server_that_works_is_alive_and_ready(watched: Inside) -> None:
    """Without a credential, for a probe that knows nothing but the address."""
    assert await probe(watched, "/livez") == (200, {"status": "ok"})
    assert await says(watched) == (200, {"status": "ready", "reasons": []})


async def test_not_ready_while_commits_lag(watched: Inside) -> None:
    """A store that holds the log locked is no place to send work to; alive it is all the same."""
    async with watched.visitor() as guest:
        y = await (await guest.y("lagging")).sync()
        async with watched.pool.acquire() as connection:
            async with connection.transaction():
                await connection.execute("LOCK TABLE heads IN ACCESS EXCLUSIVE MODE")
                update = await y.write("late")
                status, _ = await says(watched, "commits lag")
                alive = await probe(watched, "/livez")
            await y.stored(update)
        await says(watched)

    assert status == 503
    assert alive == (200, {"status": "ok"})


async def test_not_ready_while_commits_fail(watched: Inside) -> None:
    """Although the database answers; what was written meanwhile is stored afterwards."""
    async with watched.visitor() as guest:
        y = await (await guest.y("failing")).sync()
        await watched.pool.execute("ALTER TABLE updates RENAME TO away")
        update = await y.write("kept")
        await says(watched, "commits fail")
        await watched.pool.execute("ALTER TABLE away RENAME TO updates")
        await y.stored(update)
        await says(watched)


async def test_other_parts_have_a_word_too(watched: Inside) -> None:
    """Such as a bus that was lost."""
    works = [False]
    readiness = watched.app[READINESS]
    readiness.parts["bus"] = lambda: works[0]
    try:
        await says(watched, "bus")
        works[0] = True
        await says(watched)
    finally:
        del readiness.parts["bus"]


async def test_the_start_of_the_end_is_told_while_doors_are_open(
    postgres: str, tmp_path: Path
) -> None:
    """In shutdown_delay_s a balancer is told to turn away, and whoever still comes is served."""
    async with (
        fresh_database(postgres) as database,
        serving(database, tmp_path, shutdown_delay_s=3.0) as inside,
        inside.visitor() as guest,
    ):
        y = await (await guest.y("notes")).sync()
        ending = asyncio.create_task(inside.server.stop())
        await says(inside, "draining")
        late = await (await guest.y("notes")).sync()
        await y.stored(await y.write("to the last"))
        codes = [await y.closed(), await late.closed()]
        await ending

    assert codes == [1012, 1012]


# -- ids of requests ----------------------------------------------------------------------------


async def lines(inside: Inside, caplog: pytest.LogCaptureFixture, path: str, **more: Any) -> Any:
    """What is logged over one request, as JSON, and the answer's headers."""
    caplog.clear()
    with caplog.at_level(logging.INFO):
        async with (
            aiohttp.ClientSession(inside.url) as session,
            session.get(path, **more) as answer,
        ):
            await answer.read()
        await becomes(lambda: any(each.name == "plait.requests" for each in caplog.records))
    formatter = JsonFormatter()
    told = [json.loads(formatter.format(each)) for each in caplog.records]
    return [each for each in told if each["logger"] == "plait.requests"], answer.headers


async def test_a_request_is_logged_with_its_id_and_without_its_secrets(
    watched: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    """Method, path, status, time and address; the id stands in the answer too."""
    path = "/api/health?token=very-secret&x=1"
    (line,), headers = await lines(watched, caplog, path, headers={"Authorization": "Bearer abc"})

    assert (line["method"], line["status"], line["remote"]) == ("GET", 200, "127.0.0.1")
    assert line["path"] == "/api/health?token=***&x=1"
    assert line["ms"] > 0
    assert "very-secret" not in str(line)
    assert len(headers["X-Request-Id"]) == 16


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("proxy-1.a_B", True), ("x" * 65, False), ("a b", False), ("ä", False), ("", False)],
)
async def test_a_fit_id_of_a_proxy_is_kept(watched: Inside, sent: str, kept: bool) -> None:
    """Anything else is replaced, so that nobody writes lines into our log."""
    async with (
        aiohttp.ClientSession(watched.url) as session,
        session.get("/livez", headers={"X-Request-Id": sent}) as answer,
    ):
        assert (answer.headers["X-Request-Id"] == sent) is kept


async def test_errors_and_unknown_paths_have_an_id_too(watched: Inside) -> None:
    """Every answer of ours, whatever its status."""
    async with aiohttp.ClientSession(watched.url) as session:
        found = {}
        for path in ("/api/me", "/nowhere", "/api/nowhere", "/ws", "/ws/notes"):
            async with session.get(path) as answer:
                found[path] = (answer.status, bool(answer.headers.get("X-Request-Id")))

    assert found == {
        "/api/me": (401, True),
        "/nowhere": (404, True),
        "/api/nowhere": (404, True),
        "/ws": (426, True),
        "/ws/notes": (426, True),
    }


# -- traces -------------------------------------------------------------------------------------


class Collector:
    """A collector on loopback that keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.numbers: dict[str, float] = {}
        self.url = ""

    async def traces(self, request: web.Request) -> web.Response:
        """Keep spans."""
        sent = ExportTraceServiceRequest.FromString(await _plain(request))
        self.spans += [s for r in sent.resource_spans for p in r.scope_spans for s in p.spans]
        return web.Response(content_type="application/x-protobuf")

    async def metrics(self, request: web.Request) -> web.Response:
        """Keep the newest of each number."""
        sent = ExportMetricsServiceRequest.FromString(await _plain(request))
        for resource in sent.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = (metric.sum or metric.gauge).data_points or metric.gauge.data_points
                    for point in points:
                        self.numbers[metric.name] = point.as_double or point.as_int
        return web.Response(content_type="application/x-protobuf")

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Collector]:
        """From start to stop."""
        app = web.Application()
        app.router.add_post("/v1/traces", self.traces)
        app.router.add_post("/v1/metrics", self.metrics)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


async def _plain(request: web.Request) -> bytes:
    return await request.read()


async def test_one_setting_sends_traces_and_metrics(postgres: str, tmp_path: Path) -> None:
    """Requests as part of their caller's trace, loads inside them, commits; and every number."""
    caller = "0af7651916cd43dd8448eb211c80319c"
    async with fresh_database(postgres) as database, Collector().listening() as collector:
        serves = serving(database, tmp_path, tracing_url=collector.url)
        async with serves as inside, inside.visitor() as guest:
            y = await (await guest.y("traced")).sync()
            await y.stored(await y.write("words"))
            headers = {"traceparent": f"00-{caller}-b7ad6b7169203331-01", **guest.bearer}
            async with guest.http.get("/d/traced/as-update", headers=headers) as answer:
                request = answer.headers["X-Request-Id"]
    named = {each.name: each for each in collector.spans}
    read = named["GET /d/{document}/as-update"]
    facts = {each.key: each.value for each in read.attributes}

    assert read.trace_id.hex() == caller
    assert facts["plait.request_id"].string_value == request
    assert facts["http.response.status_code"].int_value == 200
    assert {"load", "commit", "GET /ws/{document:.+}"} <= named.keys()
    assert named["load"].trace_id == named["GET /ws/{document:.+}"].trace_id
    assert collector.numbers["plait.updates_in"] == 1
    assert collector.numbers["plait.joins"] == 1
    assert guest.token not in str(collector.spans)


async def test_a_collector_that_is_away_hurts_nobody(postgres: str, tmp_path: Path) -> None:
    """Neither work nor the end waits for it for long."""
    async with (
        fresh_database(postgres) as database,
        serving(database, tmp_path, tracing_url="http://127.0.0.1:9") as inside,
        inside.visitor() as guest,
    ):
        y = await (await guest.y("notes")).sync()
        await y.stored(await y.write("words"))
        async with asyncio.timeout(END_S + 10):
            await inside.server.stop()
