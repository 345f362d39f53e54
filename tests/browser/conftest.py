"""Fixtures of the browser tests: a server, a Chromium and two people with accounts per worker."""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import asyncpg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.person import Person
from tests.live import LiveServer
from tests.server.adapters.flowershow.names import NameServer

Meet = Callable[..., Awaitable[Person]]


@contextmanager
def database_of_its_own(postgres: str, name: str) -> Iterator[str]:
    """An empty database for a server that migrates it itself."""

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
def names() -> Iterator[NameServer]:
    """The DNS that the server asks; it answers beside the tests, in a thread of its own."""
    loop = asyncio.new_event_loop()
    made = loop.run_until_complete(NameServer().start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield made
    loop.call_soon_threadsafe(made.stop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(asyncio.sleep(0))  # What was stopped is told so, and lets go.
    loop.close()


@pytest.fixture(scope="session")
def server(
    postgres: str, names: NameServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """A running server, shared by the tests of a worker."""
    with database_of_its_own(postgres, f"browser_{os.getpid()}") as database:
        live = LiveServer(
            tmp_path_factory.mktemp("browser"),
            database_url=database,
            dns_servers=f"127.0.0.1:{names.port}",
            shutdown_grace_s=0.2,
            login_attempts_per_minute=100_000,
        ).start()
        yield live
        live.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
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


@pytest_asyncio.fixture(loop_scope="session")
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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def settled(chromium: Browser, server: LiveServer) -> AsyncIterator[list[Person]]:
    """Two people with accounts, for the tests that need no new ones."""
    people = [await Person.in_browser(chromium, server.url) for _ in range(2)]
    for person in people:
        await person.start()
    yield people
    for person in people:
        await person.context.close()


async def visit(person: Person) -> AsyncIterator[Person]:
    """Somebody for one test: with no window open before, and nothing wrong after."""
    await person.rest()
    yield person
    await person.rest()
    errors, person.errors = person.errors, []
    assert errors == []


@pytest_asyncio.fixture(loop_scope="session")
async def ada(settled: list[Person]) -> AsyncIterator[Person]:
    """Somebody with an account."""
    async for person in visit(settled[0]):
        yield person


@pytest_asyncio.fixture(loop_scope="session")
async def bob(settled: list[Person]) -> AsyncIterator[Person]:
    """Somebody else with one."""
    async for person in visit(settled[1]):
        yield person
