"""One server for the tests of a module, and a climber with a phone on it for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.inside import Guest
from tests.server.adapters.ascently.phone import Phone
from tests.server.realtime.conftest import ada, bob, inside, serve

__all__ = ["ada", "bob", "inside", "phone", "serve"]


@pytest_asyncio.fixture(loop_scope="module")
async def phone(ada: Guest) -> AsyncIterator[Phone]:
    """Ada's phone."""
    async with await Phone.of(ada) as made:
        yield made
