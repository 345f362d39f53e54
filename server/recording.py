"""Which records changed in documents that hold collections, for the change feed.

A document in memory has a tracker, which hears of every change whoever made it. Where there is
none, or it missed something, the rows of the log since the last stamp are applied to the document
as it was then; and where even that is not possible, every record counts as changed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from crdt import tracking
from crdt.errors import DocumentBroken, UpdateError
from server.workers import WorkerDied
from storage.changes import Changed, Dirty, Projected, Settled
from storage.loading import Loaded, rows_of

if TYPE_CHECKING:
    from crdt.tracking import Item, Taken, Tracker
    from server.documents import Documents
    from server.projecting import Seen
    from storage.blocks import Blocks
    from storage.changes import Changes

log = logging.getLogger("plait.feed")


class Recording:
    """Reads what changed in collections; every method that waits may raise Unavailable."""

    def __init__(self, documents: Documents, store: Blocks, changes: Changes) -> None:
        self._documents = documents
        self._store = store
        self._changes = changes
        self._told: dict[UUID, tuple[Tracker, Taken, int]] = {}
        """What was handed out to be stamped."""

    def collections(self, kind: str) -> tuple[str, ...]:
        """The collections of such a document that the feed follows."""
        return self._documents.collections.get(kind, ())

    async def project(self, dirty: Sequence[Dirty], glances: Sequence[Seen]) -> list[Projected]:
        """What became of the records of each document; those in memory were glanced at."""
        if not dirty:
            return []
        marks = await self._changes.record_marks([one.document for one in dirty])
        seen = {glance.dirty.document: glance for glance in glances}
        found = []
        for one in dirty:
            glance, mark = seen.get(one.document), marks.get(one.document, (one.lineage, 0))
            projected = None
            if glance is not None:
                projected = self._from_memory(glance, mark)
            found.append(projected or await self._from_store(one, mark, glance))
        return found

    def _from_memory(self, glance: Seen, mark: tuple[int, int]) -> Projected | None:
        dirty, taken = glance.dirty, glance.taken
        if taken is None or taken.since is None or glance.sequence < dirty.head:
            return None
        if mark[0] != dirty.lineage or taken.since > mark[1]:
            return None
        self._hand_out(glance, glance.sequence)
        return self._projected(dirty, glance.sequence, taken.items)

    async def _from_store(
        self, dirty: Dirty, mark: tuple[int, int], glance: Seen | None
    ) -> Projected:
        """A document that cannot be read is stamped all the same: it must not hold up the feed."""
        loaded = (await self._store.load([dirty.document]))[dirty.document]
        if isinstance(loaded, Loaded):
            try:
                items, is_whole = await self._replayed(dirty, mark, loaded)
            except (UpdateError, DocumentBroken, WorkerDied) as error:
                log.warning("document %s cannot be read: %s", dirty.document, error)
            else:
                if glance is not None and 0 <= glance.sequence <= loaded.head:
                    self._hand_out(glance, loaded.head)
                return self._projected(dirty, loaded.head, items, is_whole=is_whole)
        else:
            log.warning("a changed document cannot be read: %s", loaded)
        return Projected(dirty=dirty, sequence=dirty.head, facts=None)

    async def _replayed(
        self, dirty: Dirty, mark: tuple[int, int], loaded: Loaded
    ) -> tuple[tuple[Item, ...], bool]:
        """What the rows above the mark changed; or all records, and that it is all of them."""
        collections = self.collections(dirty.kind)
        run = self._documents.workers.run
        if mark[0] == loaded.lineage and mark[1] >= loaded.snapshot_sequence:
            start = [] if loaded.snapshot is None else [loaded.snapshot]
            before = [row.data for row in loaded.rows if row.sequence <= mark[1]]
            rows = [row.data for row in loaded.rows if row.sequence > mark[1]]
            changed = await run(tracking.changed_by, [*start, *before], rows, collections)
            if changed is not None:
                return changed, False
        return await run(tracking.all_records, rows_of(loaded), collections), True

    def _projected(
        self, dirty: Dirty, sequence: int, items: Sequence[Item], *, is_whole: bool = False
    ) -> Projected:
        changed = Changed(items=items, collections=self.collections(dirty.kind), is_whole=is_whole)
        return Projected(dirty=dirty, sequence=sequence, facts=None, records=changed)

    # -- afterwards -----------------------------------------------------------------------

    def _hand_out(self, glance: Seen, sequence: int) -> None:
        tracker = glance.live_room.tracker
        if tracker is not None and glance.taken is not None:
            self._told[glance.dirty.document] = (tracker, glance.taken, sequence)

    def settled(self, settled: Sequence[Settled]) -> None:
        """These have their stamps: their trackers need not tell of it again."""
        for one in settled:
            told = self._told.pop(one.document, None)
            if told is not None:
                tracker, taken, sequence = told
                tracker.settled(taken, sequence)
