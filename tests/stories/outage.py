"""What can be done to the PostgreSQL of a running server, and what the server says meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import aiohttp
import asyncpg
import psutil

from tests.live import LiveServer
from tests.patience import until


def postmaster(server: LiveServer) -> psutil.Process | None:
    """The embedded PostgreSQL's first process, if it runs."""
    for child in psutil.Process(server.pid).children():
        try:
            if child.name() == "postgres" and child.status() != psutil.STATUS_ZOMBIE:
                return child
        except psutil.NoSuchProcess:
            continue
    return None


def tell_postgres(server: LiveServer, word: signal.Signals) -> None:
    """Send a signal to every process of PostgreSQL, the first one first."""
    first = postmaster(server)
    if first is None:
        return
    for process in [first, *first.children(recursive=True)]:
        try:
            process.send_signal(word)
        except psutil.NoSuchProcess:
            continue


async def switch_wal(server: LiveServer) -> None:
    """Make PostgreSQL begin a new file of its own log with its next write."""
    postgres = postmaster(server)
    assert postgres is not None
    folder = next(
        argument.split("=", 1)[1]
        for argument in postgres.cmdline()
        if argument.startswith("unix_socket_directories=")
    )
    # As the server sees it, by a path that is short enough for a socket.
    handle = os.open(f"/proc/{server.pid}/root{folder}", os.O_PATH)
    connection = await asyncpg.connect(
        host=f"/proc/self/fd/{handle}", user="plait", database="postgres"
    )
    os.close(handle)
    try:
        await connection.execute("select pg_switch_wal()")
    except (asyncpg.PostgresError, OSError):
        pass  # It had no room for the new file at once.
    finally:
        connection.terminate()


@asynccontextmanager
async def kept_dead(server: LiveServer) -> AsyncIterator[None]:
    """PostgreSQL is killed, and killed again as soon as it comes back, until the block ends."""

    async def kill() -> None:
        while True:
            first = postmaster(server)
            if first is not None:
                first.kill()
            await asyncio.sleep(0.02)

    killing = asyncio.create_task(kill())
    try:
        yield
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)


class Health:
    """Asks /api/health all the time and remembers when the answer changed."""

    def __init__(self, server: LiveServer) -> None:
        self._url = f"{server.url}/api/health"
        self.status = 200
        self.since = time.monotonic()
        self.slowest_s = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._asking = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._asking is not None
        self._asking.cancel()
        await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                started = time.monotonic()
                async with session.get(self._url) as answer:
                    await answer.read()
                self.slowest_s = max(self.slowest_s, time.monotonic() - started)
                if answer.status != self.status:
                    self.status, self.since = answer.status, time.monotonic()
                await asyncio.sleep(0.05)

    async def until(self, status: int) -> float:
        """Wait for a status; the seconds that it took."""
        started = time.monotonic()
        await until(lambda: self.status == status)
        return time.monotonic() - started
