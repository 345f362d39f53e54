"""The change feed of this process: settles what was committed, on demand and in the background.

Whoever asks what changed since a marker gets everything that was committed before the question:
`since` settles first. So does whoever tells a workspace's listeners (`server.notices`), as soon as
something in it is committed. In between a sweeper settles whatever was written, four times a second
or, where that is dear, at least every few seconds, so that questions find little to do.

Settling needs to know of each changed block whether it is in the trash, and its title. That is read
from the document in memory, once all it holds is committed, or else from the stored rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from aiohttp import web

from server.projecting import Projecting
from storage.changes import NOWHERE, Dirty, Page, RecordPage, Settled
from storage.errors import StorageError

if TYPE_CHECKING:
    from server.documents import Documents
    from storage.blocks import Blocks
    from storage.changes import Changes

log = logging.getLogger("plait.feed")

SWEEP_S, SWEEP_S_MAX = 0.25, 5.0
"""Seconds between two sweeps: where there is little to do, and at most."""
LOOK_S = 5.0
"""Seconds after which the sweeper looks even though nothing was written here: somebody else may
have written, or died before settling."""
SHARE, SHARE_OF_MANY, MANY = 0.05, 0.02, 50
"""The part of the time that sweeping may take, here and in PostgreSQL: a thousand documents that
are typed in were stamped a thousand times a second. Questions settle at once all the same. And less
of it where so many documents were new: a push into 100 was stamped again and again."""
DOCUMENTS_MAX = 1000
"""Documents that are settled in one transaction."""

Listener = Callable[[list[Settled]], None]


class Feed:
    """What changed in each workspace."""

    def __init__(self, changes: Changes, blocks: Blocks, documents: Documents) -> None:
        self.changes = changes
        self._documents = documents
        self._projecting = Projecting(documents, blocks, changes)
        self._listeners: list[Listener] = []
        self._coming: dict[str, asyncio.Task[None]] = {}
        """For each scope the settling that has not begun yet."""
        self._running: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self.pause_s = SWEEP_S
        """Seconds from the last sweep to the next, where something was written meanwhile."""
        self.sweeps = 0
        """How often the sweeper looked."""

    # -- questions ----------------------------------------------------------------------

    async def since(self, scope: str, since: int, limit: int) -> Page:
        """What changed after a marker, everything included that is committed by now.

        Raises Unavailable.
        """
        await self.settle(scope)
        return await self.changes.since(scope, since, limit)

    async def records_since(
        self,
        scope: str,
        collections: Sequence[str],
        since: int,
        limit: int,
        document: UUID | None = None,
    ) -> RecordPage:
        """Which records changed after a marker, everything included that is committed by now.

        Of the documents whose kind an adapter names in `Adapter.records`. Raises Unavailable.
        """
        await self.settle(scope)
        return await self.changes.records_since(scope, collections, since, limit, document)

    async def settle(self, scope: str) -> None:
        """Give everything in a scope its stamp that is committed by now. Raises Unavailable.

        Shared by all who ask before it begins; one for each scope at a time.
        """
        task = self._coming.get(scope)
        if task is None:
            before = self._running.get(scope)
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._settle_after(before, scope), name=f"settle {scope}")
            self._coming[scope] = task
            task.add_done_callback(_take_error)
        await asyncio.shield(task)

    async def settle_all(self, scopes: Sequence[str]) -> bool:
        """Settle those of these scopes that need it; whether any did. Raises Unavailable."""
        unsettled = await self.changes.unsettled(scopes)
        for scope in unsettled:
            await self.settle(scope)
        return bool(unsettled)

    async def _settle_after(self, before: asyncio.Task[None] | None, scope: str) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
        finally:
            # From here on whoever asks needs a settling that begins later than this one.
            task = self._coming.pop(scope)
        self._running[scope] = task
        try:
            await self._settle_scope(scope)
        finally:
            if self._running.get(scope) is task:
                del self._running[scope]

    async def _settle_scope(self, scope: str) -> None:
        after = NOWHERE
        while True:
            dirty = await self.changes.dirty(scope, after, DOCUMENTS_MAX)
            await self._settle(dirty, wait=True)
            if len(dirty) < DOCUMENTS_MAX:
                return
            after = dirty[-1].document

    async def _settle(self, dirty: Sequence[Dirty], *, wait: bool) -> None:
        if not dirty:
            return
        projected = await self._projecting.project(dirty)
        settled = await self.changes.settle(projected, time.time_ns() // 1_000_000, wait=wait)
        for one in settled:
            if one.closed:
                self._documents.end(one.document, "deleted")
        self._projecting.settled(settled)
        if settled:
            self._tell(settled)

    # -- listeners ----------------------------------------------------------------------

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with what was settled here, after its commit; ends by calling the answer.

        It is called on the loop and must not take long.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self, settled: list[Settled]) -> None:
        for listener in list(self._listeners):
            try:
                listener(settled)
            except Exception:
                # One listener's fault must not keep the news from the others.
                log.exception("a listener of the change feed failed")

    # -- the sweeper --------------------------------------------------------------------

    def start(self) -> None:
        """Begin to sweep."""
        self._task = asyncio.get_running_loop().create_task(self._sweep_on(), name="sweep changes")

    async def stop(self) -> None:
        """End. What is not settled yet will be, by the next who asks."""
        for task in [self._task, *self._running.values(), *self._coming.values()]:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, StorageError):
                    await task

    async def _sweep_on(self) -> None:
        loop = asyncio.get_running_loop()
        written = self._documents.flusher.statistics.news
        rested_at = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await written.wait()
            await asyncio.sleep(max(SWEEP_S, rested_at - loop.time()))
            written.clear()
            looked_at = loop.time()
            settled = 0
            try:
                settled = await self.sweep()
            except StorageError as error:
                log.warning("changes are settled later: %s", error)
            except Exception:
                # An outermost loop: a fault in one settling must not end the feed.
                log.exception("changes could not be settled")
            self.pause_s = pause_after(loop.time() - looked_at, settled)
            rested_at = loop.time() + self.pause_s

    async def sweep(self) -> int:
        """Settle whatever is dirty, scope by scope; scopes that are being settled are left out.

        Answers how many documents that were.
        """
        self.sweeps += 1
        count = 0
        after: tuple[str, UUID] = ("", NOWHERE)
        while True:
            dirty = await self.changes.dirty_anywhere(after, DOCUMENTS_MAX)
            await self._settle(dirty, wait=False)
            count += len(dirty)
            if len(dirty) < DOCUMENTS_MAX:
                return count
            after = (dirty[-1].scope, dirty[-1].document)


def pause_after(took_s: float, documents: int) -> float:
    """Seconds to wait after a sweep that took so many, for so many documents."""
    share = SHARE if documents < MANY else SHARE_OF_MANY
    return min(max(SWEEP_S, took_s * (1 / share - 1)), SWEEP_S_MAX)


def _take_error(task: asyncio.Task[None]) -> None:
    """Everybody who waits sees the error; where nobody waits any more, nobody needs it."""
    if not task.cancelled():
        task.exception()


FEED = web.AppKey("feed", Feed)
