"""What was read from blocks for readers: words, relations, files. Kept up behind the change feed.

For each scope a mark says up to which stamp of its feed everything was read. Whoever reads the next
stretch writes what it found and moves the mark in one transaction; a crash in between, or two
servers at once, only make something be read twice. A document that has moved on since is stamped
again, so nothing stays out of date.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec

from crdt.ids import is_global_id
from storage.documents import global_form
from storage.errors import reaching
from storage.pool import Pool, transaction

log = logging.getLogger("plait.extracts")

STAMP_MAX = 2**63 - 1
BODY_BYTES_MAX = 256 * 1024
"""What search sees of a document; PostgreSQL takes 1 MiB of distinct words at most."""


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """A document whose change was not read yet."""

    stamp: int
    document: UUID
    kind: str
    head: int
    lineage: int
    size: int
    """Bytes of its snapshot and of the rows above it."""
    snapshot_bytes: int
    gone: bool
    """Deleted for good, or closed: nothing is to be kept of it."""
    is_fresh: bool
    """Its latest row was read already."""


class Extract(msgspec.Struct, frozen=True, kw_only=True):
    """What one document says, up to a row of its log."""

    document: UUID
    lineage: int
    sequence: int
    title: str
    body: str
    relations: Sequence[tuple[str, str, str]]
    """Kind, target and label; a target is a block's global id or its plain name."""
    files: int
    file_bytes: int


_BEHIND = """
SELECT c.stamp, c.document, d.kind, h.head, h.lineage, h.deleted AS gone,
       h.log_bytes + h.snapshot_bytes AS size, h.snapshot_bytes,
       coalesce(t.sequence = h.head AND t.lineage = h.lineage, false) AS is_fresh
FROM changes c JOIN heads h ON h.document = c.document JOIN documents d ON d.id = c.document
LEFT JOIN block_texts t ON t.document = c.document
WHERE c.scope = $1 AND c.collection = ''
  AND c.stamp > coalesce((SELECT stamp FROM read_marks WHERE scope = $1), 0) AND c.stamp <= $3
ORDER BY c.stamp LIMIT $2
"""
_SCOPES_BEHIND = """
SELECT s.id FROM scopes s LEFT JOIN read_marks m ON m.scope = s.id
WHERE s.id > $1 AND s.last_stamp > coalesce(m.stamp, 0)
  AND EXISTS (SELECT FROM changes c WHERE c.scope = s.id AND c.collection = ''
              AND c.stamp > coalesce(m.stamp, 0))
ORDER BY s.id LIMIT $2
"""
# The mark's row is locked by this until the end: those who write for one scope take turns.
_MARK = """
INSERT INTO read_marks (scope, stamp) VALUES ($1, $2)
ON CONFLICT (scope) DO UPDATE SET stamp = greatest(read_marks.stamp, excluded.stamp)
"""
_WRITE = """
INSERT INTO block_texts (document, scope, lineage, sequence, title, body, files, file_bytes, words)
SELECT document, $1, lineage, sequence, title, body, files, file_bytes,
       setweight(to_tsvector('simple', title), 'A')
       || setweight(to_tsvector('simple', body), 'B') || array_to_tsvector(ARRAY['@' || $1])
FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::int[], $8::bigint[])
    AS w (document, lineage, sequence, title, body, files, file_bytes)
ON CONFLICT (document) DO UPDATE SET scope = excluded.scope, lineage = excluded.lineage,
    sequence = excluded.sequence, title = excluded.title, body = excluded.body,
    words = excluded.words, files = excluded.files, file_bytes = excluded.file_bytes
WHERE (block_texts.lineage, block_texts.sequence) <= (excluded.lineage, excluded.sequence)
RETURNING document
"""
_DROP_RELATIONS = """
DELETE FROM relations r WHERE r.document = ANY ($1) AND NOT EXISTS (
    SELECT FROM unnest($2::uuid[], $3::text[], $4::text[]) AS w (document, kind, target)
    WHERE w.document = r.document AND w.kind = r.kind AND w.target = r.target)
"""
_RELATIONS = """
INSERT INTO relations (scope, document, kind, target, label)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (document, kind, target) DO UPDATE SET label = excluded.label
WHERE relations.label <> excluded.label
"""
_FORGET = (
    "DELETE FROM block_texts WHERE document = ANY ($1)",
    "DELETE FROM relations WHERE document = ANY ($1)",
)


class Extracts:
    """The extracts of all scopes. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def behind(self, scope: str, limit: int, end: int = STAMP_MAX) -> list[Behind]:
        """The next changes of a scope that were not read, oldest first, up to a stamp."""
        with reaching():
            return [Behind(**row) for row in await self._pool.fetch(_BEHIND, scope, limit, end)]

    async def scopes_behind(self, after: str, limit: int) -> list[str]:
        """Scopes with changes that were not read, in order of their ids."""
        with reaching():
            return [row["id"] for row in await self._pool.fetch(_SCOPES_BEHIND, after, limit)]

    async def write(
        self, scope: str, extracts: Sequence[Extract], gone: Sequence[UUID], stamp: int
    ) -> None:
        """Keep what was read, forget what is gone, and move the scope's mark to `stamp`.

        What one document says and the database refuses is left out: it must not hold up the others.
        """
        try:
            await self._write(scope, extracts, gone, stamp)
        except asyncpg.PostgresError:
            for extract in extracts:
                try:
                    await self._write(scope, [extract], [], 0)
                except asyncpg.PostgresError:
                    log.exception("what document %s says cannot be kept", extract.document)
            await self._write(scope, [], gone, stamp)

    async def _write(
        self, scope: str, extracts: Sequence[Extract], gone: Sequence[UUID], stamp: int
    ) -> None:
        ordered = sorted(extracts, key=lambda extract: extract.document)
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(_MARK, scope, stamp)
                if gone:
                    for sql in _FORGET:
                        await connection.execute(sql, gone)
                if not ordered:
                    return
                kept = await connection.fetch(
                    _WRITE,
                    scope,
                    [e.document for e in ordered],
                    [e.lineage for e in ordered],
                    [e.sequence for e in ordered],
                    [storable(e.title) for e in ordered],
                    [body_form(e.body) for e in ordered],
                    [e.files for e in ordered],
                    [e.file_bytes for e in ordered],
                )
                documents = [row["document"] for row in kept]
                rows = _relation_rows(ordered, set(documents))
                await connection.execute(_DROP_RELATIONS, documents, *rows[:3])
                await connection.execute(_RELATIONS, scope, *rows)


def _relation_rows(
    extracts: Sequence[Extract], kept: set[UUID]
) -> tuple[list[UUID], list[str], list[str], list[str]]:
    """Document, kind, target and label as columns, each key once."""
    found = {
        (extract.document, storable(kind), target_form(target)): storable(label)
        for extract in extracts
        if extract.document in kept
        for kind, target, label in extract.relations
    }
    keys = list(found)
    return (
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
        list(found.values()),
    )


def target_form(target: str) -> str:
    """The one spelling under which a block is named: ids are not case-sensitive."""
    return storable(global_form(target) if is_global_id(target) else target)


def storable(text: str) -> str:
    """A text without what PostgreSQL cannot hold."""
    return text.replace("\0", " ")


def body_form(text: str) -> str:
    """As much of a text as search may see, cut between characters."""
    data = storable(text).encode()[:BODY_BYTES_MAX]
    return data.decode("utf-8", "ignore")
