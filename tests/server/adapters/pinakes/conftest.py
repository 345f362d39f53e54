"""One server for the tests of a module, and a person with two devices on it for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.inside import Guest
from tests.server.adapters.pinakes.machine import Machine
from tests.server.realtime.conftest import ada, bob, inside, serve

__all__ = ["ada", "bob", "desk", "inside", "lap", "serve"]


@pytest_asyncio.fixture(loop_scope="module")
async def desk(ada: Guest) -> AsyncIterator[Machine]:
    """Ada's first machine."""
    async with await Machine.of(ada, "desk") as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def lap(ada: Guest) -> AsyncIterator[Machine]:
    """Her second one."""
    async with await Machine.of(ada, "lap") as made:
        yield made
