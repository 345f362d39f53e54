"""One server for the tests of a module, and a person on it for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.inside import Guest, Inside, fresh_database, serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inside(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """A server with the settings that people get."""
    folder = tmp_path_factory.mktemp("inside")
    async with fresh_database(postgres) as database, serving(database, folder) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def ada(inside: Inside) -> AsyncIterator[Guest]:
    """Somebody with an account of her own."""
    async with inside.visitor() as guest:
        yield guest


@pytest_asyncio.fixture(loop_scope="module")
async def bob(inside: Inside) -> AsyncIterator[Guest]:
    """Somebody else."""
    async with inside.visitor() as guest:
        yield guest


@pytest_asyncio.fixture(loop_scope="module")
async def database_of_module(postgres: str) -> AsyncIterator[str]:
    """A migrated database of the test's own, on the loop of these modules."""
    async with fresh_database(postgres) as database:
        yield database


Serve = Callable[..., Awaitable[Inside]]


@pytest_asyncio.fixture(loop_scope="module")
async def serve(postgres: str, tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts a server with settings of the test's own; it ends with the test."""
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> Inside:
            database = await stack.enter_async_context(fresh_database(postgres))
            return await stack.enter_async_context(serving(database, tmp_path, **changes))

        yield start
