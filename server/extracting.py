"""Keeps up what readers ask without opening documents: the words, relations and files of blocks.

It follows the change feed, so it does not matter how an edit came in. What is settled is read soon,
and from then on once nobody has typed in it for a moment, or half a minute later: reading a
document anew for each second of typing cost as much as storing what was typed. Whoever asks
(`catch_up`) has everything read first that was committed before the question.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from crdt import projection
from crdt.errors import DocumentBroken, UpdateError
from crdt.projection import Projection
from server.batches import groups
from server.glancing import Glance, committed
from server.pace import Pace, until_next
from server.workers import WorkerDied
from storage.errors import LogBroken, StorageError, UnknownDocument
from storage.extracts import STAMP_MAX, Behind, Extract, Extracts
from storage.loading import Loaded, rows_of

if TYPE_CHECKING:
    from uuid import UUID

    from server.documents import Documents
    from server.feed import Feed
    from server.live import LiveRoom
    from storage.blocks import Block, Blocks
    from storage.changes import Settled

log = logging.getLogger("plait.extracts")

PAUSE_S = 1.0
"""Seconds between two readings of what changed."""
QUIET_S, QUIET_S_MAX = 1.0, 30.0
"""Seconds without news of a document, besides those between two sweeps, after which it is read;
and those between two readings of all that changed in its workspace, typed in or not."""
UNREAD_MAX = 2000
"""Changed documents of a workspace that may wait for a question: it reads them within a second."""
SCOPES_MAX = 1000
CHANGES_MAX = 500
"""Documents that are read between two writes."""
PROJECTED_INLINE_BYTES = 16 << 10
"""Bytes of a document above which a helper reads it: 200 kB of notes take 50 to 150 ms."""
ENCODED_INLINE_BYTES = 2 << 20
"""Bytes of a document above which it is not encoded here for that: 350 kB take a millisecond."""
_FILE_BYTES_MAX = 10**15  # What the files of one block can measure; peers write any number.


class _Look(Glance):
    """An open document as it is, and what it says unless that is for a helper to find out."""

    __slots__ = ("encoded", "projection")

    def __init__(self, live_room: LiveRoom) -> None:
        super().__init__(live_room)
        self.encoded = b""
        self.projection: Projection | None = None


class Due:
    """What was settled in a scope and is not read yet."""

    __slots__ = ("stamps", "whole_at")

    def __init__(self) -> None:
        self.whole_at = -QUIET_S_MAX
        """When all of it was read."""
        self.stamps: dict[UUID, int] = {}
        """The latest of each document, oldest first."""

    def note(self, document: UUID, stamp: int) -> None:
        """It was given a stamp."""
        self.stamps.pop(document, None)
        self.stamps[document] = stamp

    def end(self, now: float, quiet_s: float) -> int:
        """The stamp up to which it is to be read now; 0 where there is nothing to read."""
        stamps = self.stamps.values()
        if stamps and (now - self.whole_at >= QUIET_S_MAX or len(stamps) > UNREAD_MAX):
            self.whole_at = now
            return max(stamps)
        quiet = int((time.time() - quiet_s) * 1000)
        return quiet if stamps and next(iter(stamps)) <= quiet else 0

    def take(self, end: int) -> None:
        """It is read up to there."""
        self.stamps = {i: stamp for i, stamp in self.stamps.items() if stamp > end}


class Extracting:
    """Reads what changed. `read` is also for whoever wants one block's projection as it is now."""

    def __init__(
        self, feed: Feed, documents: Documents, blocks: Blocks, extracts: Extracts
    ) -> None:
        self._feed = feed
        self._documents = documents
        self._blocks = blocks
        self._extracts = extracts
        self._due: defaultdict[str, Due] = defaultdict(Due)
        self._news = asyncio.Event()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._task: asyncio.Task[None] | None = None
        self._end: Callable[[], None] | None = None

    # -- questions ----------------------------------------------------------------------

    async def catch_up(self, scope: str) -> None:
        """Read everything in a scope that is committed by now. Raises Unavailable."""
        await self._feed.settle(scope)
        await self._read_scope(scope)

    async def projection(self, block: Block) -> tuple[Projection, int]:
        """What a block says now, and the last row of its log of which that speaks.

        Raises Unavailable, LogBroken, UnknownDocument, UpdateError, DocumentBroken or WorkerDied.
        """
        look = self._look(block.record.id, block.size)
        if look is not None:
            await committed([look], self._documents.settings.commit_timeout_s)
            if look.encoded and look.sequence >= block.head:
                return await self._from_memory(look), look.sequence
        if block.size > PROJECTED_INLINE_BYTES:
            return await self._apart(block.record.id)
        loaded = (await self._blocks.load([block.record.id]))[block.record.id]
        if not isinstance(loaded, Loaded):
            raise loaded
        return projection.project_rows(rows_of(loaded)), loaded.head

    # -- reading ------------------------------------------------------------------------

    def _look(self, document: UUID, bytes_: int) -> _Look | None:
        """A look at it if it is open: a busy document's rows are many times what it is."""
        live = self._documents.peek(document)
        if live is None or not live.is_live or bytes_ > ENCODED_INLINE_BYTES:
            return None
        look = _Look(live)
        look.begin(self._documents.turns.clock)
        if live.is_live:
            try:
                look.encoded = live.room.document.encode()
                if len(look.encoded) <= PROJECTED_INLINE_BYTES:
                    look.projection = projection.project(live.room.document)
            except DocumentBroken:
                live.perform(live.room.reload([]))
        return look

    async def _from_memory(self, look: _Look) -> Projection:
        """What it says; raises UpdateError, DocumentBroken, or WorkerDied."""
        if look.projection is not None:
            return look.projection
        return await self._documents.workers.run(projection.project_rows, [look.encoded])

    async def _apart(self, document: UUID) -> tuple[Projection, int]:
        return await self._documents.workers.over(document, projection.project_rows)

    async def _read_scope(self, scope: str, end: int = STAMP_MAX) -> None:
        lock = self._locks.get(scope)
        if lock is None:
            lock = self._locks[scope] = asyncio.Lock()
        async with lock:
            while True:
                changes = await self._extracts.behind(scope, CHANGES_MAX, end)
                if not changes:
                    return
                wanted = [c for c in changes if not c.gone and not c.is_fresh and c.kind == "block"]
                extracts = await self._read(wanted)
                gone = [change.document for change in changes if change.gone]
                await self._extracts.write(scope, extracts, gone, changes[-1].stamp)
                if len(changes) < CHANGES_MAX:
                    return

    async def _read(self, changes: Sequence[Behind]) -> list[Extract]:
        """Those that cannot be read are left out: they must not hold up the others."""
        found: list[Extract] = []
        pace = Pace()
        for group in groups(changes):
            looks: dict[UUID, _Look] = {}
            for change in group:
                await pace.rest()
                look = self._look(change.document, change.snapshot_bytes)
                if look is not None:
                    looks[change.document] = look
            await committed(list(looks.values()), self._documents.settings.commit_timeout_s)
            # A room may be behind what other nodes wrote.
            heads = {change.document: change.head for change in group}
            seen = {i for i, look in looks.items() if look.encoded and look.sequence >= heads[i]}
            small = [
                change.document
                for change in group
                if change.document not in seen and change.size <= PROJECTED_INLINE_BYTES
            ]
            loaded = await self._blocks.load(small) if small else {}
            for change in group:
                await pace.rest()
                look = looks[change.document] if change.document in seen else None
                extract = await self._read_one(change, look, loaded.get(change.document))
                if extract is not None:
                    found.append(extract)
        return found

    async def _read_one(
        self, change: Behind, look: _Look | None, loaded: Loaded | StorageError | None
    ) -> Extract | None:
        """From what was seen of it in memory, what was loaded, or else by a helper."""
        try:
            if look is not None:
                return _extract(change, await self._from_memory(look), look.sequence)
            if loaded is None:
                return _extract(change, *await self._apart(change.document))
            if isinstance(loaded, Loaded):
                return _extract(change, projection.project_rows(rows_of(loaded)), loaded.head)
            log.warning("a changed block cannot be read: %s", loaded)
        except (UpdateError, DocumentBroken, LogBroken, UnknownDocument, WorkerDied) as error:
            log.warning("document %s cannot be read: %s", change.document, error)
        return None

    # -- in the background --------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow the feed; what was settled while nobody did is read first."""
        self._end = self._feed.listen(self._hear)
        self._task = asyncio.get_running_loop().create_task(self._follow(), name="read changes")

    async def stop(self) -> None:
        """End. What was not read will be, after the next start."""
        if self._end is not None:
            self._end()
            self._end = None
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _hear(self, settled: list[Settled]) -> None:
        for one in settled:
            self._due[one.scope].note(one.document, one.stamp)
        self._news.set()

    async def _follow(self) -> None:
        is_complete = False
        while True:
            try:
                if not is_complete:
                    await self._read_left_over()
                    is_complete = True
                await self._read_due()
            except StorageError as error:
                log.warning("changes are read later: %s", error)
                is_complete = False
            except Exception:
                # An outermost loop: a fault in one reading must not end the others.
                log.exception("changes could not be read")
            await asyncio.sleep(until_next(PAUSE_S, asyncio.get_running_loop().time()))
            if is_complete and not self._due:
                await self._news.wait()
            self._news.clear()

    async def _read_due(self) -> None:
        """Read what nobody types in any more, and what was typed in for long."""
        for scope, due in list(self._due.items()):
            if end := due.end(now := time.monotonic(), QUIET_S + self._feed.pause_s):
                due.take(end)
                await self._read_scope(scope, end)
            elif not due.stamps and now - due.whole_at >= QUIET_S_MAX:
                del self._due[scope]

    async def _read_left_over(self) -> None:
        """Read the scopes that were settled while nobody followed."""
        after = ""
        while True:
            scopes = await self._extracts.scopes_behind(after, SCOPES_MAX)
            for scope in scopes:
                await self._read_scope(scope)
            if len(scopes) < SCOPES_MAX:
                return
            after = scopes[-1]


def _extract(change: Behind, seen: Projection, sequence: int) -> Extract:
    return Extract(
        document=change.document,
        lineage=change.lineage,
        sequence=sequence,
        title=seen.title,
        body=seen.text,
        relations=[(r.kind, r.target, r.label) for r in seen.relations],
        files=len(seen.files),
        file_bytes=min(sum(file.size for file in seen.files), _FILE_BYTES_MAX),
    )
