"""What time does to sites: unclaimed ones end, and what is left of removed ones goes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from server.errors import Busy, NotFound
from server.sites.publishing import Publishing
from storage.errors import StorageError

if TYPE_CHECKING:
    from server.catalogue import Catalogue as Blocks
    from storage.sites import DeviceCodes

log = logging.getLogger("plait.sites")

EVERY_S = 60.0
MOST = 200
"""Things of one kind that one look removes."""
KEPT = timedelta(days=1)
"""For how long a site that went is looked after: uploads to it may have been under way."""


class Janitor:
    """Clears away, once a minute and where somebody asks."""

    def __init__(self, publishing: Publishing, blocks: Blocks, codes: DeviceCodes) -> None:
        self._publishing = publishing
        self._blocks = blocks
        self._codes = codes
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="clear sites")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def clear(self, now: datetime) -> int:
        """Remove what is to go, at most `MOST` of each kind; how much that was."""
        store = self._publishing.store
        count = 0
        for site in await store.expired(now, MOST):
            with contextlib.suppress(NotFound):
                await self._publishing.remove(site)
            count += 1
        for document in await store.remains(MOST):
            await self._blocks.close(document)
            count += 1
        for kind, holder in await store.orphans(MOST):
            await self._publishing.catalogue.blobs.release(kind, holder)
            count += 1
        if not count:
            await store.cleared(now - KEPT)
        await self._codes.sweep(now, MOST)
        return count

    async def _run(self) -> None:
        while True:
            try:
                while await self.clear(datetime.now(UTC)) >= MOST:
                    pass
            except (StorageError, Busy) as error:
                log.warning("sites are cleared later: %s", error)
            except Exception:
                # An outermost loop: the next look must come whatever this one met.
                log.exception("sites could not be cleared")
            await asyncio.sleep(EVERY_S)
