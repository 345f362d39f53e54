"""The server of a story, on a database of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from server.adapter import TABLE
from server.app import Server
from server.identity import IDENTITY
from server.settings import Settings
from tests.server.person import Person
from tests.stories.beside import Stage, staged
from tests.stories.world import ENDS_THE_LOGIN, Web, World, populate


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[World]:
    """The whole server on a database of its own."""
    server = Server(
        Settings(data=tmp_path, database_url=database, port=0, login_attempts_per_minute=10_000)
    )
    await server.start()
    assert server.app is not None
    routes = [
        mounted.route for mounted in server.app[TABLE].values() if mounted.route.method != "OPTIONS"
    ]
    routes.sort(key=lambda route: route.path in ENDS_THE_LOGIN)
    async with aiohttp.ClientSession(server.address) as session:
        made = World(Web(session), server, server.app[IDENTITY], routes, Person())
        await populate(made)
        yield made
    await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A server process and real providers, for stories beside which a crowd types."""
    async with staged(postgres, tmp_path_factory.mktemp("stage")) as made:
        yield made
