"""What peers are missing of many documents, read from committed rows only.

A peer that is up to date costs nothing but its row in the index of blocks: equal state vectors are
answered with the stored deletions, because those do not move a state vector. For others the
document in memory is asked if all it holds is committed, and otherwise the stored one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from aiohttp import web

from crdt.document import Document, decode_state_vector
from crdt.errors import DocumentBroken, UpdateError
from server.asked import Reading, Unread, Want
from server.batches import groups
from server.large import Large, difference_of
from server.pace import Pace
from server.workers import WorkerDied
from storage.loading import Loaded, rows_of

if TYPE_CHECKING:
    from server.documents import Documents
    from server.live import LiveRoom
    from storage.blocks import Blocks

log = logging.getLogger("plait.reading")


class Readings:
    """Reads many blocks at once."""

    def __init__(self, documents: Documents, blocks: Blocks) -> None:
        self._documents = documents
        self._blocks = blocks
        self._large = Large(documents, blocks)

    async def read(self, wants: Sequence[Want], bytes_max: int) -> list[Reading | Unread]:
        """What each reader is missing, in their order, until `bytes_max` bytes are together.

        Raises Unavailable when the store cannot be read.
        """
        found: list[Reading | Unread | None] = [None] * len(wants)
        left: dict[UUID, list[int]] = {}
        room = _Room(bytes_max)
        pace = Pace()
        for place, want in enumerate(wants):
            reading = None
            if room.is_left:
                reading = _unchanged(want)
                if reading is None:
                    if pace.is_over:
                        await pace.rest()
                    reading = self._from_memory(want)
                found[place] = reading
                room.take(reading)
            if reading is None:
                left.setdefault(want.block.record.id, []).append(place)
        for group in groups([wants[places[0]].block for places in left.values()]):
            if not room.is_left:
                break
            loaded = await self._blocks.load([block.record.id for block in group])
            pace.start()
            for place in (place for block in group for place in left[block.record.id]):
                await pace.rest()
                if room.is_left:
                    document = wants[place].block.record.id
                    found[place] = await self._from_store(wants[place], loaded[document])
                    room.take(found[place])
        return [reading or Unread("later") for reading in found]

    def _from_memory(self, want: Want) -> Reading | None:
        live = self._documents.peek(want.block.record.id)
        if live is None or not is_committed(live) or live.head < want.block.head:
            return None
        try:
            found = difference_of(
                live.room.document,
                None if want.whole else want.state_vector,
                live.room.syncs.retired,
            )
        except DocumentBroken:
            live.perform(live.room.reload([]))
            return None
        return _reading(found, live.record.sync_version)

    async def _from_store(self, want: Want, loaded: object) -> Reading | Unread:
        if not isinstance(loaded, Loaded):
            log.warning("a block cannot be read: %s", loaded)
            return Unread("unavailable")
        if loaded.deleted:
            return Unread("deleted")
        vector = None if want.whole else want.state_vector
        try:
            if want.block.size > self._documents.settings.costly_bytes:
                found = await self._large.difference(loaded, vector)
            else:
                document = Document.rebuild(rows_of(loaded))
                found = difference_of(document, vector, loaded.retired)
        except (UpdateError, DocumentBroken, WorkerDied) as error:
            log.warning("document %s cannot be read: %s", want.block.record.id, error)
            return Unread("unavailable")
        return _reading(found, loaded.sync_version)


def is_committed(live: LiveRoom) -> bool:
    """Whether all that the document in memory holds is stored."""
    return live.is_live and not live.room.uncommitted


def _unchanged(want: Want) -> Reading | None:
    """The answer for somebody who has everything that was known of a fresh block."""
    block, has = want.block, want.state_vector
    known = block.known
    if want.whole or want.is_written or not has or known is None or not block.is_fresh:
        return None
    vector, deletions = known.state_vector, known.delete_only
    if vector is None or deletions is None or not (has == vector or _equal(has, vector)):
        return None
    return Reading(vector, deletions, False, block.record.sync_version)  # noqa: FBT003 - in order


def _reading(found: tuple[bytes, bytes, bool], sync_version: int) -> Reading:
    return Reading(*found, sync_version)


def _equal(one: bytes, other: bytes) -> bool:
    """Whether two state vectors say the same; each implementation has its own order."""
    if one == other:
        return True
    return len(one) == len(other) and decode_state_vector(one) == decode_state_vector(other)


class _Room:
    """How much more fits into a reply; the first reading always does."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes = bytes_max

    @property
    def is_left(self) -> bool:
        """Whether another reading may be added."""
        return self._bytes > 0

    def take(self, reading: Reading | Unread | None) -> None:
        """Count one that was added."""
        if isinstance(reading, Reading):
            self._bytes -= len(reading.update) + len(reading.state_vector)


READINGS = web.AppKey("readings", Readings)
