"""Connections to PostgreSQL: open and close the pool, one transaction at a time.

The pool outlives the database: a connection that broke is replaced when it is next asked for, so a
restart of PostgreSQL needs no restart of ours. `storage.errors.is_passing` knows the errors that
are raised meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

if TYPE_CHECKING:
    # Generic for type checkers only.
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.pool.PoolConnectionProxy


async def open_pool(
    dsn: str, *, connections_max: int = 8, connect_s_max: float = 10.0, command_s_max: float = 60.0
) -> Pool:
    """Open a pool with one connection, growing to `connections_max` as they are needed.

    Raises the driver's error when the database does not answer within `connect_s_max`.
    """
    pool = asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=connections_max,
        timeout=connect_s_max,
        command_timeout=command_s_max,
        server_settings={"application_name": "plait"},
    )
    return await pool


async def close_pool(pool: Pool, *, grace_s: float = 5.0) -> None:
    """Close when what runs has ended, and after `grace_s` seconds in any case."""
    try:
        async with asyncio.timeout(grace_s):
            await pool.close()
    except TimeoutError:
        pool.terminate()


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection inside one transaction: committed at the end, rolled back on any error."""
    async with pool.acquire() as connection, connection.transaction():
        yield connection
