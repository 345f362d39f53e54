"""A lane's own connection to the database, and what is left of it after it was given up.

A connection that is given up in the middle of a commit leaves a backend behind that may still carry
it out, seconds later when the server was only stopped. `Link` ends that backend by its identity
before anybody looks whether the commit happened; only then is the outcome settled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from time import monotonic
from typing import Any, TypeAlias, TypeVar

import asyncpg

from storage.arrays import KnowingConnection
from storage.errors import Unavailable

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Backend: TypeAlias = tuple[int, datetime]
"""Process id and start time: together they name one backend of the server for ever."""

T = TypeVar("T")

ORPHAN_S_MAX = 5.0

# Heads are met by their key however small the tables were when the plan was made, and the plan is
# made once a connection: without this a plan made for an empty table reads whole tables later.
SESSION = """
SET lock_timeout = {lock_ms:d};
SET statement_timeout = 0;
SET enable_seqscan = off;
SET enable_mergejoin = off;
SET plan_cache_mode = force_generic_plan;
SET jit = off;
"""
_BACKEND = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2"
)


class Link:
    """One connection at a time; opened when it is needed, given up when it is in doubt."""

    def __init__(self, dsn: str, *, name: str, lock_ms: int, connect_s_max: float) -> None:
        self.asked_at: float | None = None
        """Since when the server owes an answer, by the monotonic clock; None: it owes none."""
        self._dsn = dsn
        self._name = name
        self._session = SESSION.format(lock_ms=lock_ms)
        self._connect_s_max = connect_s_max
        self._connection: Connection | None = None
        self._prepared: dict[str, Any] = {}
        self._backend: Backend | None = None
        self._orphans: list[Backend] = []

    @property
    def alive(self) -> bool:
        """Whether the connection still stands, so that a server's error was its whole answer."""
        return self._connection is not None and not self._connection.is_closed()

    async def ask(self, text: str, *arguments: object) -> list[asyncpg.Record]:
        """Run a statement that is prepared once a connection; one round trip."""
        statement = self._prepared.get(text)
        if statement is None:
            connection = await self._open()
            statement = self._prepared[text] = await self._watched(connection.prepare(text))
        self.asked_at = monotonic()
        try:
            records: list[asyncpg.Record] = await statement.fetch(*arguments)
        finally:
            self.asked_at = None
        return records

    async def ask_once(self, text: str, *arguments: object) -> list[asyncpg.Record]:
        """Run a statement of a rare path, unprepared."""
        connection = await self._open()
        return await self._watched(connection.fetch(text, *arguments))

    def give_up(self, *, orphan: bool) -> None:
        """Drop the connection at once; `orphan`: its backend may still commit something of ours."""
        connection, self._connection = self._connection, None
        self._prepared = {}
        if connection is None:
            return
        if orphan and self._backend is not None:
            self._orphans.append(self._backend)
        connection.terminate()

    async def end_orphans(self) -> None:
        """Make sure that no backend we gave up is left to commit anything.

        Raises Unavailable while one of them will not end; the next try asks again.
        """
        deadline = monotonic() + ORPHAN_S_MAX
        while self._orphans:
            pid, started = self._orphans[-1]
            if not await self.ask_once(_END, pid, started):
                self._orphans.pop()
            elif monotonic() > deadline:
                raise Unavailable(f"backend {pid} of a lost connection does not end")
            else:
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Close politely, within a second."""
        connection, self._connection = self._connection, None
        self._prepared = {}
        if connection is not None and not connection.is_closed():
            try:
                await connection.close(timeout=1)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    async def _open(self) -> Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        self._prepared = {}
        connection = await asyncpg.connect(
            self._dsn,
            timeout=self._connect_s_max,
            connection_class=KnowingConnection,
            server_settings={"application_name": f"plait {self._name}"},
        )
        self._connection = connection
        await self._watched(connection.execute(self._session))
        record = await self._watched(connection.fetchrow(_BACKEND))
        self._backend = (record[0], record[1]) if record else None
        return connection

    async def _watched(self, answer: Awaitable[T]) -> T:
        self.asked_at = monotonic()
        try:
            return await answer
        finally:
            self.asked_at = None
