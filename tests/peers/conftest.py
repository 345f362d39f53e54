"""Fixtures of the peers: one server per worker, providers in Node that live as long as a test."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.databases import fresh_database
from tests.live import LiveServer
from tests.peers.home import Home
from tests.peers.peer import Peer

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
