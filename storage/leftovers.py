"""What is deleted for good and still holds content: found here, so that somebody removes it.

Blocks that say of themselves that they are deleted for good, and workspaces whose time to be
restored is over. Ids stay known as deleted; only content goes.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from storage import derived, files
from storage.errors import reaching
from storage.pool import Pool

_REMOVED = """
SELECT d.id FROM documents d JOIN blocks b ON b.document = d.id
WHERE d.deleted_at IS NOT NULL AND d.purged_at IS NULL AND b.removed_at IS NOT NULL
ORDER BY d.deleted_at LIMIT $1
"""
_OF_ENDED_SCOPES = """
SELECT d.id FROM scopes s JOIN documents d ON d.scope = s.id AND d.purged_at IS NULL
WHERE s.deleted_at < $1 ORDER BY s.deleted_at, d.id LIMIT $2
"""
_FORGET = (
    "DELETE FROM block_texts WHERE document = $1",
    "DELETE FROM relations WHERE document = $1",
    "DELETE FROM named_versions WHERE document = $1",
    """
    DELETE FROM changes c USING documents d
    WHERE d.id = $1 AND c.scope = d.scope AND c.document = d.id AND c.collection <> ''
    """,
    "UPDATE blocks SET title = '', state_vector = NULL, delete_only = NULL WHERE document = $1",
)


class Leftovers:
    """Documents whose content is to go. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def removed(self, limit: int) -> list[UUID]:
        """Blocks that were deleted for good, oldest first."""
        with reaching():
            return [row["id"] for row in await self._pool.fetch(_REMOVED, limit)]

    async def of_ended_scopes(self, deleted_before: datetime, limit: int) -> list[UUID]:
        """Documents of workspaces that were deleted before a moment."""
        with reaching():
            rows = await self._pool.fetch(_OF_ENDED_SCOPES, deleted_before, limit)
        return [row["id"] for row in rows]

    async def forget(self, document: UUID) -> None:
        """Remove what was read or copied from a document; its own rows are `Documents.purge`'s."""
        with reaching():
            for sql in _FORGET:
                await self._pool.execute(sql, document)
            await files.forget(self._pool, document)
            await derived.forget(self._pool, document)
