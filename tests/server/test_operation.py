"""/metrics opens with the operator's token or on a listener of its own, and not otherwise."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.inside import Guest, Inside, serving

Start = Callable[..., Awaitable[tuple[Inside, Guest]]]


@pytest.fixture
async def start(database: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a server with settings of the test's own, and somebody who uses it."""
    async with AsyncExitStack() as stack:

        async def begin(**changes: Any) -> tuple[Inside, Guest]:
            inside = await stack.enter_async_context(serving(database, tmp_path, **changes))
            return inside, await stack.enter_async_context(inside.visitor())

        yield begin


async def test_without_a_token_in_the_settings_there_are_no_metrics(start: Start) -> None:
    """Nothing is shown to anybody, an administrator's access token included."""
    _, guest = await start()

    assert (await guest.get("/metrics"))[0] == 404


async def test_only_the_operators_token_opens_them(start: Start) -> None:
    """An access token is not the operator's; the right one shows Prometheus text."""
    _, guest = await start(metrics_token="show-me")

    wrong = await guest.get("/metrics")
    almost = await guest.get("/metrics", token="show-m")
    right = await guest.get("/metrics", token="show-me")

    assert (wrong[0], almost[0], right[0]) == (401, 401, 200)
    assert right[1].startswith(b"# HELP plait_")


async def test_a_listener_of_its_own_needs_no_token(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """It serves metrics and nothing else."""
    with caplog.at_level(logging.INFO):
        await start(metrics_port=0)
    found = re.search(r"metrics at (http://\S+)/metrics", caplog.text)
    assert found is not None

    async with aiohttp.ClientSession(found[1]) as http:
        async with http.get("/metrics") as answer:
            status, text = answer.status, await answer.text()
        async with http.get("/api/") as answer:
            other = answer.status

    assert status == 200
    assert "plait_connections_total" in text
    assert other == 404
