"""Connections: what the pool does when the database goes, and what a transaction keeps."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable
from pathlib import Path

import asyncpg
import pytest

from storage.errors import Unavailable, is_passing
from storage.pool import RELEASE_S, Pool, close_pool, open_pool, transaction
from tests.storage.wire_cutter import WireCutter


class _Regret(Exception):
    """Raised by a test inside a transaction."""


async def test_a_transaction_keeps_all_or_nothing(pool: Pool) -> None:
    """What was written before an error is gone, what ended well is there."""
    await pool.execute("create table t (n int)")

    async with transaction(pool) as connection:
        await connection.execute("insert into t values (1)")
    with pytest.raises(_Regret):
        await _insert_and_regret(pool, 2)

    assert [row["n"] for row in await pool.fetch("select n from t")] == [1]


async def _insert_and_regret(pool: Pool, number: int) -> None:
    async with transaction(pool) as connection:
        await connection.execute("insert into t values ($1)", number)
        raise _Regret


async def test_the_pool_outlives_its_connections(pool: Pool, database: str) -> None:
    """Backends that were killed are replaced at the next use, within a few tries."""
    killer = await asyncpg.connect(database)
    for _ in range(20):
        await pool.fetchval("select 1")
        await killer.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )

        # The first uses may be what notices; then it is with an error that says: try again.
        tries = [await _error_of(pool.fetchval("select 2")) for _ in range(4)]

        assert all(is_passing(error) for error in tries if error), tries
        assert tries[-1] is None
    await killer.close()


async def _error_of(query: Awaitable[object]) -> Exception | None:
    try:
        await query
    except Exception as error:  # noqa: BLE001  whatever it is, the caller looks at it
        return error
    return None


async def test_a_cancelled_question_leaves_the_pool_whole(pool: Pool) -> None:
    """However often who asked is cancelled: all connections can be had again, each at rest."""
    for again in (False, True) * 10:
        asking = asyncio.create_task(pool.fetchval("select pg_sleep(60)"))
        while not await pool.fetchval(  # noqa: ASYNC110
            "select count(*) from pg_stat_activity where query like 'select pg_sleep%'"
            " and state = 'active' and datname = current_database() and pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.001)
        asking.cancel()
        if again:
            await asyncio.sleep(0)
            asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    async with contextlib.AsyncExitStack() as stack:
        held = [await stack.enter_async_context(pool.acquire()) for _ in range(pool.get_max_size())]
        assert [await one.fetchval("select 1") for one in held] == [1] * len(held)


async def test_closing_does_not_wait_for_ever(database: str) -> None:
    """A connection that never comes back does not hold up the shutdown."""
    pool = await open_pool(database)
    held = await pool.acquire()

    await close_pool(pool, grace_s=0.05)

    with pytest.raises(asyncpg.InterfaceError):
        await held.fetchval("select 1")


async def test_a_hung_database_is_given_up_in_time_and_used_again(
    database: str, tmp_path: Path
) -> None:
    """No query waits longer than told, however many wait; once it answers all is well."""
    async with WireCutter(database, tmp_path) as wire:
        pool = await open_pool(wire.dsn, connections_max=2, connect_s_max=0.3, command_s_max=0.3)
        await pool.fetchval("select 1")
        wire.answers.clear()
        started = time.monotonic()

        errors = await asyncio.gather(*(_error_of(pool.fetchval("select 2")) for _ in range(10)))
        seconds = time.monotonic() - started
        wire.answers.set()
        tries = [await _error_of(pool.fetchval("select 3")) for _ in range(4)]
        await close_pool(pool)

    assert all(error is not None and is_passing(error) for error in errors), errors
    assert seconds < 0.3 + RELEASE_S + 0.7
    assert tries[-1] is None


@pytest.mark.parametrize("name", ["plait_is_not_here", "["], ids=["unknown", "malformed"])
async def test_a_database_that_cannot_be_opened_is_one_sentence(database: str, name: str) -> None:
    """A wrong URL raises Unavailable, which ends the start with a line instead of a traceback."""
    wrong = database.replace("postgresql://", "postgresql://[") if name == "[" else database
    place, _, query = wrong.partition("?")
    url = f"{place.rpartition('/')[0]}/{name}?{query}" if name != "[" else wrong

    with pytest.raises(Unavailable):
        await open_pool(url)


async def test_a_transaction_that_was_left_open_is_rolled_back(database: str) -> None:
    """The next user of the connection finds it at rest; nothing else is cleared, for speed."""
    pool = await open_pool(database, connections_max=1)
    connection = await pool.acquire()
    before = await connection.fetchval("SELECT pg_backend_pid()")
    await connection.transaction().start()
    await connection.execute("INSERT INTO scopes (id) VALUES ('left')")
    with contextlib.suppress(asyncpg.InternalClientError):
        await pool.release(connection)

    assert await pool.fetchval("SELECT count(*) FROM scopes") == 0
    assert await pool.fetchval("SELECT pg_backend_pid()") == before
    await close_pool(pool)
