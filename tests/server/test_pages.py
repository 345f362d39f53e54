"""The front page says what this is, with this server's own address, and runs no script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.inside import Guest, serving


@pytest.fixture
async def guest(database: str, tmp_path: Path) -> AsyncIterator[Guest]:
    """Somebody on a server with a name that wants escaping, behind a public address."""
    async with serving(
        database, tmp_path, name="<Ink & Co>", public_url="https://plait.example"
    ) as inside:
        yield Guest(inside)


async def test_every_provider_is_shown_this_servers_address(guest: Guest) -> None:
    """The examples can be copied as they are."""
    async with guest, guest.http.get("/") as answer:
        page = await answer.text()

    assert answer.status == 200
    assert "new WebsocketProvider('wss://plait.example/ws'" in page.replace("&#x27;", "'")
    assert "url: 'wss://plait.example/ws'" in page.replace("&#x27;", "'")
    assert "https://plait.example/doc/new" in page
    assert "{{" not in page


async def test_names_from_the_settings_are_escaped(guest: Guest) -> None:
    """A name is text, never markup."""
    async with guest, guest.http.get("/") as answer:
        page = await answer.text()

    assert "&lt;Ink &amp; Co&gt;" in page
    assert "<Ink" not in page


async def test_the_page_may_run_nothing_and_be_framed_by_nobody(guest: Guest) -> None:
    """A strict policy goes with the page and its style."""
    async with guest:
        for path, kind in (("/", "text/html"), ("/style.css", "text/css")):
            async with guest.http.get(path) as answer:
                policy = answer.headers["Content-Security-Policy"]

                assert answer.content_type == kind
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "script" not in policy
