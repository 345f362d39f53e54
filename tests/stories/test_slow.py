"""One reader stops reading while 160 MB are sent: it costs little memory and nobody's time."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from crdt import wire
from scripts._load.login import login
from tests.clients import Visitor, YClient
from tests.live import LiveServer
from tests.patience import in_time, prompt
from tests.server.realtime.test_connection import Stubborn
from tests.stories.crowd import tell

KIB, MIB = 1 << 10, 1 << 20
SENT = 160 * MIB
PART = 128 * KIB
GROWTH_MAX = 16 * MIB
HELPERS_MAX = 256 * MIB
"""Two of 40 MB that work on 4 MB of the log at a time, and who looks after them."""
LATENCY_S_MAX = 1.0

pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture
async def visitor(database: str, tmp_path: Path) -> AsyncIterator[tuple[LiveServer, Visitor]]:
    """A server process that is patient with slow readers."""
    server = LiveServer(tmp_path, database_url=database, shutdown_grace_s=0.2, outbox_stuck_s=120)
    await asyncio.to_thread(server.start)
    known = await asyncio.to_thread(login, server.url)
    async with Visitor(server.url, known.access_token) as somebody:
        yield server, somebody
    await asyncio.to_thread(server.stop)


class Reader(YClient):
    """A reader that keeps no document, only the time at which each update came."""

    def __init__(self, *given: Any) -> None:
        self.seen: dict[int, float] = {}
        super().__init__(*given)

    def on_frame(self, frame: bytes) -> None:
        """Remember when."""
        self.frames.clear()
        self.seen[hash(frame)] = time.monotonic()


async def write(writer: YClient, size: int, sent_at: dict[int, float]) -> None:
    """Send so many bytes, each part when the one before it is stored; notes when."""
    for _ in range(size // PART):
        insert = wire.update(writer.replica.insert("x" * PART))
        delete = wire.update(writer.replica.delete(0, PART))
        sent_at[hash(insert)] = time.monotonic()
        await writer.send(insert)
        await writer.send(delete)
        await writer.until(lambda d=delete: d in writer.frames)
        writer.frames.clear()
        writer.heard.clear()


def memory(pid: int) -> int:
    """What the server has in memory, in bytes."""
    size: int = psutil.Process(pid).memory_info().rss
    return size


def helpers(pid: int) -> int:
    """What its helper processes have, which give it back after each piece of work."""
    return sum(process.memory_info().rss for process in psutil.Process(pid).children())


@prompt
async def test_a_reader_that_stops_costs_little_and_catches_up(
    visitor: tuple[LiveServer, Visitor],
) -> None:
    """Growth of at most 16 MB, the others in time, and one difference when it reads again."""
    server, somebody = visitor
    slow = await Stubborn.join(somebody, "a")
    writer = await (await somebody.y("a")).sync()
    fast = await somebody.y("a", kind=Reader)
    assert isinstance(fast, Reader)
    end = uuid4().hex
    sent_at: dict[int, float] = {}
    await write(
        writer, 16 * MIB, sent_at
    )  # Until every buffer on the way is full and everything is warm.
    before = most = memory(server.pid)
    helped = helpers(server.pid)
    started = time.monotonic()
    writing = asyncio.create_task(write(writer, SENT, sent_at))
    while not writing.done():
        most, helped = max(most, memory(server.pid)), max(helped, helpers(server.pid))
        await asyncio.sleep(0.05)
    await writing
    seconds = time.monotonic() - started
    await writer.stored(await writer.write(end))
    await fast.until(lambda: sent_at.keys() <= fast.seen.keys())
    late = max(fast.seen[key] - at for key, at in sent_at.items())
    frames = await slow.frames(end.encode())
    await slow.close()

    tell(f"160 MB past a reader that stands still in {seconds:.0f} s: {(most - before) / MIB:.1f}"
         f" MiB more (helpers {helped / MIB:.0f}), slowest delivery to the others"
         f" {late * 1000:.0f} ms, then {sum(map(len, frames)) / MIB:.1f} MiB in {len(frames)}"
         " frames to it")  # fmt: skip
    assert most - before <= GROWTH_MAX
    assert helped <= HELPERS_MAX
    assert sum(map(len, frames)) < 20 * MIB
    in_time(late, LATENCY_S_MAX)
