"""Clocks that are wrong by a day, or are set while the server runs: markers, tokens, history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio

from tests.inside import Guest
from tests.live import LiveServer
from tests.server.adapters.heaps.device import Device
from tests.stories.crowd import Crowd, tell
from tests.stories.faketime import Clock
from tests.stories.outages import Outages

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("processes")]

DAY_S = 86_400
STEPS = (0, DAY_S, -DAY_S, 3600, 0)
"""Where the clock is set to, in turn."""


class Timed(LiveServer):
    """A server with a clock of its own."""

    clock: Clock


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Timed]:
    """One for both tests."""
    folder: Path = tmp_path_factory.mktemp("clock")
    clock = await asyncio.to_thread(Clock, folder)
    live = Timed(
        folder / "server",
        prefix=clock.prefix,
        shutdown_grace_s=0.2,
        login_attempts_per_minute=100_000,
    )
    live.clock = clock
    await asyncio.to_thread(live.start)
    yield live
    await asyncio.to_thread(live.stop)


async def log_in(server: Timed) -> Guest:
    """Somebody with a token of the server's present."""
    return await Guest(SimpleNamespace(url=server.url)).log_in()  # type: ignore[arg-type]


async def test_a_chain_of_deltas_goes_on_whatever_the_clock_says(server: Timed) -> None:
    """Each push is in the next delta, and no marker goes back, though the clock goes back a day."""
    guest = await log_in(server)
    async with guest:
        device = Device(guest)
        marker, told = 0, set()
        pushed: list[str] = []
        for number, step in enumerate(STEPS):
            server.clock.set(step)
            await guest.log_in()  # Its token was of another time.
            for again in range(2):
                block = device.write(f"{number}.{again}")
                pushed.append(block)
                await device.push(block)
                page = await device.page(marker, limit=100)
                assert page["server_time"] > marker, "the marker went back"
                marker = page["server_time"]
                told |= {one["block_id"] for one in page["changed_blocks"]}
                assert told == set(pushed), f"missed at clock {step:+d} s"
        tell(f"clock steps {STEPS}: {len(pushed)} pushes acknowledged, all told in deltas")


async def test_editors_lose_nothing_when_the_clock_is_set(server: Timed) -> None:
    """Their tokens may end by it; what they typed does not."""
    crowd = Crowd(server, writers=10, documents=2, seed=18)
    try:
        async with Outages(crowd) as outages:
            for step in STEPS:
                server.clock.set(step)
                await crowd.arrive()
                await crowd.connect()
                crowd.start(are_here=True)
                await asyncio.sleep(0.4)
                await crowd.stop()
                await crowd.check_converged()
                await crowd.leave()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await crowd.arrive()
        await crowd.check_stored()
        outages.tell(f"clock steps {STEPS}")
    finally:
        server.clock.set(0)
        await crowd.leave()
