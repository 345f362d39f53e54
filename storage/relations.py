"""Which blocks name which: what `extracts` read from all documents of a scope, asked the other way.

Only blocks of the same scope count, and only those that are not in the trash.
"""

from __future__ import annotations

import msgspec

from storage.errors import reaching
from storage.extracts import target_form
from storage.pool import Pool


class Backlink(msgspec.Struct, frozen=True, kw_only=True):
    """A block that names another."""

    name: str
    title: str
    kind: str
    label: str


_BACKLINKS = """
SELECT d.name, coalesce(b.title, '') AS title, r.kind, r.label
FROM relations r JOIN documents d ON d.id = r.document AND d.deleted_at IS NULL
LEFT JOIN blocks b ON b.document = r.document
WHERE r.scope = $1 AND r.target = $2 AND b.trashed_at IS NULL AND b.removed_at IS NULL
ORDER BY r.document, r.kind LIMIT $3 OFFSET $4
"""
# Each by its key: a choice between two keys in one condition reads all documents of the scope.
_TITLES = """
SELECT d.name, b.title FROM unnest($2::text[]) AS w (target) CROSS JOIN LATERAL (
    SELECT id, name FROM documents
    WHERE global_id = w.target AND scope = $1 AND deleted_at IS NULL
    UNION ALL SELECT id, name FROM documents
    WHERE scope = $1 AND name = w.target AND global_id IS NULL
      AND purged_at IS NULL AND deleted_at IS NULL OFFSET 0
) d CROSS JOIN LATERAL (SELECT title FROM blocks WHERE document = d.id OFFSET 0) b
"""


class Relations:
    """Questions about relations. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def backlinks(self, scope: str, name: str, limit: int, offset: int = 0) -> list[Backlink]:
        """The blocks that name the block `name`, oldest first."""
        with reaching():
            rows = await self._pool.fetch(_BACKLINKS, scope, target_form(name), limit, offset)
        return [Backlink(**row) for row in rows]

    async def titles(self, scope: str, targets: list[str]) -> dict[str, str]:
        """The titles of those targets that are blocks of the scope, by `target_form`."""
        with reaching():
            rows = await self._pool.fetch(_TITLES, scope, [target_form(t) for t in targets])
        return {target_form(row["name"]): row["title"] for row in rows}
