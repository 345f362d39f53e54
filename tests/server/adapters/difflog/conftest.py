"""One server for the tests of a module, and a profile on it for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.inside import Inside
from tests.server.adapters.difflog.client import Client
from tests.server.realtime.conftest import database_of_module, inside, serve

__all__ = ["ada", "database_of_module", "inside", "serve"]


@pytest_asyncio.fixture(loop_scope="module")
async def ada(inside: Inside) -> AsyncIterator[Client]:
    """Somebody whose profile is uploaded."""
    async with Client(inside) as client:
        status, answer = await client.create()
        assert status == 201, answer
        yield client
