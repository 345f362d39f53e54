"""Files of blocks: their bytes, and the clearing away of what nothing uses any more."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiohttp import web

from storage.blobs import COLLECTED_MAX, Blobs, LocalStore, Store
from storage.errors import StorageError

if TYPE_CHECKING:
    from server.settings import Settings
    from storage.pool import Pool

log = logging.getLogger("plait.files")

CLEAR_S = 60.0
"""Seconds between two looks for what is to go."""


class Files:
    """What the routes of every adapter store bytes with."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.settings = settings
        self.store = open_store(settings)
        self.blobs = Blobs(pool, self.store, grace_s=settings.blob_grace_s)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to clear away."""
        self._task = asyncio.get_running_loop().create_task(self._clear_on(), name="clear files")

    async def stop(self) -> None:
        """End that, and let go of the store."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.store.close()

    async def clear(self, now: datetime) -> int:
        """Remove blobs that nothing used for the grace time; how many."""
        gone = COLLECTED_MAX
        total = 0
        while gone == COLLECTED_MAX:
            gone = await self.blobs.collect(now)
            total += gone
        return total

    async def _clear_on(self) -> None:
        while True:
            await asyncio.sleep(CLEAR_S)
            try:
                await self.clear(datetime.now(UTC))
            except StorageError as error:
                log.warning("unused files are removed later: %s", error)
            except Exception:
                # An outermost loop: the next look must come whatever this one met.
                log.exception("unused files could not be removed")


def open_store(settings: Settings) -> Store:
    """The store that the settings name."""
    return LocalStore(settings.data / "blobs")


FILES = web.AppKey("files", Files)
