"""/metrics: by token on the main port, alone on a listener of its own, closed by default."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.inside import Inside, serving


async def ask(inside: Inside, token: str | None) -> tuple[int, str]:
    """Status and text of /metrics with some credential."""
    headers = {} if token is None else {"Authorization": token}
    async with (
        aiohttp.ClientSession(inside.url) as session,
        session.get("/metrics", headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def test_it_opens_with_its_token_only(database: str, tmp_path: Path) -> None:
    """Not without, not with another, not with an account's."""
    async with (
        serving(database, tmp_path, metrics_token="right") as inside,
        inside.visitor() as guest,
    ):
        assert (await ask(inside, "Bearer right"))[0] == 200
        assert (await ask(inside, "bearer right"))[0] == 200
        for wrong in (None, "Bearer", "Bearer wrong", "Bearer rightt", "Basic right", "right"):
            assert (await ask(inside, wrong))[0] == 401, wrong
        assert (await ask(inside, f"Bearer {guest.token}"))[0] == 401
        assert (await ask(inside, "Bearer \N{SNOWMAN}"))[0] == 401


async def test_without_a_token_there_is_no_such_page(database: str, tmp_path: Path) -> None:
    """The default: 404 for everybody."""
    async with serving(database, tmp_path) as inside:
        for token in (None, "Bearer ", "Bearer x"):
            assert (await ask(inside, token))[0] == 404


async def test_it_is_what_prometheus_reads(database: str, tmp_path: Path) -> None:
    """Every family parses, has a help text, and is named like the others."""
    async with serving(database, tmp_path, metrics_token="right") as inside:
        _, text = await ask(inside, "Bearer right")

    families = list(text_string_to_metric_families(text))
    assert len(families) > 20
    assert all(family.name.startswith("plait_") and family.documentation for family in families)


async def test_its_own_listener_needs_no_token_and_serves_nothing_else(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator keeps that port private; the log says where it is."""
    with caplog.at_level("INFO"):
        async with serving(database, tmp_path, metrics_port=0) as inside:
            (said,) = [line for line in caplog.messages if line.startswith("metrics at ")]
            url = said.removeprefix("metrics at ")
            async with aiohttp.ClientSession() as session:
                async with session.get(url) as answer:
                    assert answer.status == 200
                    assert "plait_connections_total" in await answer.text()
                async with session.get(url.replace("/metrics", "/api/health")) as answer:
                    assert answer.status == 404
            assert (await ask(inside, None))[0] == 404
