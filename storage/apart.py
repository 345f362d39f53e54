"""Work at the store in a helper process, over a connection of that process.

What is large about a document (its rows, its snapshot) then never passes through the process that
serves editors: it hands over an id and gets back what was found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

from storage import loading
from storage.errors import Unavailable
from storage.pool import Pool, close_pool, open_pool

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_S: Final = 5.0
COMMAND_S: Final = 20.0
"""Below the time that a helper has for its work: a database that hangs is told of by name."""


class _Here:
    """This process's loop, which runs while it works, and its one connection."""

    def __init__(self) -> None:
        self.loop: Final = asyncio.new_event_loop()
        self._dsn = ""
        self._pool: Pool | None = None

    async def work(self, dsn: str, work: Callable[[Pool], Awaitable[T]]) -> T:
        """Do it, and keep the connection unless it may be broken."""
        if self._pool is not None and dsn != self._dsn:
            await self._close()
        if self._pool is None:
            self._pool = await open_pool(
                dsn, connections_max=1, connect_s_max=CONNECT_S, command_s_max=COMMAND_S
            )
            self._dsn = dsn
        try:
            return await work(self._pool)
        except Unavailable:
            await self._close()
            raise

    async def _close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await close_pool(pool, grace_s=0.5)


_here: list[_Here] = []


def run(
    dsn: str,
    work: Callable[Concatenate[Pool, P], Awaitable[T]],
    *arguments: P.args,
    **named: P.kwargs,
) -> T:
    """`await work(pool, *arguments)`, in a process that has no loop of its own.

    Raises Unavailable, and what `work` raises.
    """
    if not _here:
        _here.append(_Here())
    here = _here[0]
    return here.loop.run_until_complete(
        here.work(dsn, lambda pool: work(pool, *arguments, **named))
    )


async def over(
    pool: Pool, document: UUID, function: Callable[..., T], *arguments: object
) -> tuple[T, int]:
    """`function(rows, *arguments)` of a document's rows, and the last of them.

    Raises as `storage.loading.load`, and what the function raises.
    """
    loaded = await loading.load(pool, document)
    return function(loading.rows_of(loaded), *arguments), loaded.head
