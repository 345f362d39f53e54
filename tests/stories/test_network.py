"""Bad networks between editors and the server: slow, in single bytes, cut, half-open, refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.clients import becomes
from tests.databases import fresh_database
from tests.live import LiveServer
from tests.stories.crowd import Crowd
from tests.stories.network import Wire
from tests.stories.outages import Outages

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("processes")]

PATIENCE_S = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[LiveServer, str]]:
    """One for all tests here, and its database."""
    async with fresh_database(postgres) as database:
        live = LiveServer(
            tmp_path_factory.mktemp("network"),
            database_url=database,
            shutdown_grace_s=0.2,
            login_attempts_per_minute=100_000,
        )
        await asyncio.to_thread(live.start)
        yield live, database
        await asyncio.to_thread(live.stop)


async def slow(wire: Wire) -> None:
    """Everything takes 50 to 100 ms in each direction."""
    wire.delay_s = 0.05
    await asyncio.sleep(1.5)


async def single_bytes(wire: Wire) -> None:
    """Every frame comes in as many pieces as it has bytes."""
    wire.byte_by_byte = True
    await asyncio.sleep(1.0)


async def cut(wire: Wire) -> None:
    """Half of the connections break, again and again."""
    for _ in range(5):
        await asyncio.sleep(0.3)
        wire.cut(0.5)


async def half_open(wire: Wire) -> None:
    """Nothing goes through and nobody is told; then the connections are found to be dead."""
    wire.hush()
    await asyncio.sleep(1.5)
    wire.cut()


async def refused(wire: Wire) -> None:
    """All connections break, and new ones are refused for a while."""
    wire.closed = True
    wire.cut()
    await asyncio.sleep(1.0)


FAULTS: dict[str, Callable[[Wire], Awaitable[None]]] = {
    "slow network": slow,
    "single bytes": single_bytes,
    "connections cut": cut,
    "half-open connections": half_open,
    "connections refused": refused,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_bad_network_loses_and_doubles_nothing(
    server: tuple[LiveServer, str], fault: str
) -> None:
    """Editors come back with what was not confirmed; all end with one text, each word once."""
    live, database = server
    async with Wire(live.port, seed=3) as wire:
        crowd = Crowd(wire, writers=20, documents=3, seed=300 + list(FAULTS).index(fault))  # type: ignore[arg-type]
        try:
            await crowd.arrive()
            await crowd.connect()
            crowd.start(are_here=True)
            await becomes(lambda: crowd.confirmed > 50, PATIENCE_S)
            async with Outages(crowd) as outages:
                await FAULTS[fault](wire)
                wire.heal()
                had = crowd.confirmed
                await becomes(lambda: crowd.confirmed > had + 20, PATIENCE_S)
                await crowd.stop()
            await crowd.come_back()
            await crowd.check_converged(PATIENCE_S)
            await crowd.check_log(database)
            outages.tell(fault)
        finally:
            wire.heal()
            await crowd.leave()
