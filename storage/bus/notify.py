"""A bus of PostgreSQL's NOTIFY: nothing to install, and good for a few processes on one database.

It has one connection of its own, on which it listens and speaks, and speaks outside of every
transaction that writes: NOTIFY holds a lock of the whole database while it commits, and would make
writers wait for each other. While one question is under way the next frames gather, and share one.
The connection must be a session's own: a pooler in between that hands it on after each statement
(PgBouncer's transaction mode) would take the LISTEN away.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from typing import Any, TypeAlias

import asyncpg

from storage.bus.ends import Heard, Turned, deaf, unmoved

log = logging.getLogger("plait.bus")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

PAYLOAD_LETTERS_MAX = 7_999
"""PostgreSQL's own bound, for text; bytes travel as base64."""
QUEUE_FRAMES_MAX = 2_000
"""Frames that wait to be sent; of more the oldest are lost, which listeners notice."""
JOIN_S, ANSWER_S = 2.0, 3.0
AGAIN_S, AGAIN_S_MAX = 0.1, 1.0

_SESSION = "SET synchronous_commit = off; SET statement_timeout = 0"
_SAY = "SELECT pg_notify($1, f) FROM unnest($2::text[]) f"


class NotifyBus:
    """One node's end."""

    frame_bytes_max = PAYLOAD_LETTERS_MAX // 4 * 3

    def __init__(self, dsn: str, *, channel: str) -> None:
        self._dsn = dsn
        self._channel = channel
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._queue: list[str] = []
        self._stirred = asyncio.Event()
        self._empty = asyncio.Event()
        self._heard: Heard = deaf
        self._turned: Turned = unmoved
        self._own = 0
        self.round_trips = 0

    @property
    def is_up(self) -> bool:
        """Whether it listens."""
        return self._connection is not None

    async def start(self, heard: Heard, turned: Turned) -> None:
        """Join, now if the database answers soon."""
        self._heard, self._turned = heard, turned
        joined = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(joined), name="bus")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(JOIN_S):
                await joined.wait()

    def publish(self, frame: bytes) -> None:
        """Queue a frame for the next question."""
        if self._connection is None:
            return
        self._empty.clear()
        self._queue.append(base64.b64encode(frame).decode("ascii"))
        if len(self._queue) > QUEUE_FRAMES_MAX:
            del self._queue[0]
        self._stirred.set()

    async def close(self) -> None:
        """Say what is queued, and leave."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                if self._queue and self._connection is not None:
                    await self._empty.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # -- the connection -----------------------------------------------------------------

    async def _run(self, joined: asyncio.Event) -> None:
        pause_s = AGAIN_S
        while True:
            try:
                connection = await self._join()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("the bus cannot be joined: %s", error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, AGAIN_S_MAX)
                continue
            pause_s = AGAIN_S
            joined.set()
            self._turned(up=True)
            try:
                await self._speak(connection)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("the bus is lost: %s", error or "no answer")
            finally:
                self._connection = None
                self._queue.clear()
                connection.terminate()
            self._turned(up=False)

    async def _join(self) -> Connection:
        connection = await asyncpg.connect(
            self._dsn, timeout=ANSWER_S, server_settings={"application_name": "plait bus"}
        )
        try:
            async with asyncio.timeout(ANSWER_S):
                await connection.execute(_SESSION)
                self._own = connection.get_server_pid()
                await connection.add_listener(self._channel, self._take)
        except BaseException:
            connection.terminate()
            raise
        connection.add_termination_listener(self._ended)
        self._connection = connection
        return connection

    def _ended(self, connection: Any) -> None:  # noqa: ANN401  (asyncpg's own type)
        if self._connection is connection:
            self._connection = None
        self._stirred.set()

    def _take(self, _connection: Any, pid: int, _channel: str, payload: Any) -> None:  # noqa: ANN401
        if pid != self._own:
            with contextlib.suppress(ValueError):
                self._heard(base64.b64decode(payload, validate=True))

    async def _speak(self, connection: Connection) -> None:
        """Say what is queued, until the connection ends."""
        while self._connection is connection:
            await self._stirred.wait()
            self._stirred.clear()
            self._empty.clear()
            while self._queue and self._connection is connection:
                frames, self._queue = self._queue, []
                self.round_trips += 1
                async with asyncio.timeout(ANSWER_S):
                    # Never prepared ahead: asyncpg leaves that half of a question open, and
                    # PostgreSQL brings no news to a session in the middle of one.
                    await connection.fetch(_SAY, self._channel, frames)
            self._empty.set()
