"""One server for the tests of a module, and a command line on it for each test."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.inside import Guest, Inside, fresh_database, serving
from tests.server.adapters.flowershow.tools import CommandLine, command_line
from tests.server.realtime.conftest import ada, bob, serve

__all__ = ["ada", "bob", "cli", "inside", "serve"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inside(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """A server that lets one address ask often."""
    often = {
        f"{name}_per_minute": 100_000 for name in ("device_codes", "site_logins", "domain_checks")
    }
    folder = tmp_path_factory.mktemp("inside")
    async with (
        fresh_database(postgres) as database,
        serving(database, folder, anonymous_sites_per_hour=1000, **often) as running,
    ):
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def cli(ada: Guest) -> CommandLine:
    """Ada's command line."""
    return await command_line(ada)
