"""What changed blocks say of themselves, for the change feed: from memory, the store, or a helper.

Only what is committed counts. A document in memory may hold rows that are still on their way to the
store: what is read from it is used once the commit of all of them is known, as of the sequence that
the room had reached by then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crdt import blocks
from crdt.document import Document
from crdt.errors import DocumentBroken, UpdateError
from crdt.events import EDIT
from server.batches import Tally, groups, turn_now
from server.large import Large, rows_of
from server.member import Member
from server.pace import Pace
from server.reading import is_committed
from server.recording import Recording
from server.workers import WorkerDied
from storage.changes import Dirty, Projected
from storage.loading import Loaded

if TYPE_CHECKING:
    from crdt.tracking import Taken
    from server.documents import Documents
    from server.live import LiveRoom
    from storage.blocks import Blocks
    from storage.changes import Changes, Settled

log = logging.getLogger("plait.feed")

KIND = "block"
"""Of documents of other kinds only the collections that the feed follows are looked at."""


class Glance(Member):
    """A look at a document in memory, and the commit on which it waits."""

    __slots__ = ("dirty", "facts", "is_over", "live_room", "sequence", "taken", "tally")

    def __init__(self, live_room: LiveRoom, dirty: Dirty) -> None:
        super().__init__("", can_write=False, greets=False, outbox=None)
        self.live_room = live_room
        self.dirty = dirty
        self.facts: blocks.Facts | None = None
        self.taken: Taken | None = None
        """Of a document with collections: which of its records changed."""
        self.sequence = -1
        """The last row of which the facts speak; -1 where that was never known."""
        self.is_over = False
        self.tally: Tally | None = None

    def acknowledged(self, body: bytes, *, ok: bool) -> None:
        """All that the document held when it was looked at is stored, up to the room's head."""
        del body
        self.over(self.live_room.head if ok else -1)

    def refused(self, reason: str) -> None:
        """The document broke; it is read from the store."""

    def dismissed(self, reason: str) -> None:
        """The room ended; the document is read from the store."""
        del reason
        self.over(-1)

    def over(self, sequence: int) -> None:
        """What was seen holds up to this row of the log."""
        if not self.is_over:
            self.is_over, self.sequence = True, sequence
            if self.tally is not None:
                self.tally.one_less()


class Projecting:
    """Reads changed blocks."""

    def __init__(self, documents: Documents, store: Blocks, changes: Changes) -> None:
        self._documents = documents
        self._store = store
        self._large = Large(documents, store)
        self._recording = Recording(documents, store, changes)
        self.worked_s = 0.0
        """Seconds of this process that went into it."""

    async def project(self, dirty: Sequence[Dirty]) -> list[Projected]:
        """What the committed rows of each document say. Raises Unavailable."""
        open_ = [one for one in dirty if not one.deleted]
        written = [one for one in open_ if one.kind == KIND]
        collected = [one for one in open_ if self._recording.collections(one.kind)]
        known = {one.document for one in (*written, *collected)}
        found = [_without(one) for one in dirty if one.document not in known]
        pace = Pace()
        try:
            glances = await self._glances([*written, *collected], pace)
            found += (seen := _seen(glances))
            in_memory = {one.dirty.document for one in seen}
            found += await self._from_store(
                [one for one in written if one.document not in in_memory], pace
            )
            found += await self._recording.project(collected, glances)
        finally:
            self.worked_s += pace.worked_s
        return found

    def settled(self, settled: Sequence[Settled]) -> None:
        """These have their stamps."""
        self._recording.settled(settled)

    # -- memory -------------------------------------------------------------------------

    async def _glances(self, dirty: Sequence[Dirty], pace: Pace) -> list[Glance]:
        """A look at each that is in memory, with the commit of all that was seen."""
        glances: list[Glance] = []
        for one in dirty:
            live = self._documents.peek(one.document)
            if live is not None and live.is_live:
                glances.append(self._glance(one, live))
                await pace.rest()
        pace.stop()
        await self._committed([glance for glance in glances if not glance.is_over])
        pace.start()
        return glances

    def _glance(self, dirty: Dirty, live: LiveRoom) -> Glance:
        """Look now, and let the room say when all that was seen is stored."""
        glance = Glance(live, dirty)
        if is_committed(live):
            glance.over(live.head)
        else:
            live.callers.add(glance)
            live.put(glance, EDIT, _nothing, b"")
            turn_now(live, self._documents.turns.clock())
        if live.is_live:
            try:
                if dirty.kind == KIND:
                    glance.facts = blocks.read(live.room.document)
                elif live.tracker is not None:
                    glance.taken = live.tracker.take(live.room.document)
            except DocumentBroken:
                live.perform(live.room.reload([]))
        return glance

    async def _committed(self, glances: list[Glance]) -> None:
        """Wait until each is over."""
        tally = Tally(len(glances))
        for glance in glances:
            glance.tally = tally
        try:
            async with asyncio.timeout(self._documents.settings.commit_timeout_s):
                await tally.none_left.wait()
        except TimeoutError:
            log.warning("changes wait for commits that do not come")
        finally:
            for glance in glances:
                glance.live_room.callers.discard(glance)

    # -- the store ----------------------------------------------------------------------

    async def _from_store(self, dirty: Sequence[Dirty], pace: Pace) -> list[Projected]:
        found = []
        for group in groups(dirty):
            pace.stop()
            loaded = await self._store.load([one.document for one in group])
            pace.start()
            for one in group:
                found.append(await self._read(one, loaded[one.document]))
                await pace.rest()
        pace.stop()
        return found

    async def _read(self, dirty: Dirty, loaded: object) -> Projected:
        """A document that cannot be read is stamped all the same: it must not hold up the feed."""
        if not isinstance(loaded, Loaded):
            log.warning("a changed block cannot be read: %s", loaded)
            return _without(dirty)
        facts = None
        if not loaded.deleted:
            try:
                if dirty.size > self._documents.settings.costly_bytes:
                    facts = await self._large.facts(loaded)
                else:
                    facts = blocks.read(Document.rebuild(rows_of(loaded)))
            except (UpdateError, DocumentBroken, WorkerDied) as error:
                log.warning("document %s cannot be read: %s", dirty.document, error)
        return Projected(dirty=dirty, sequence=loaded.head, facts=facts)


def _seen(glances: Sequence[Glance]) -> list[Projected]:
    """The blocks of which all that was seen is stored by now."""
    return [
        Projected(dirty=glance.dirty, sequence=glance.sequence, facts=glance.facts)
        for glance in glances
        if glance.facts is not None and glance.sequence >= glance.dirty.head
    ]


def _without(dirty: Dirty) -> Projected:
    """Stamped, and nothing is known of it."""
    return Projected(dirty=dirty, sequence=dirty.head, facts=None)


def _nothing(document: object) -> None:
    """A change that changes nothing: it is answered when everything before it is stored."""
