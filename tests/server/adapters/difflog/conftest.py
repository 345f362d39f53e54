"""One server for the tests of a module, and a profile on it for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from auth import passwords
from tests.inside import Inside
from tests.server.adapters.difflog.client import Client
from tests.server.realtime.conftest import database_of_module, inside, serve

__all__ = ["ada", "database_of_module", "inside", "serve"]


@pytest.fixture(scope="module", autouse=True)
def light_passwords() -> Iterator[None]:
    """Passwords cost next to nothing here: what they cost is tested in tests/auth."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_OPERATIONS", 1)
        patch.setattr(passwords, "_MEMORY_BYTES", 8192)
        patch.setattr(passwords, "_NOW", "argon2id$1$8192$")
        yield


@pytest_asyncio.fixture(loop_scope="module")
async def ada(inside: Inside) -> AsyncIterator[Client]:
    """Somebody whose profile is uploaded."""
    async with Client(inside) as client:
        status, answer = await client.create()
        assert status == 201, answer
        yield client
