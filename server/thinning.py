"""History thinned with age, in the background: now and then a look at what is due."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from datetime import UTC, datetime

from crdt.errors import CrdtError
from server.settings import Settings
from server.workers import WorkerDied, Workers
from storage import history
from storage.duties import Duties
from storage.errors import LogBroken, StorageError
from storage.pool import Pool

log = logging.getLogger("plait.history")


class Thinning:
    """The task that keeps history as fine as the settings say, and no finer."""

    def __init__(self, pool: Pool, workers: Workers, settings: Settings) -> None:
        self._pool = pool
        self._workers = workers
        self._every_s = settings.thin_every_s
        self._duties = Duties(pool, secrets.token_hex(8))
        self._retention = history.Retention(
            full_s=settings.history_full_s, hourly_s=settings.history_hourly_s
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="thinning")

    async def stop(self) -> None:
        """End; a thinning under way leaves either the old rows or the merged ones."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(StorageError):
            await self._duties.leave()

    async def look(self, now: datetime) -> int:
        """Thin what is due at `now`; answers how many rows went. Raises Unavailable.

        A document that cannot be thinned is passed over: it stays the first that is due, and must
        not keep all others from it.
        """
        gone = 0
        for document in await history.due(self._pool, now):
            try:
                gone += await history.thin(
                    self._pool, document, now, self._retention, self._workers.in_background
                )
            except (LogBroken, CrdtError, WorkerDied) as error:
                log.warning("the history of document %s is thinned later: %s", document, error)
        return gone

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                if await self._duties.take("thin history", 2 * self._every_s):
                    await self.look(datetime.now(UTC))
            except StorageError as error:
                log.warning("history is thinned later: %s", error)
            except Exception:
                # An outermost loop: the next look must come whatever this one met.
                log.exception("thinning failed")
