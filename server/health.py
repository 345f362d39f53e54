"""Whether the server can do its work, said within a second even when the database hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from storage.errors import Unavailable, reaching
from storage.pool import Pool

WAIT_S = 1.0
"""How long a caller waits for the database before it is called down."""
KEEP_S = 0.5
"""How long an answer is good, so that probes cannot load the database."""


class Health:
    """Asks the database, at most one question at a time, whoever wants to know."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asking: asyncio.Task[str] | None = None
        self._answer = ""
        self._answered_at = float("-inf")
        self.failing: Callable[[], str | None] = lambda: None
        """Gives the last error of a commit, or None; set by whoever runs the flusher."""
        self.slowed: Callable[[], str | None] = lambda: None
        """Gives what makes the server slower without stopping it (the bus is away), or None."""

    async def database(self) -> str:
        """`ok`, or `down` when it does not answer in time or commits fail."""
        answer = await self.reachable()
        return "down" if self.failing() is not None else answer

    async def reachable(self) -> str:
        """`ok`, or `down` when it does not answer in time."""
        now = asyncio.get_running_loop().time()
        if now - self._answered_at >= KEEP_S:
            await self._ask()
        return self._answer

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        if self._asking is None:
            self._asking = loop.create_task(self._question())
            self._asking.add_done_callback(self._asked)
        # A question that hangs is left to hang: whoever comes later waits for the same one.
        done, _ = await asyncio.wait({self._asking}, timeout=WAIT_S)
        self._answer = done.pop().result() if done else "down"
        self._answered_at = loop.time()

    def _asked(self, _task: asyncio.Task[str]) -> None:
        self._asking = None

    async def _question(self) -> str:
        try:
            with reaching():
                await self._pool.fetchval("SELECT 1")
        except Unavailable:
            return "down"
        return "ok"


HEALTH = web.AppKey("health", Health)
