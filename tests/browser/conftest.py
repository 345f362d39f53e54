"""Fixtures of the browser tests: one server per worker, one Chromium per module, people in it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.person import Person
from tests.live import LiveServer

Meet = Callable[..., Awaitable[Person]]


@pytest.fixture(scope="session")
def browser_database(postgres: str) -> Iterator[str]:
    """An empty database for a server that migrates it itself."""
    name = f"browser_{os.getpid()}"

    async def execute(sql: str) -> None:
        connection = await asyncpg.connect(postgres)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    asyncio.run(execute(f"create database {name}"))
    yield postgres.replace("/postgres?", f"/{name}?")
    asyncio.run(execute(f"drop database {name} with (force)"))


@pytest.fixture(scope="session")
def server(browser_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A running server, shared by the tests of a worker."""
    live = LiveServer(
        tmp_path_factory.mktemp("browser"),
        database_url=browser_database,
        shutdown_grace_s=0.2,
        login_attempts_per_minute=100_000,
    ).start()
    yield live
    live.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """A real browser."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed: apt-get install chromium"
    async with async_playwright() as playwright:
        # Root has no sandbox in a container, and /dev/shm may be tiny there.
        browser = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def meet(chromium: Browser, server: LiveServer) -> AsyncIterator[Meet]:
    """Makes people, each with a browser of their own; what went wrong in it fails the test."""
    people: list[Person] = []

    async def make(*, at: LiveServer | None = None, **options: object) -> Person:
        person = await Person.in_browser(chromium, (at or server).url, **options)
        people.append(person)
        return person

    yield make
    for person in people:
        await person.context.close()
    assert [error for person in people for error in person.errors] == []
