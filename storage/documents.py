"""Documents: find, create, load, delete, and what is to be known about them.

The flusher (`storage.log`) alone appends to a log; everything else about a document happens here.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from sys import intern
from uuid import UUID

import msgspec
from asyncpg import Record

from crdt.ids import is_global_id
from storage import lineage, loading, quarantine
from storage.errors import NameTaken, UnknownDocument, reaching
from storage.loading import Loaded, LogRow
from storage.pool import Connection, Pool, transaction

__all__ = ["DocumentRecord", "Documents", "Loaded", "LogRow", "Sizes"]


class DocumentRecord(msgspec.Struct, frozen=True, gc=False):
    """What a document is called and whose it is; not what is in it."""

    id: UUID
    scope: str
    kind: str
    name: str
    global_id: str | None
    owner: str | None
    lineage: int
    sync_version: int
    created_at: datetime
    deleted_at: datetime | None
    purged_at: datetime | None

    @property
    def deleted(self) -> bool:
        """In the trash, or purged."""
        return self.deleted_at is not None


class Sizes(msgspec.Struct, frozen=True):
    """Bytes that one document takes, before the database's own overhead."""

    snapshot: int
    tail: int
    """Rows above the snapshot: what a load reads beside it."""
    log: int
    """All stored rows."""
    history: int
    rows: int


def _sql(text: str) -> str:
    """Write the columns of a record where the text says RECORD."""
    return text.replace("RECORD", ", ".join(DocumentRecord.__struct_fields__))


_RESOLVE = _sql("SELECT RECORD FROM documents WHERE scope = $1 AND name = $2 AND purged_at IS NULL")
_BY_GLOBAL_ID = _sql("SELECT RECORD FROM documents WHERE global_id = $1")
_BY_ID = _sql("SELECT RECORD FROM documents WHERE id = $1")
_LIST = _sql("""
SELECT RECORD FROM documents WHERE scope = $1 AND purged_at IS NULL AND id > $2
ORDER BY id LIMIT $3
""")
_CREATE = _sql("""
WITH made AS (
    INSERT INTO documents (id, scope, kind, name, global_id, owner) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING RETURNING *
), head AS (
    INSERT INTO heads (document, scope) SELECT id, scope FROM made
)
SELECT RECORD FROM made
""")
_NEW_LINEAGE = _sql("""
UPDATE documents SET lineage = $2, sync_version = sync_version + 1 WHERE id = $1 RETURNING RECORD
""")
_HEADS = "SELECT document, head, lineage, deleted FROM heads WHERE document = ANY ($1)"
_SIZES = """
SELECT coalesce((SELECT octet_length(data) FROM snapshots WHERE document = $1), 0), h.log_bytes,
       (SELECT coalesce(sum(octet_length(data)), 0)::bigint FROM updates WHERE document = $1),
       (SELECT coalesce(sum(octet_length(data)), 0)::bigint FROM history WHERE document = $1),
       (SELECT count(*) FROM updates WHERE document = $1)
FROM heads h WHERE h.document = $1
"""
# Lock order: scope, then head; documents rows are only changed under the head's lock.
_TOUCH_SCOPE = """
UPDATE scopes SET rights_version = rights_version + 1
WHERE id = (SELECT scope FROM documents WHERE id = $1)
"""
_SET_DELETED = "UPDATE heads SET deleted = $2, dirty = true WHERE document = $1"
_DELETE = _sql("""
UPDATE documents SET deleted_at = coalesce(deleted_at, now()) WHERE id = $1 RETURNING RECORD
""")
_RESTORE = _sql("""
UPDATE documents SET deleted_at = NULL WHERE id = $1 AND purged_at IS NULL RETURNING RECORD
""")
_REMOVE = (
    "DELETE FROM snapshots WHERE document = $1",
    "DELETE FROM updates WHERE document = $1",
    "DELETE FROM history WHERE document = $1",
    "DELETE FROM quarantine WHERE document = $1",
    "DELETE FROM retired_lineages WHERE document = $1",
)
_EMPTY_HEAD = """
UPDATE heads SET snapshot_sequence = head, snapshot_bytes = 0, log_bytes = 0, dirty = true
WHERE document = $1
"""
_PURGE = _sql("""
UPDATE documents SET purged_at = coalesce(purged_at, now())
WHERE id = $1 AND deleted_at IS NOT NULL RETURNING RECORD
""")


def _read(row: Record) -> DocumentRecord:
    """A row of RECORD; the few scopes, kinds and owners are the same texts in all records."""
    id_, scope, kind, name, global_id, owner, *rest = row
    owner = None if owner is None else intern(owner)
    return DocumentRecord(id_, intern(scope), intern(kind), name, global_id, owner, *rest)


