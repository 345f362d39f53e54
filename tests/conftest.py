"""Fixtures only: one PostgreSQL for the whole run, a database of its own for each test that asks.

The process that starts the run (with xdist: the controller) owns PostgreSQL and makes one migrated
template database; a test's database is a copy of it. Nothing is started for runs that need none.
"""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from server.settings import Settings
from storage.migrate import migrate
from storage.pool import Pool, close_pool, open_pool
from storage.postgres import Embedded
from tests.databases import TEMPLATE, cluster_folder, dsn_of, execute, fresh_database, roomy_folder
from tests.roll_call import RollCall
from tests.weed import Weed, weed

FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
"""Whether the long forms are wanted: `scripts/test --full`."""

# A busy machine is slow, which is no fault of the code. The short form makes up the same examples
# each time, so that what it finds was found by whoever wrote it; a failure of the long form prints
# how to see it again.
hypothesis.settings.register_profile(
    "plait",
    deadline=None,
    print_blob=True,
    derandomize=not FULL,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    max_examples=5000 if FULL else 100,
)
hypothesis.settings.load_profile("plait")

_OPTIONS = {"fsync": "off", "full_page_writes": "off", "max_connections": "120"}
"""A test kills processes, never the machine, so nothing is lost by not waiting for the disk."""


class _Run:
    """The PostgreSQL of this test run, in the process that owns it."""

    def __init__(self) -> None:
        self.data = cluster_folder()
        self._runner = asyncio.Runner()
        self._embedded = Embedded(self.data, options=_OPTIONS)
        try:
            self._runner.run(self._start())
        except BaseException:
            self.stop()
            raise
        self.dsn = self._embedded.dsn

    async def _start(self) -> None:
        await self._embedded.start()
        await execute(self._embedded.dsn, f"CREATE DATABASE {TEMPLATE}")
        pool = await open_pool(dsn_of(self._embedded.dsn, TEMPLATE), connections_max=1)
        await migrate(pool)
        await close_pool(pool)

    def stop(self) -> None:
        self._runner.run(self._embedded.stop())
        self._runner.close()
        shutil.rmtree(self.data, ignore_errors=True)


_BY_CHANCE = re.compile(r" at 0x|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-")
_run_key = pytest.StashKey[_Run]()


def _owned_run(config: pytest.Config) -> _Run:
    if _run_key not in config.stash:
        config.stash[_run_key] = _Run()
    return config.stash[_run_key]


def pytest_configure(config: pytest.Config) -> None:
    """Let `tmp_path` lie in memory; long forms write more than that holds. Call the roll."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(RollCall(config), "roll call")
    if not FULL and (folder := roomy_folder()):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", folder)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Refuse a name with an address or a random id: each worker would collect another name."""
    if _BY_CHANCE.search(item.nodeid):
        raise pytest.UsageError(f"{item.nodeid}: give this case an id of its own")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each worker of xdist where the run's PostgreSQL is."""
    node.workerinput["plait_dsn"] = _owned_run(node.config).dsn


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the run's PostgreSQL in the process that started it."""
    if _run_key in config.stash:
        config.stash[_run_key].stop()
        del config.stash[_run_key]


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> str:
    """The URL of the run's PostgreSQL, for tests that make databases themselves."""
    told = getattr(request.config, "workerinput", {}).get("plait_dsn")
    return told or _owned_run(request.config).dsn


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[str]:
    """The URL of a fresh database at the newest migration, dropped after the test."""
    async with fresh_database(postgres) as url:
        yield url


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A pool on a fresh database."""
    opened = await open_pool(database)
    yield opened
    await close_pool(opened)


@pytest.fixture
def disk_path() -> Iterator[Path]:
    """A folder on a disk, for a PostgreSQL that waits for it and is killed."""
    with tempfile.TemporaryDirectory(prefix="plait-tests-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    """A real object store with one bucket, for all tests of this process."""
    with weed(tmp_path_factory.mktemp("weed")) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a server on a free port, with a data folder of its own and no database URL."""
    return Settings(port=0, data=tmp_path / "data", shutdown_grace_s=0.2)
