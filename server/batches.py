"""Many documents at once: push into them, or read what peers are missing, in few round trips.

Updates go through the documents' rooms, so open editors see them at once and they are stored by the
same commits. Rooms that are not in memory are loaded together. A document that is large and not
open is not brought into this process for that: `server.large` works on it in a helper.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from aiohttp import web

from server.bringing import Bringer, Outcome, Piece, Tally
from server.errors import Busy
from server.large import Large
from server.pace import Pace
from storage.documents import DocumentRecord
from storage.loading import Loaded

if TYPE_CHECKING:
    from server.asked import Offer
    from server.documents import Documents
    from server.live import LiveRoom
    from storage.blocks import Block, Blocks

log = logging.getLogger("plait.batches")

GROUP_BYTES = 8 << 20
GROUP_DOCUMENTS = 500
"""So much is loaded with one question."""
_LOOK_EVERY = 8
"""Updates between two looks at the clock: small ones take 10 us."""


class Batches:
    """Pushes into many documents at once."""

    def __init__(self, documents: Documents, blocks: Blocks) -> None:
        self._documents = documents
        self._blocks = blocks
        self._large = Large(documents, blocks)
        self._warm: deque[LiveRoom] = deque()
        """Rooms that were opened for a push and are kept for the next one, oldest first."""

    async def push(
        self, offers: Sequence[Offer], *, account: str, device: str | None = None
    ) -> list[Outcome]:
        """Apply each update and commit it; what became of each, in their order.

        Raises Unavailable when the store cannot be read, and Busy when it cannot keep up.
        """
        documents, settings = self._documents, self._documents.settings
        if documents.flusher.unsaved_bytes > settings.unsaved_bytes_process_soft:
            raise Busy("the store cannot keep up")
        await self._open_rooms([one.block for one in offers if not self._is_large(one.block)])
        tally = Tally(len(offers))
        outcomes: list[Outcome] = []
        bringer = Bringer(documents, account, device)
        waiting: list[tuple[LiveRoom, Piece]] = []
        try:
            await self._give(offers, bringer, tally, outcomes, waiting)
            async with asyncio.timeout(settings.commit_timeout_s):
                await tally.none_left.wait()
        except TimeoutError:
            for outcome in outcomes:
                outcome.settle(Busy("the store does not answer"))
        finally:
            for live, piece in waiting:
                live.await_commit(piece, on=False)
        documents.metrics.updates_in += bringer.taken
        documents.metrics.acknowledged += bringer.taken
        self._cool_down()
        return outcomes

    def _is_large(self, block: Block) -> bool:
        """Whether the document is not in memory and would hold up the loop while it gets there."""
        size_max = self._documents.settings.costly_bytes
        return block.size > size_max and self._documents.peek(block.record.id) is None

    async def _give(
        self,
        offers: Sequence[Offer],
        bringer: Bringer,
        tally: Tally,
        outcomes: list[Outcome],
        waiting: list[tuple[LiveRoom, Piece]],
    ) -> None:
        """Bring each to its room, and those that are large to a helper process afterwards."""
        documents, size_max = self._documents, self._documents.settings.costly_bytes
        pace = Pace()
        large: list[tuple[Offer, Piece]] = []
        for place, offer in enumerate(offers):
            if not place % _LOOK_EVERY and pace.is_over:
                await pace.rest()
            block, outcome = offer.block, Outcome(tally)
            outcomes.append(outcome)
            live = documents.peek(block.record.id)
            if live is None and block.size > size_max:
                large.append((offer, Piece(bringer.account, bringer.device, outcome)))
                continue
            try:
                live = live or documents.room(block.record)
            except Busy as busy:
                outcome.settle(busy)
                continue
            piece = bringer.give(live, offer.update, outcome)
            if piece is not None:
                waiting.append((live, piece))
        for offer, piece in large:
            await self._large.push(offer.block, offer.update, piece)

    # -- rooms --------------------------------------------------------------------------

    async def _open_rooms(self, blocks: Sequence[Block]) -> None:
        """Bring those into memory that are not there."""
        documents = self._documents
        missing = {b.record.id: b for b in blocks if documents.peek(b.record.id) is None}
        new = [block for block in missing.values() if block.head == 0]
        old = [block for block in missing.values() if block.head > 0]
        pace = Pace()
        for block in new:
            await pace.rest()
            await self._open(block.record, _nothing(block.record))
        for group in groups(old):
            loaded = await self._blocks.load([block.record.id for block in group])
            pace.start()
            for block in group:
                await pace.rest()
                found = loaded[block.record.id]
                if isinstance(found, Loaded):
                    await self._open(block.record, found)

    async def _open(self, record: DocumentRecord, loaded: Loaded) -> None:
        documents = self._documents
        if documents.peek(record.id) is not None:
            return
        try:
            live = documents.empty_room(record)
        except Busy:
            return
        self._warm.append(live)
        await documents.opening.take(live, loaded)

    def _cool_down(self) -> None:
        """Keep a bounded number of rooms that nobody else needs."""
        while len(self._warm) > self._documents.settings.rooms_warm_max:
            live = self._warm.popleft()
            if live.is_live and live.room.idle and not live.inbox and not live.callers:
                self._documents.forget(live)


def turn_now(live: LiveRoom, now: float) -> None:
    """Let a room handle its inbox at once, not at the end of this turn of the loop."""
    try:
        live.turn(now)
    except Exception:
        # The outermost loop of this room: a fault in it is not the other documents'.
        log.exception("a room failed and is given up")
        live.failed()


class Sized(Protocol):
    """Something that is stored in so many bytes."""

    @property
    def size(self) -> int:
        """Bytes, from above."""


S = TypeVar("S", bound=Sized)


def groups(blocks: Sequence[S]) -> list[list[S]]:
    """Blocks in groups of a bounded size, each to be loaded with one question."""
    found: list[list[S]] = []
    size = 0
    for block in blocks:
        is_full = size + block.size > GROUP_BYTES or (found and len(found[-1]) >= GROUP_DOCUMENTS)
        if not found or is_full:
            found.append([])
            size = 0
        found[-1].append(block)
        size += block.size
    return found


def _nothing(record: DocumentRecord) -> Loaded:
    """A document that was just made."""
    return Loaded(
        snapshot=None,
        snapshot_sequence=0,
        rows=[],
        head=0,
        lineage=record.lineage,
        sync_version=record.sync_version,
        deleted=False,
        retired=frozenset(),
        tail_rows=0,
        tail_bytes=0,
    )


BATCHES = web.AppKey("batches", Batches)
