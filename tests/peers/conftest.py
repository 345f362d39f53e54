"""Fixtures of the peers: one server per worker, providers in Node that live as long as a test."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.databases import fresh_database
from tests.live import LiveServer
from tests.peers.home import Home
from tests.peers.peer import Peer
from tests.peers.silence import Silence, falls

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server_database(postgres: str) -> Iterator[str]:
    """An empty database for a server that migrates it itself."""
    with asyncio.Runner() as runner:
        fresh = fresh_database(postgres, "template1")
        yield runner.run(fresh.__aenter__())
        runner.run(fresh.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def server(server_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A running server, shared by the tests of a worker."""
    live = LiveServer(
        tmp_path_factory.mktemp("server"), database_url=server_database, shutdown_grace_s=0.2
    ).start()
    yield live
    live.stop()


@pytest.fixture(scope="session")
def home(server: LiveServer) -> Home:
    """The account of most clients."""
    return Home.at(server)


@pytest.fixture(scope="session")
def stranger(server: LiveServer) -> Home:
    """Another account on the same server."""
    return Home.at(server)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def silence(home: Home) -> AsyncIterator[Silence]:
    """Clients that have said nothing since the first of these tests began."""
    async with falls(home) as fallen:
        yield fallen


@pytest.fixture(scope="session", autouse=True)
def _silence_comes_first(request: pytest.FixtureRequest) -> None:
    """Let it fall now where it is judged in the end: it takes longer than all other tests here."""
    if any(item.path.name == "test_when_idle.py" for item in request.session.items):
        request.getfixturevalue("silence")


@pytest.fixture
async def peer() -> AsyncIterator[Callable[[str], Awaitable[Peer]]]:
    """Starts a Node process of a provider; all of them end with the test."""
    started: list[Peer] = []

    async def start(provider: str) -> Peer:
        started.append(await Peer(provider).start())
        return started[-1]

    yield start
    await asyncio.gather(*(one.kill() for one in started))


@pytest.fixture
def name() -> str:
    """A document name that every dialect can spell, new for each test."""
    return f"doc-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def own_home(tmp_path: Path) -> Iterator[Home]:
    """A server of the test's own, to be killed and restarted; its PostgreSQL is embedded."""
    live = LiveServer(tmp_path, shutdown_grace_s=0.2).start()
    yield Home.at(live)
    live.stop()
