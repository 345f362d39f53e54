"""The notes of a published site: where the log of each stands, and what was read of it.

Facts of a note are kept with the head at which its text was read; with another head they are stale,
and read anew. So a server that starts knows a site of thousands of notes and reads no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from storage.errors import reaching
from storage.pool import Pool

PAGE_MAX = 1000
"""Notes in one answer."""

_NOTES = """
SELECT d.id, d.name, h.head, h.log_bytes + h.snapshot_bytes AS size, f.head AS read_at, f.facts
FROM documents d JOIN heads h ON h.document = d.id LEFT JOIN note_facts f ON f.document = d.id
WHERE d.scope = $1 AND d.id > $2 AND d.deleted_at IS NULL AND d.purged_at IS NULL AND NOT h.deleted
ORDER BY d.id LIMIT $3
"""
_STANDS = """
SELECT h.document, h.head, h.log_bytes + h.snapshot_bytes FROM heads h
WHERE h.document = ANY ($1) AND NOT h.deleted
"""
_KEEP = """
INSERT INTO note_facts (document, head, facts)
SELECT n.document, n.head, n.facts FROM unnest($1::uuid[], $2::bigint[], $3::bytea[])
    AS n (document, head, facts)
WHERE EXISTS (SELECT FROM heads WHERE document = n.document AND NOT deleted)
ON CONFLICT (document) DO UPDATE SET head = excluded.head, facts = excluded.facts
WHERE note_facts.head < excluded.head
"""
NOWHERE = UUID(int=0)
"""No document has this id, and all come after it."""


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """A note's document, and what is known of it."""

    document: UUID
    name: str
    head: int
    size: int
    """Bytes that are stored of it, from above."""
    read_at: int | None = None
    """The head at which its facts were read; None: they never were."""
    facts: bytes | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether its facts are those of its text as it is now."""
        return self.facts is not None and self.read_at == self.head


class Stand(msgspec.Struct, frozen=True):
    """Where the log of a document stands."""

    head: int
    size: int


class SiteNotes:
    """The notes of all sites. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, scope: str, after: UUID = NOWHERE) -> list[Noted]:
        """The notes of a site's scope by id, from the one behind `after`; at most PAGE_MAX."""
        with reaching():
            rows = await self._pool.fetch(_NOTES, scope, after, PAGE_MAX)
        return [
            Noted(document=id_, name=name, head=head, size=size, read_at=read_at, facts=facts)
            for id_, name, head, size, read_at, facts in rows
        ]

    async def stand(self, documents: Sequence[UUID]) -> dict[UUID, Stand]:
        """Where the logs of documents stand, as committed; deleted ones are left out."""
        with reaching():
            rows = await self._pool.fetch(_STANDS, list(documents))
        return {document: Stand(head, size) for document, head, size in rows}

    async def keep(self, found: Sequence[tuple[UUID, int, bytes]]) -> None:
        """Keep facts with the heads at which they were read; older ones replace no newer."""
        documents, heads, facts = (list(column) for column in zip(*found, strict=True))
        with reaching():
            await self._pool.execute(_KEEP, documents, heads, facts)
