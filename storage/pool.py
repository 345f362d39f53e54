"""Connections to PostgreSQL: open and close the pool, one transaction at a time.

The pool outlives the database: a connection that broke is replaced when it is next asked for, so a
restart of PostgreSQL needs no restart of ours. `storage.errors.is_passing` knows the errors that
are raised meanwhile. A database that hangs is given up in time too: asyncpg by itself would wait
without end for a free connection, and for a hung server to confirm that a query was cancelled.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from storage.arrays import KnowingConnection
from storage.errors import Unavailable

if TYPE_CHECKING:
    # Generic for type checkers only.
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Asked: TypeAlias = Pool | Connection
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.pool.PoolConnectionProxy
    Asked = Pool | Connection


RELEASE_S = 1.0
"""How long a connection may take to come to rest after its use before it is thrown away."""


class _PatientPool(asyncpg.Pool):
    """A pool that waits for a connection, and for its return, with an end."""

    patience_s = 10.0

    def acquire(self, *, timeout: float | None = None) -> Any:  # noqa: ANN401  asyncpg's
        """A connection, or TimeoutError where none is free in time."""
        return super().acquire(timeout=self.patience_s if timeout is None else timeout)

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:  # noqa: ANN401, ASYNC109
        """Give a connection back; one that does not come to rest is replaced.

        asyncpg makes a task of that, so that a cancellation does not come between: 33 of the 113 us
        that a small question costs us. Where no transaction is left to be rolled back there is
        nothing to wait for, unless a question was cancelled: who is cancelled once more meanwhile
        leaves a connection behind that is closed, and the pool opens another.
        """
        timeout = RELEASE_S if timeout is None else timeout
        held = connection._con  # noqa: SLF001  (asyncpg's, and its holder below)
        if held is None or held.is_closed() or held.is_in_transaction():
            await super().release(connection, timeout=timeout)
        else:
            held._on_release()  # noqa: SLF001
            await connection._holder.release(timeout)  # noqa: SLF001


async def _leave_as_it_is(_connection: Any) -> None:  # noqa: ANN401  asyncpg's
    """Nothing here changes the state of a session: no SET, no LISTEN, no advisory lock.

    asyncpg would else clear all of them after each use, which doubles the round trips of a query.
    Transactions that were left open are rolled back all the same.
    """


async def open_pool(
    dsn: str, *, connections_max: int = 8, connect_s_max: float = 10.0, command_s_max: float = 60.0
) -> Pool:
    """Open a pool with one connection, growing to `connections_max` as they are needed.

    Raises Unavailable when the database does not let us in within `connect_s_max`. From then on a
    query raises TimeoutError after `command_s_max`, or `connect_s_max` without a connection.
    """
    pool = _PatientPool(
        dsn,
        connection_class=KnowingConnection,
        record_class=asyncpg.Record,
        min_size=1,
        max_size=connections_max,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        max_cached_statement_lifetime=0,
        setup=None,
        init=None,
        reset=_leave_as_it_is,
        loop=None,
        timeout=connect_s_max,
        command_timeout=command_s_max,
        server_settings={"application_name": "plait"},
    )
    pool.patience_s = connect_s_max
    try:
        return await pool
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        # An OSError for a timeout says nothing; the URL is not repeated, it may hold a password.
        raise Unavailable(str(error) or f"no answer in {connect_s_max:g} s") from error


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
