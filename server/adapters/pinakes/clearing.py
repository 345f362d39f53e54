"""In the background: uploads that a crash left half done, and what no device needs any more."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta

from server.adapters.pinakes.libraries import Shelves
from server.adapters.pinakes.uploading import Uploading
from server.errors import Busy
from storage.duties import Duties
from storage.errors import StorageError

log = logging.getLogger("plait.pinakes")

CLEAR_S = 60.0
"""Seconds between two looks."""


class Clearing:
    """Looks from time to time."""

    def __init__(self, shelves: Shelves, uploading: Uploading, duties: Duties) -> None:
        self._shelves = shelves
        self._uploading = uploading
        self._duties = duties
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._clear_on(), name="clear pinakes")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(StorageError):
            await self._duties.leave()
        await self._uploading.stop()

    async def clear(self, now: datetime) -> int:
        """One look; how many contents were let go. Raises Unavailable and the like."""
        settings, store = self._shelves.settings, self._shelves.store
        await self._uploading.mend(now)
        await self._uploading.expire()
        await store.forget_pending(now - timedelta(seconds=settings.pinakes_pending_s))
        return await store.release(now - timedelta(seconds=settings.pinakes_versions_s))

    async def _clear_on(self) -> None:
        while True:
            await asyncio.sleep(CLEAR_S)
            try:
                if await self._duties.take("clear libraries", 2 * CLEAR_S):
                    await self.clear(datetime.now(UTC))
            except (StorageError, Busy) as error:
                log.warning("what libraries do not need is removed later: %s", error)
            except Exception:
                # An outermost loop: the next look must come whatever this one met.
                log.exception("what libraries do not need could not be removed")
