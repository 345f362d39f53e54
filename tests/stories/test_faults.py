"""PostgreSQL dies, hangs, or has no room left, while people write.

Nothing is confirmed meanwhile that could be lost, memory stays bounded, health says so, and it ends
without a restart of the server.
"""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live import LiveServer
from tests.patience import PATIENCE_S, in_time, prompt, until
from tests.stories.crowd import Crowd, tell
from tests.stories.disk import SmallDisk, small_disk
from tests.stories.outage import Health, kept_dead, switch_wal, tell_postgres
from tests.stories.outages import Outages

IS_FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
MIB = 1 << 20
STOP_S = 10.0 if IS_FULL else 6.0

pytestmark = pytest.mark.xdist_group("processes")


GIVEN = {
    "shutdown_grace_s": 0.2,
    "login_attempts_per_minute": 100_000,
    "commit_timeout_s": 1.5,
    "database_command_s": 2,
    "database_connect_s": 2,
}


@asynccontextmanager
async def at_work(folder: Path) -> AsyncIterator[tuple[LiveServer, Crowd]]:
    """A server with an embedded PostgreSQL of its own, and thirty people who type."""
    server = LiveServer(Path(tempfile.mkdtemp(dir=folder)), **GIVEN)
    await asyncio.to_thread(server.start)
    crowd = Crowd(server, writers=30, documents=3, seed=1)
    try:
        await crowd.arrive()
        await crowd.connect()
        crowd.start(are_here=True)
        yield server, crowd
    finally:
        tell_postgres(server, signal.SIGCONT)
        await crowd.leave()
        await asyncio.to_thread(server.stop)


async def nothing_confirmed(crowd: Crowd, seconds: float) -> None:
    """No acknowledgement for so long, although everybody types."""
    confirmed = -1
    async with asyncio.timeout(PATIENCE_S):
        while confirmed != crowd.confirmed:  # What was committed before is on its way.
            confirmed = crowd.confirmed
            await asyncio.sleep(0.3)
    typed = crowd.typed
    await asyncio.sleep(seconds)
    assert crowd.confirmed == confirmed
    assert crowd.typed > typed


async def confirmed_again(crowd: Crowd) -> float:
    """Acknowledgements come again; after how many seconds."""
    started, had = time.monotonic(), crowd.confirmed
    await until(lambda: crowd.confirmed > had)
    return time.monotonic() - started


async def push(crowd: Crowd) -> tuple[int, Any, dict[str, str], float]:
    """One REST write while the database is away; how it was answered, and after how long."""
    assert crowd.visitor is not None
    started = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        status, body, headers = await crowd.visitor.post(
            f"/d/{crowd.documents[0]}/update", data=b"\x00\x00"
        )
    return status, body, headers, time.monotonic() - started


@prompt
async def test_a_killed_postgresql_comes_back_by_itself(disk_path: Path) -> None:
    """Down for three seconds under load: no ack, 503, and then everything that was typed."""
    async with at_work(disk_path) as (server, crowd):
        await confirmed_again(crowd)
        async with Health(server) as health, Outages(crowd) as outages:
            async with kept_dead(server):
                red_s = await health.until(503)
                await nothing_confirmed(crowd, 2.0)
                status, body, headers, _ = await push(crowd)
            back_s = await confirmed_again(crowd)
            green_s = await health.until(200)
        await crowd.stop()
        assert (status, headers.get("Retry-After", "")[:1] > "0") == (503, True), body
        await crowd.come_back()
        await crowd.check_converged()
        await asyncio.to_thread(server.kill)
        await crowd.leave()
        await asyncio.to_thread(server.start)
        await crowd.arrive()
        await crowd.check_stored()
    outages.tell(f"PostgreSQL killed: red after {red_s:.1f} s, confirmed again {back_s:.1f} s "
                 f"after it may start, green {green_s:.1f} s later")  # fmt: skip
    in_time(red_s, 2)
    in_time(back_s, 20)
    in_time(green_s, 5)


@prompt
async def test_a_postgresql_that_hangs_costs_no_memory_and_no_word(disk_path: Path) -> None:
    """SIGSTOP for seconds: health is red within two, the server goes on by itself."""
    async with at_work(disk_path) as (server, crowd):
        await confirmed_again(crowd)
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        async with Health(server) as health, Outages(crowd) as outages:
            tell_postgres(server, signal.SIGSTOP)
            stopped = time.monotonic()
            red_s = await health.until(503)
            status, body, headers, answer_s = await push(crowd)
            await nothing_confirmed(crowd, STOP_S - (time.monotonic() - stopped))
            grown = (process.memory_info().rss - before) / MIB
            tell_postgres(server, signal.SIGCONT)
            back_s = await confirmed_again(crowd)
            green_s = await health.until(200)
            slowest_s = health.slowest_s
        await crowd.stop()
        assert (status, headers.get("Retry-After", "")[:1] > "0") == (503, True), body
        assert grown < 64
        await crowd.come_back()
        await crowd.check_converged()
        await crowd.leave()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await crowd.arrive()
        await crowd.check_stored()
    outages.tell(f"PostgreSQL stopped for {STOP_S:.0f} s: red after {red_s:.1f} s, REST 503 after "
                 f"{answer_s:.1f} s, {grown:.1f} MiB more, confirmed again {back_s:.1f} s after it "
                 f"goes on, green {green_s:.1f} s later; slowest health answer {slowest_s:.1f} s"
                 )  # fmt: skip
    in_time(red_s, 2)
    in_time(back_s, 20)
    in_time(green_s, 5)
    in_time(slowest_s, 2)


async def test_a_full_disk_stops_confirmations_and_nothing_else(tmp_path: Path) -> None:
    """First the tables cannot grow, then the log of PostgreSQL cannot; with room again all is well.

    The data folder is a file system of its own with 128 MiB, which is filled by another file.
    """
    with small_disk(tmp_path / "data", 128 * MIB) as disk:
        server = LiveServer(tmp_path, prefix=disk.prefix, **GIVEN)
        await asyncio.to_thread(server.start)
        crowd = Crowd(server, writers=30, documents=3, seed=2)
        try:
            await crowd.arrive()
            await crowd.connect()
            crowd.start(are_here=True)
            await confirmed_again(crowd)
            async with Outages(crowd) as outages:
                for harder in (False, True):
                    await fill_up(server, crowd, disk, harder=harder)
                await crowd.stop()
            await crowd.come_back()
            await crowd.check_converged()
            await crowd.leave()
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await crowd.arrive()
            await crowd.check_stored()
            outages.tell("full disk, twice")
        finally:
            await crowd.leave()
            await asyncio.to_thread(server.stop)


async def fill_up(server: LiveServer, crowd: Crowd, disk: SmallDisk, *, harder: bool) -> None:
    """Take all room, see what happens, give it back, see that it goes on."""
    async with Health(server) as health:
        await asyncio.to_thread(disk.fill)
        if harder:
            await switch_wal(server)
        red_s = await health.until(503)
        await nothing_confirmed(crowd, 1.5)
        status, body, _, _ = await push(crowd)
        disk.free()
        back_s = await confirmed_again(crowd)
        green_s = await health.until(200)
    tell(f"disk full ({'WAL' if harder else 'tables'}): red after {red_s:.1f} s, confirmed again "
         f"{back_s:.1f} s after there is room, green {green_s:.1f} s later")  # fmt: skip
    assert status == 503, body
