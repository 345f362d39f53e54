"""Old versions of a block: found by sequence or time, read, compared, named and restored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from crdt.document import Document
from crdt.projection import Projection, project
from crdt.restoring import restoration_of, roots_of_rows
from server.adapters.heaps import mapping_blocks as mapping
from server.adapters.heaps import schema_blocks as schema
from server.catalogue import CATALOGUE
from server.documents import DOCUMENTS
from server.errors import Busy, NotFound
from server.extracting import PROJECTED_INLINE_BYTES
from server.workers import WorkerDied
from storage import history
from storage.versions import Named

if TYPE_CHECKING:
    from aiohttp import web

    from auth.principal import Principal
    from storage.blocks import Block

COMPARED_INLINE = 10_000
"""Characters of two texts together that are compared on the event loop."""


class At(msgspec.Struct, frozen=True):
    """A version that is there."""

    sequence: int
    written_at: datetime


class Versioning:
    """What the routes of `history` share. Every method may raise Unavailable."""

    def __init__(self, app: web.Application) -> None:
        self._documents = app[DOCUMENTS]
        self._versions = app[CATALOGUE].versions

    async def find(self, block: Block, point: schema.Point) -> At:
        """The version that a request means.

        Raises NotFound where the block is younger, or has no edit of that sequence yet.
        """
        if point.sequence is not None and point.sequence > block.head:
            raise NotFound
        moment: datetime | int = point.sequence or 1 << 62
        if point.sequence is None and point.at is not None:
            moment = datetime.fromtimestamp(point.at / 1000, UTC)
        found = await self._versions.at(block.record.id, moment)
        if found is None:
            raise NotFound
        return At(*found)

    async def read(self, block: Block, at: At) -> tuple[Projection, bytes]:
        """What a version says, and the whole of it as one update."""
        rows = await self._rows(block, at)
        try:
            if sum(map(len, rows)) > PROJECTED_INLINE_BYTES:
                return await self._documents.workers.run(read_rows, rows)
            return read_rows(rows)
        except WorkerDied:
            raise Busy("the version is too large to be shown") from None

    async def compare(self, old: str, new: str) -> list[schema.Difference]:
        """What came and went between two texts."""
        if len(old) + len(new) <= COMPARED_INLINE:
            return mapping.difference(old, new)
        try:
            return await self._documents.workers.run(mapping.difference, old, new)
        except WorkerDied:
            raise Busy("the versions are too large to be compared") from None

    async def name(self, block: Block, at: At, name: str, account: str) -> bool:
        """Give a version a name and keep a copy of it; whether there was room."""
        _, ydoc = await self.read(block, at)
        version = Named(
            sequence=at.sequence,
            name=name.replace("\0", " "),
            author=account,
            at=at.written_at,
            named_at=datetime.now(UTC),
        )
        return await self._versions.name(block.record.id, version, ydoc)

    async def restore(self, block: Block, at: At, principal: Principal) -> None:
        """Make the block say again what it said; open editors see it as an edit.

        Raises what `Documents.edit` raises, and UpdateError for a document nested too deeply.
        """
        rows = await self._rows(block, at)
        if sum(map(len, rows)) > PROJECTED_INLINE_BYTES:
            try:
                roots = await self._documents.workers.run(roots_of_rows, rows)
            except WorkerDied:
                raise Busy("the version is too large to be restored") from None
        else:
            roots = roots_of_rows(rows)
        change = restoration_of(roots)
        await self._documents.edit(
            block.record, change, account=principal.account, device=principal.device
        )

    async def _rows(self, block: Block, at: At) -> list[bytes]:
        copy = await self._versions.copy(block.record.id, at.sequence)
        if copy is not None:
            return [copy]
        return await history.read_version(self._versions.pool, block.record.id, at.sequence)


def read_rows(rows: list[bytes]) -> tuple[Projection, bytes]:
    """A version from its rows; also called in a helper process."""
    document = Document.rebuild(rows)
    return project(document), document.encode()
