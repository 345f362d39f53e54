"""A small server for tests of the front: identity, adapters and a real database, no engine."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from server.adapter import mount
from server.adapters import ADAPTERS
from server.door import setup_http
from server.feed import FEED, Feed
from server.health import HEALTH, Health
from server.identity import Identity
from server.metrics import METRICS, Metrics
from server.session.routes import SESSIONS
from server.settings import Settings
from storage.blocks import Blocks
from storage.changes import Changes
from storage.documents import Documents
from storage.pool import Pool
from tests.server.person import Clock


@pytest.fixture
def clock() -> Clock:
    """The time of day, moved by hand."""
    return Clock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a server on loopback that looks at rights often and allows many logins."""
    return Settings(
        data=tmp_path / "data", login_attempts_per_minute=100_000, rights_poll_s=0.05, name="Test"
    )


@pytest.fixture
async def identity(settings: Settings, pool: Pool, clock: Clock) -> AsyncIterator[Identity]:
    """The part that knows people, running."""
    made = Identity(settings, pool, Documents(pool), clock=clock)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def app(identity: Identity, pool: Pool) -> web.Application:
    """An application with the door and every adapter."""
    return make_app(identity, pool)


def make_app(identity: Identity, pool: Pool) -> web.Application:
    """An application around an identity."""
    made = web.Application()
    setup_http(made)
    identity.install(made)
    made[HEALTH] = Health(pool)
    made[METRICS] = Metrics()
    engine: Any = None  # There are no documents that it would be asked for.
    made[FEED] = Feed(Changes(pool), Blocks(pool), engine)
    for adapter in [*ADAPTERS, SESSIONS]:
        mount(made, adapter)
    return made


Connect = Callable[..., Awaitable[TestClient[web.Request, web.Application]]]


@pytest.fixture
async def client(
    aiohttp_client: Connect, app: web.Application
) -> TestClient[web.Request, web.Application]:
    """A client of that application, over a real socket."""
    return await aiohttp_client(app)
