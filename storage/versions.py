"""Versions of a document with their bytes, and the versions that people gave a name.

`history` says which versions there are. A named version is a whole copy, because the thinning of
the history would otherwise take it away.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from storage.errors import reaching
from storage.loading import pack, unpack
from storage.pool import Pool

NAMED_MAX = 100
"""Named versions of one document."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One stored stretch of a document's log: what came, when, and from whom."""

    first: int
    last: int
    at: datetime
    authors: list[str]
    device: str | None
    update: bytes


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A version with a name."""

    sequence: int
    name: str
    author: str
    at: datetime
    """When the version was written; `named_at`: when it got its name."""
    named_at: datetime


_CHANGES = """
WITH page AS (
    (SELECT sequence AS first, sequence AS last, at, array_remove(ARRAY[author], NULL) AS authors,
            device, 0::smallint AS encoding, data
     FROM updates WHERE document = $1 AND sequence < $2 AND data <> ''
     ORDER BY sequence DESC LIMIT $3)
    UNION ALL
    (SELECT first, last, at, authors, NULL, encoding, data FROM history
     WHERE document = $1 AND last < $2 ORDER BY last DESC LIMIT $3)
), sized AS (
    SELECT *, sum(octet_length(data)) OVER (ORDER BY last DESC) AS bytes,
           row_number() OVER (ORDER BY last DESC) AS place
    FROM page
)
SELECT first, last, at, authors, device, encoding, data FROM sized
WHERE place <= $3 AND (bytes <= $4 OR place = 1) ORDER BY last DESC
"""
_AT = """
SELECT last, at FROM (
    (SELECT sequence AS last, at FROM updates WHERE document = $1 AND {0} <= $2 AND data <> ''
     ORDER BY sequence DESC LIMIT 1)
    UNION ALL
    (SELECT last, at FROM history WHERE document = $1 AND {1} <= $2 ORDER BY last DESC LIMIT 1)
    UNION ALL
    (SELECT sequence, at FROM named_versions WHERE document = $1 AND {0} <= $2
     ORDER BY sequence DESC LIMIT 1)
) versions ORDER BY last DESC LIMIT 1
"""
_BY_TIME = _AT.format("at", "at")
_BY_SEQUENCE = _AT.format("sequence", "last")
_FIRST = """
SELECT least((SELECT min(sequence) FROM updates WHERE document = $1 AND data <> ''),
             (SELECT min(first) FROM history WHERE document = $1))
"""
_LAST = "SELECT head FROM heads WHERE document = $1"
_NAMED = """
SELECT sequence, name, author, at, named_at FROM named_versions WHERE document = $1
ORDER BY sequence DESC
"""
_NAME = """
INSERT INTO named_versions (document, sequence, name, author, at, named_at, encoding, data)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
WHERE (SELECT count(*) FROM named_versions WHERE document = $1) < $9
   OR EXISTS (SELECT FROM named_versions WHERE document = $1 AND sequence = $2)
ON CONFLICT (document, sequence) DO UPDATE SET name = excluded.name, author = excluded.author,
    named_at = excluded.named_at
RETURNING sequence
"""
_COPY = "SELECT encoding, data FROM named_versions WHERE document = $1 AND sequence = $2"


class Versions:
    """Versions of documents. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def changes(
        self, document: UUID, before: int | None, limit: int, bytes_max: int
    ) -> list[Change]:
        """The newest changes below a sequence, newest first, and no more bytes than that.

        One change is always given, whatever its size.
        """
        with reaching():
            rows = await self.pool.fetch(_CHANGES, document, before or (1 << 62), limit, bytes_max)
        return [
            Change(
                first=row["first"],
                last=row["last"],
                at=row["at"],
                authors=row["authors"],
                device=row["device"],
                update=await unpack(row["encoding"], row["data"]),
            )
            for row in rows
        ]

    async def first(self, document: UUID) -> int:
        """The oldest stored sequence; 0 where there is none."""
        with reaching():
            return await self.pool.fetchval(_FIRST, document) or 0

    async def last(self, document: UUID) -> int:
        """The newest stored sequence; 0 where there is none."""
        with reaching():
            return await self.pool.fetchval(_LAST, document) or 0

    async def at(self, document: UUID, point: datetime | int) -> tuple[int, datetime] | None:
        """The last version of a time, or up to a sequence: its sequence, and when it was written.

        Inside a merged stretch that is the version before it. None: the document is younger.
        """
        sql = _BY_SEQUENCE if isinstance(point, int) else _BY_TIME
        with reaching():
            row = await self.pool.fetchrow(sql, document, point)
        return None if row is None else (row["last"], row["at"])

    async def named(self, document: UUID) -> list[Named]:
        """The named versions, newest first."""
        with reaching():
            rows = await self.pool.fetch(_NAMED, document)
        return [Named(**row) for row in rows]

    async def copy(self, document: UUID, sequence: int) -> bytes | None:
        """A named version whole; None where that version has no name."""
        with reaching():
            row = await self.pool.fetchrow(_COPY, document, sequence)
        return None if row is None else await unpack(row["encoding"], row["data"])

    async def name(self, document: UUID, version: Named, update: bytes) -> bool:
        """Give a version a name, or another one, and keep a copy; whether there was room."""
        encoding, data = pack(update)
        with reaching():
            made = await self.pool.fetchval(
                _NAME,
                document,
                version.sequence,
                version.name,
                version.author,
                version.at,
                version.named_at,
                encoding,
                data,
                NAMED_MAX,
            )
        return made is not None

    async def unname(self, document: UUID, sequence: int) -> bool:
        """Take a version's name away; whether it had one."""
        with reaching():
            done: str = await self.pool.execute(
                "DELETE FROM named_versions WHERE document = $1 AND sequence = $2",
                document,
                sequence,
            )
        return done != "DELETE 0"

    async def forget(self, document: UUID) -> None:
        """The document is gone for good, so are the copies of it."""
        with reaching():
            await self.pool.execute("DELETE FROM named_versions WHERE document = $1", document)
