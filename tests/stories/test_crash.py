"""The server is killed at random moments while fifty people write: nothing confirmed is lost."""

import asyncio
import os
import random
import time
from pathlib import Path

import pytest

from tests.live import LiveServer
from tests.stories.crowd import Crowd, tell
from tests.stories.outages import Outages

IS_FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
ROUNDS = 200 if IS_FULL else 4
WRITERS = 50
DOCUMENTS = 5
ROUNDS_OF_ONE_CROWD = 20
"""Then new documents are begun, so that the long form does not measure ever longer texts."""

pytestmark = pytest.mark.xdist_group("processes")


@pytest.mark.parametrize("seed", range(-(-ROUNDS // ROUNDS_OF_ONE_CROWD)))
async def test_kill_9_loses_nothing_confirmed_and_doubles_nothing(
    disk_path: Path, seed: int
) -> None:
    """What was confirmed is there before anybody reconnects; then everybody converges."""
    server = LiveServer(disk_path, shutdown_grace_s=0.2, login_attempts_per_minute=100_000)
    chance = random.Random(seed)
    crowd = Crowd(server, writers=WRITERS, documents=DOCUMENTS, seed=seed)
    started = time.monotonic()
    await asyncio.to_thread(server.start)
    try:
        await crowd.arrive()
        async with Outages(crowd) as outages:
            for number in range(min(ROUNDS, ROUNDS_OF_ONE_CROWD)):
                crowd.start()
                await asyncio.sleep(chance.uniform(0.05, 1.3))
                await asyncio.to_thread(server.kill)
                await crowd.leave()
                await asyncio.to_thread(server.start)
                await crowd.arrive()
                await crowd.check_stored()
                tell(f"seed {seed} round {number + 1}: {crowd.typed} words typed, {crowd.confirmed}"
                     " confirmed; after the kill all of those are there")  # fmt: skip
            await crowd.connect()
            await crowd.check_converged()
        outages.tell(f"seed {seed}, killed {number + 1} times")
    finally:
        await crowd.leave()
        server.kill()
    assert crowd.confirmed > 0
    seconds = time.monotonic() - started
    tell(f"{crowd.typed} words of {WRITERS} writers in {seconds:.0f} s: none lost, none doubled")
