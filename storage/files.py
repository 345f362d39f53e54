"""Files of blocks: which blob a document has under which name, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from storage.blobs import books
from storage.blobs.books import Use
from storage.errors import reaching
from storage.extracts import storable
from storage.pool import Asked, Connection, Pool, transaction

KIND = "file"
"""The kind of use of a blob by a block; the holder is the id of its document."""


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a block."""

    id: str
    document: UUID
    hash: bytes
    size: int
    name: str
    mime_type: str
    width: int | None
    height: int | None
    duration_s: float | None
    author: str | None
    created_at: datetime
    announced: bool


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came."""

    id: str
    """Its id, unless the block has the file by now."""
    document: UUID
    hash: bytes
    size: int
    name: str
    mime_type: str
    author: str
    payer: str
    """The account in whose quota it counts."""


def _sql(text: str) -> str:
    return text.replace("RECORD", ", ".join(FileRecord.__struct_fields__))


_ADD = _sql("""
INSERT INTO files (id, document, hash, size, name, mime_type, author)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (document, hash) DO UPDATE SET size = excluded.size
RETURNING RECORD
""")
_FIND = _sql("SELECT RECORD FROM files WHERE document = $1 AND hash = $2")
_BY_ID = _sql("SELECT RECORD FROM files WHERE id = $1")
_OF = _sql(
    "SELECT RECORD FROM files WHERE document = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
)
_ANNOUNCED = "UPDATE files SET announced = true WHERE id = $1"
_UNANNOUNCED = _sql("""
SELECT RECORD FROM files WHERE NOT announced AND created_at < $1 ORDER BY created_at LIMIT $2
""")
_FORGET = "DELETE FROM files WHERE document = $1"

LISTED_MAX = 1000
"""Files of one block that are looked at."""


async def add(connection: Connection, new: NewFile, quota: int | None = None) -> FileRecord:
    """Give a block a file whose bytes were received; one that it has keeps its id and name.

    Inside a transaction. Raises UnknownBlob and QuotaExceeded.
    """
    use = Use(kind=KIND, holder=str(new.document), account=new.payer)
    await books.use(connection, new.hash, use, quota)
    row = await connection.fetchrow(
        _ADD,
        new.id,
        new.document,
        new.hash,
        new.size,
        storable(new.name),
        storable(new.mime_type),
        new.author,
    )
    assert row is not None
    return FileRecord(**row)


async def forget(asked: Asked, document: UUID) -> None:
    """A document lost its content for good: its files go with it."""
    await asked.execute(_FORGET, document)
    await books.release(asked, KIND, str(document))


class Files:
    """The files of all blocks. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, new: NewFile, quota: int | None = None) -> FileRecord:
        """`add` above, in a transaction of its own."""
        with reaching():
            async with transaction(self._pool) as connection:
                return await add(connection, new, quota)

    async def find(self, document: UUID, digest: bytes) -> FileRecord | None:
        """A block's file with these bytes."""
        with reaching():
            row = await self._pool.fetchrow(_FIND, document, digest)
        return None if row is None else FileRecord(**row)

    async def by_id(self, file: str) -> FileRecord | None:
        """The file with this id, whosever it is."""
        with reaching():
            row = await self._pool.fetchrow(_BY_ID, storable(file))
        return None if row is None else FileRecord(**row)

    async def of(self, document: UUID, limit: int = LISTED_MAX) -> list[FileRecord]:
        """The files of a block, the newest first."""
        with reaching():
            rows = await self._pool.fetch(_OF, document, limit)
        return [FileRecord(**row) for row in rows]

    async def announced(self, file: str) -> None:
        """The block's document says by now that the file is here."""
        with reaching():
            await self._pool.execute(_ANNOUNCED, file)

    async def unannounced(self, before: datetime, limit: int) -> Sequence[FileRecord]:
        """Files that came before a moment and of which their blocks know nothing yet."""
        with reaching():
            rows = await self._pool.fetch(_UNANNOUNCED, before, limit)
        return [FileRecord(**row) for row in rows]
