"""What changed blocks say of themselves, for the change feed: from memory, the store, or a helper.

Only what is committed counts. A document in memory may hold rows that are still on their way to the
store: what is read from it is used once the commit of all of them is known, as of the sequence that
the room had reached by then.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crdt import blocks
from crdt.document import Document
from crdt.errors import CrdtError, DocumentBroken, UpdateError
from server.batches import groups
from server.glancing import Glance, committed
from server.large import facts_of
from server.pace import Pace
from server.recording import Recording
from server.workers import WorkerDied
from storage.changes import Dirty, Projected
from storage.errors import LogBroken, StorageError, UnknownDocument
from storage.loading import Loaded, rows_of

if TYPE_CHECKING:
    from crdt.tracking import Taken
    from server.documents import Documents
    from server.live import LiveRoom
    from storage.blocks import Blocks
    from storage.changes import Changes, Settled

log = logging.getLogger("plait.feed")

KIND = "block"
"""Of documents of other kinds only the collections that the feed follows are looked at."""


class Seen(Glance):
    """What a document in memory says of itself."""

    __slots__ = ("dirty", "facts", "taken")

    def __init__(self, live_room: LiveRoom, dirty: Dirty) -> None:
        super().__init__(live_room)
        self.dirty = dirty
        self.facts: blocks.Facts | None = None
        self.taken: Taken | None = None
        """Of a document with collections: which of its records changed."""


class Projecting:
    """Reads changed blocks."""

    def __init__(self, documents: Documents, store: Blocks, changes: Changes) -> None:
        self._documents = documents
        self._store = store
        self._recording = Recording(documents, store, changes)

    async def project(self, dirty: Sequence[Dirty]) -> list[Projected]:
        """What the committed rows of each document say. Raises Unavailable."""
        open_ = [one for one in dirty if not one.deleted]
        written = [one for one in open_ if one.kind == KIND]
        collected = [one for one in open_ if self._recording.collections(one.kind)]
        known = {one.document for one in (*written, *collected)}
        found = [_without(one) for one in dirty if one.document not in known]
        pace = Pace()
        glances = await self._glances([*written, *collected], pace)
        found += (seen := _seen(glances))
        in_memory = {one.dirty.document for one in seen}
        unseen = [one for one in written if one.document not in in_memory]
        found += await self._from_store(unseen, pace)
        found += await self._recording.project(collected, glances)
        return found

    def settled(self, settled: Sequence[Settled]) -> None:
        """These have their stamps."""
        self._recording.settled(settled)

    # -- memory -------------------------------------------------------------------------

    async def _glances(self, dirty: Sequence[Dirty], pace: Pace) -> list[Seen]:
        """A look at each that is in memory, with the commit of all that was seen."""
        glances: list[Seen] = []
        for one in dirty:
            live = self._documents.peek(one.document)
            if live is not None and live.is_live:
                glances.append(self._glance(one, live))
                await pace.rest()
        await committed(glances, self._documents.settings.commit_timeout_s)
        pace.start()
        return glances

    def _glance(self, dirty: Dirty, live: LiveRoom) -> Seen:
        """Look now, and let the room say when all that was seen is stored."""
        glance = Seen(live, dirty)
        glance.begin(self._documents.turns.clock)
        if live.is_live:
            try:
                if dirty.kind == KIND:
                    glance.facts = blocks.read(live.room.document)
                elif live.tracker is not None:
                    glance.taken = live.tracker.take(live.room.document)
            except DocumentBroken:
                live.perform(live.room.reload([]))
        return glance

    # -- the store ----------------------------------------------------------------------

    async def _from_store(self, dirty: Sequence[Dirty], pace: Pace) -> list[Projected]:
        found = []
        costly = self._documents.settings.costly_bytes
        for group in groups([one for one in dirty if one.size <= costly]):
            loaded = await self._store.load([one.document for one in group])
            pace.start()
            for one in group:
                found.append(_read(one, loaded[one.document]))
                await pace.rest()
        found += [await self._read_apart(one) for one in dirty if one.size > costly]
        return found

    async def _read_apart(self, dirty: Dirty) -> Projected:
        """A large document: a helper reads it."""
        try:
            facts, head = await self._documents.workers.over(dirty.document, facts_of)
        except (LogBroken, UnknownDocument, CrdtError, WorkerDied) as error:
            log.warning("document %s cannot be read: %s", dirty.document, error)
            return _without(dirty)
        return Projected(dirty=dirty, sequence=head, facts=facts)


def _read(dirty: Dirty, loaded: Loaded | StorageError) -> Projected:
    """A document that cannot be read is stamped all the same: it must not hold up the feed."""
    if not isinstance(loaded, Loaded):
        log.warning("a changed block cannot be read: %s", loaded)
        return _without(dirty)
    facts = None
    if not loaded.deleted:
        try:
            facts = blocks.read(Document.rebuild(rows_of(loaded)))
        except (UpdateError, DocumentBroken) as error:
            log.warning("document %s cannot be read: %s", dirty.document, error)
    return Projected(dirty=dirty, sequence=loaded.head, facts=facts)


def _seen(glances: Sequence[Seen]) -> list[Projected]:
    """The blocks of which all that was seen is stored by now."""
    return [
        Projected(dirty=glance.dirty, sequence=glance.sequence, facts=glance.facts)
        for glance in glances
        if glance.facts is not None and glance.sequence >= glance.dirty.head
    ]


def _without(dirty: Dirty) -> Projected:
    """Stamped, and nothing is known of it."""
    return Projected(dirty=dirty, sequence=dirty.head, facts=None)