class Documents:
    """Everything about documents but appending. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    # -- names --------------------------------------------------------------------------

    async def resolve(self, scope: str, name: str) -> DocumentRecord | None:
        """The document of that name in a scope, also one in the trash; None if there is none."""
        return await self._record(_RESOLVE, scope, name)

    async def by_global_id(self, name: str) -> DocumentRecord | None:
        """The document with this global id wherever it is, also one that was purged."""
        return await self._record(_BY_GLOBAL_ID, global_form(name))

    async def by_id(self, document: UUID) -> DocumentRecord | None:
        """The document of this id, also one that was purged."""
        return await self._record(_BY_ID, document)

    async def create(
        self, scope: str, name: str, owner: str | None, kind: str = "block"
    ) -> DocumentRecord:
        """Make a document, or answer the one that has this name in this scope already.

        However many callers race, one document is made. What is answered may be in the trash.
        Raises NameTaken for a global id that is another scope's, or was purged.
        """
        global_id = global_form(name) if is_global_id(name) else None
        while True:
            made = await self._record(_CREATE, make_id(), scope, kind, name, global_id, owner)
            if made is None:
                made = await self.resolve(scope, name)
            if made is not None:
                return made
            if global_id is not None and await self.by_global_id(name) is not None:
                raise NameTaken(name)
            # The one that was in the way was purged between the two questions.

    async def in_scope(
        self, scope: str, after: UUID | None = None, limit: int = 1000
    ) -> list[DocumentRecord]:
        """Documents of a scope in order of their ids (oldest first), those in the trash too."""
        with reaching():
            rows = await self._pool.fetch(_LIST, scope, after or UUID(int=0), limit)
        return [_read(row) for row in rows]

    async def sizes(self, document: UUID) -> Sizes:
        """What a document takes. Raises UnknownDocument."""
        with reaching():
            row = await self._pool.fetchrow(_SIZES, document)
        if row is None:
            raise UnknownDocument(document)
        return Sizes(*row)

    # -- reading ------------------------------------------------------------------------

    async def load(self, document: UUID) -> Loaded:
        """The whole document. Raises UnknownDocument or LogBroken; an error is never empty."""
        return await loading.load(self._pool, document)

    async def heads(self, documents: Sequence[UUID]) -> dict[UUID, tuple[int, int, bool]]:
        """Of each document: its last sequence, its lineage, and whether it is deleted."""
        with reaching():
            rows = await self._pool.fetch(_HEADS, list(documents))
        return {row["document"]: (row["head"], row["lineage"], row["deleted"]) for row in rows}

    async def rows_after(self, document: UUID, sequence: int, limit: int = 4096) -> list[LogRow]:
        """Up to `limit` rows above a sequence. Raises LogBroken where they were thinned away."""
        return await loading.rows_after(self._pool, document, sequence, limit)

    # -- life and death -----------------------------------------------------------------

    async def delete(self, document: UUID) -> DocumentRecord:
        """Put a document into the trash; from this commit on every append to it is fenced.

        Its scope's rights version moves, so that nodes which have it open look. Idempotent.
        """
        return await self._mark(document, _DELETE, deleted=True)

    async def restore(self, document: UUID) -> DocumentRecord:
        """Take a document out of the trash. Raises UnknownDocument if it was purged."""
        return await self._mark(document, _RESTORE, deleted=False)

    async def purge(self, document: UUID) -> DocumentRecord:
        """Remove the content of a document in the trash for good; its id stays known as deleted.

        A global id stays taken, a plain name becomes free. Raises UnknownDocument if the document
        is not in the trash.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                # Snapshots before heads, as compaction does it.
                for sql in _REMOVE:
                    await connection.execute(sql, document)
                await connection.execute(_EMPTY_HEAD, document)
                return await _one(connection, _PURGE, document)

    async def replace(self, document: UUID, update: bytes, author: str | None) -> DocumentRecord:
        """Start a new lineage whose whole content is `update`; sessions of the old one are fenced.

        Prefer a new document: every client must reset. The old lineage's state vector is kept, so
        that what still comes from it can be told apart.
        """
        loaded = await self.load(document)
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(_TOUCH_SCOPE, document)
                number = await lineage.replace(connection, document, loaded, update, author)
                return await _one(connection, _NEW_LINEAGE, document, number)

    # -- what is wrong ------------------------------------------------------------------

    async def quarantine_row(self, document: UUID, sequence: int, reason: str) -> None:
        """Set a stored row aside that breaks the document; its sequence stays, empty.

        Sequence 0 is the snapshot: it is set aside too, and the log is read from its start again.
        Raises LogBroken when parts of that log live in merged history only.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                await quarantine.set_row_aside(connection, document, sequence, reason)

    async def quarantine_update(
        self, document: UUID, update: bytes, reason: str, author: str | None, device: str | None
    ) -> None:
        """Keep an update on record that was refused because it broke the document in memory."""
        with reaching():
            async with transaction(self._pool) as connection:
                await quarantine.keep_update(
                    connection, document, update, reason=reason, author=author, device=device
                )

    # -- in common ----------------------------------------------------------------------

    async def _record(self, sql: str, *arguments: object) -> DocumentRecord | None:
        with reaching():
            row = await self._pool.fetchrow(sql, *arguments)
        return None if row is None else _read(row)

    async def _mark(self, document: UUID, sql: str, *, deleted: bool) -> DocumentRecord:
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(_TOUCH_SCOPE, document)
                await connection.execute(_SET_DELETED, document, deleted)
                return await _one(connection, sql, document)


async def _one(connection: Connection, sql: str, document: UUID, *more: object) -> DocumentRecord:
    row = await connection.fetchrow(sql, document, *more)
    if row is None:
        raise UnknownDocument(document)  # Rolls the transaction back.
    return _read(row)


def global_form(name: str) -> str:
    """The one spelling of a global id by which it is unique: ids are not case-sensitive."""
    return name.upper()


def make_id() -> UUID:
    """Make a document id that grows with time (UUID version 7).

    So the rows of new documents are near one another in every index that starts with the document.
    """
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    return UUID(int=number & ~(0x3 << 62) | 0x2 << 62)
