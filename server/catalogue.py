"""What REST reads and changes besides documents: workspaces, search, relations, versions, trash.

Also the clearing away of content that was deleted for good: blocks that say so of themselves, and
whole workspaces some time after they were deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from aiohttp import web

from crdt import blocks
from server.errors import Busy
from server.extracting import Extracting
from storage.duties import Duties
from storage.errors import StorageError, UnknownDocument
from storage.extracts import Extracts
from storage.leftovers import Leftovers
from storage.relations import Relations
from storage.search import Search
from storage.versions import Versions
from storage.workspaces import Workspaces

if TYPE_CHECKING:
    from auth.principal import Principal
    from server.documents import Documents
    from server.feed import Feed
    from server.identity import Identity
    from storage.blocks import Blocks
    from storage.documents import DocumentRecord
    from storage.pool import Pool

log = logging.getLogger("plait.catalogue")

CLEAR_S = 60.0
"""Seconds between two looks for content that is to go."""
CLEARED_MAX = 100
"""Documents that one look clears."""
AT_ONCE_MAX = 16
"""Documents that one request edits at the same time."""


class Catalogue:
    """Every method may raise Unavailable."""

    def __init__(
        self, pool: Pool, documents: Documents, feed: Feed, store: Blocks, identity: Identity
    ) -> None:
        self.workspaces = Workspaces(pool)
        self.search = Search(pool)
        self.relations = Relations(pool)
        self.versions = Versions(pool)
        self.extracting = Extracting(feed, documents, store, Extracts(pool))
        self._leftovers = Leftovers(pool)
        self._duties = Duties(pool, secrets.token_hex(8))
        self._documents = documents
        self._feed = feed
        self._identity = identity
        self._task: asyncio.Task[None] | None = None

    async def block(self, document: UUID) -> DocumentRecord | None:
        """The block of a document's id."""
        return await self._documents.store.by_id(document)

    # -- trash --------------------------------------------------------------------------

    async def take_out(
        self, records: Sequence[DocumentRecord], principal: Principal
    ) -> list[Exception | None]:
        """Take blocks out of the trash, by editing their documents: None, or why not."""
        return await self._edit_all(records, blocks.restore(), principal)

    async def empty(
        self, records: Sequence[DocumentRecord], principal: Principal
    ) -> list[Exception | None]:
        """Delete blocks for good: their documents say so, are closed, and lose their content."""
        change = blocks.remove(time.time_ns() // 1_000_000)
        errors = await self._edit_all(records, change, principal)
        for record, error in zip(records, errors, strict=True):
            if error is None:
                await self.close(record.id)
        return errors

    async def _edit_all(
        self, records: Sequence[DocumentRecord], change: blocks.Change, principal: Principal
    ) -> list[Exception | None]:
        gate = asyncio.Semaphore(AT_ONCE_MAX)

        async def edit(record: DocumentRecord) -> None:
            async with gate:
                await self._documents.edit(
                    record, change, account=principal.account, device=principal.device
                )

        outcomes = await asyncio.gather(*map(edit, records), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, StorageError) or not isinstance(outcome, Exception | None):
                raise outcome
        for scope in {record.scope for record in records}:
            await self._feed.settle(scope)
        return [outcome if isinstance(outcome, Exception) else None for outcome in outcomes]

    async def close(self, document: UUID) -> None:
        """End every way into a document and remove what is in it."""
        store = self._documents.store
        await store.delete(document)
        self._documents.end(document, "deleted")
        with contextlib.suppress(UnknownDocument):
            self._identity.rights.forget(await store.purge(document))
        await self._leftovers.forget(document)

    # -- workspaces ---------------------------------------------------------------------

    async def set_deleted(self, scope: str, *, deleted: bool) -> bool:
        """Delete or restore a workspace: sockets close, the feed shows it. Whether it changed."""
        changed = await self._feed.changes.set_scope_deleted(
            scope, time.time_ns() // 1_000_000, deleted=deleted
        )
        # Others look within a second; here it holds with the answer.
        await self._identity.watch.look()
        return changed

    def restorable_since(self) -> datetime:
        """Workspaces that were deleted after this can be restored."""
        return datetime.now(UTC) - timedelta(seconds=self._documents.settings.workspace_restore_s)

    # -- in the background --------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow the feed and to clear away."""
        self.extracting.start()
        self._task = asyncio.get_running_loop().create_task(self._clear_on(), name="clear away")

    async def stop(self) -> None:
        """End both."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(StorageError):
            await self._duties.leave()
        await self.extracting.stop()

    async def clear(self) -> int:
        """Remove the content of what was deleted for good; how many documents lost it."""
        found = await self._leftovers.removed(CLEARED_MAX)
        if len(found) < CLEARED_MAX:
            found += await self._leftovers.of_ended_scopes(
                self.restorable_since(), CLEARED_MAX - len(found)
            )
        for document in found:
            await self.close(document)
        return len(found)

    async def _clear_on(self) -> None:
        while True:
            try:
                is_ours = await self._duties.take("clear away", 2 * CLEAR_S)
                cleared = CLEARED_MAX if is_ours else 0
                while cleared == CLEARED_MAX:
                    cleared = await self.clear()
            except (StorageError, Busy) as error:
                log.warning("content is cleared away later: %s", error)
            except Exception:
                # An outermost loop: a fault at one document must not end it.
                log.exception("content could not be cleared away")
            await asyncio.sleep(CLEAR_S)


CATALOGUE = web.AppKey("catalogue", Catalogue)
