"""What an operator asks of one document: the end of its log, what was set aside, its snapshot.

Bytes of updates are never shown, only what is known of them.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from storage.errors import reaching
from storage.pool import Pool


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a log."""

    sequence: int
    at: datetime
    author: str | None
    device: str | None
    bytes: int
    pending: bool
    quarantined: bool


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was set aside because it breaks the document."""

    digest: str
    """SHA-256 of the bytes."""
    sequence: int | None
    """Its row in the log; 0: a snapshot; None: it never got into the log."""
    bytes: int
    reason: str
    author: str | None
    device: str | None
    at: datetime


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How far the log goes and what stands for its beginning."""

    head: int
    snapshot_sequence: int
    snapshot_bytes: int
    dirty: bool
    pending: int
    """Rows below the snapshot that wait for a predecessor."""
    versions: int
    """Stretches of merged history."""
    snapshot_at: datetime | None


_TAIL = """
SELECT sequence, at, author, device, octet_length(data) AS bytes, pending, data = '' AS quarantined
FROM updates WHERE document = $1 AND sequence > $2 ORDER BY sequence DESC LIMIT $3
"""
_ASIDE = """
SELECT encode(digest, 'hex') AS digest, sequence, octet_length(data) AS bytes, reason, author,
       device, at
FROM quarantine WHERE document = $1 ORDER BY at DESC, digest LIMIT $2
"""
_HEAD = """
SELECT h.head, h.snapshot_sequence, h.snapshot_bytes, h.dirty,
       (SELECT count(*) FROM updates u WHERE u.document = h.document AND u.pending) AS pending,
       (SELECT count(*) FROM history y WHERE y.document = h.document) AS versions,
       (SELECT at FROM snapshots s WHERE s.document = h.document) AS snapshot_at
FROM heads h WHERE h.document = $1
"""


class Inspection:
    """Asks about single documents. All methods raise Unavailable when the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def head(self, document: UUID) -> Head | None:
        """Of one document; None where there is none."""
        with reaching():
            row = await self._pool.fetchrow(_HEAD, document)
        return None if row is None else Head(**row)

    async def tail(self, document: UUID, limit: int) -> list[Tail]:
        """The newest rows of its log, newest first."""
        with reaching():
            head = await self._pool.fetchval("SELECT head FROM heads WHERE document = $1", document)
            after = max(0, (head or 0) - limit)
            rows = await self._pool.fetch(_TAIL, document, after, limit)
        return [Tail(**row) for row in rows]

    async def aside(self, document: UUID, limit: int) -> list[Aside]:
        """What was set aside, newest first."""
        with reaching():
            rows = await self._pool.fetch(_ASIDE, document, limit)
        return [Aside(**row) for row in rows]
