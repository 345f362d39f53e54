"""Workspaces as their owners list them, and what is in them, without opening a document.

What is said of the blocks of a workspace is as of its last settling; whoever needs to know it as of
now settles first (`server.feed`).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from crdt.ids import is_global_id
from storage.documents import global_form, make_id
from storage.errors import reaching
from storage.extracts import storable
from storage.pool import Pool, transaction
from storage.tallies import TOTALS


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace in a list."""

    id: str
    title: str
    owner: str | None
    role: str
    index_block: str | None
    created_at: datetime
    marker: int
    """Unix milliseconds of its latest change."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A block in the contents of a workspace."""

    name: str
    kind: str
    title: str
    sync_version: int
    created_at: datetime
    stamp: int
    """Unix milliseconds of its latest change, as the feed counts them."""
    trashed_at: int | None
    size: int
    files: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How much is in a workspace. Bytes are those of the stored documents, and of named files."""

    blocks: int
    trashed: int
    bytes: int
    files: int
    file_bytes: int
    members: int


LIVE, TRASHED, ANY, FILES = "live", "trashed", "any", "files"
"""Which blocks are listed: those outside the trash, in it, both, or those with files."""

# The index of names holds what was not purged: who does not say so reads all documents there are.
_INDEX_BLOCK = """
LEFT JOIN LATERAL (
    SELECT id FROM documents WHERE scope = s.id AND name = s.index_block
    AND purged_at IS NULL AND deleted_at IS NULL OFFSET 0
) d ON true
LEFT JOIN LATERAL (SELECT title FROM blocks WHERE document = d.id OFFSET 0) b ON true
"""
_LIST = f"""
SELECT s.id, coalesce(nullif(b.title, ''), s.title) AS title, s.owner, m.role,
       s.index_block, s.created_at, s.last_stamp AS marker
FROM members m JOIN scopes s ON s.id = m.scope AND s.kind = 'workspace' AND s.deleted_at IS NULL
{_INDEX_BLOCK}
WHERE m.account = $1 AND ($2 OR m.role = 'owner')
ORDER BY s.created_at, s.id LIMIT $3 OFFSET $4
"""  # noqa: S608  (parts of ours)
_ONE = f"""
SELECT s.id, coalesce(nullif(b.title, ''), s.title) AS title, s.owner, '' AS role,
       s.index_block, s.created_at, s.last_stamp AS marker
FROM scopes s
{_INDEX_BLOCK}
WHERE s.id = $1 AND s.deleted_at IS NULL
"""  # noqa: S608
# Of a page only the rows that it shows are looked at: each kind has its own way into the feed.
_PLACES = {
    LIVE: "SELECT document, stamp FROM changes WHERE scope = $1 AND collection = ''"
    " AND NOT deleted ORDER BY stamp DESC",
    TRASHED: "SELECT document, stamp FROM changes WHERE scope = $1 AND trashed ORDER BY stamp DESC",
    FILES: """
        SELECT c.document, c.stamp FROM block_texts t CROSS JOIN LATERAL (
            SELECT document, stamp, deleted FROM changes WHERE scope = t.scope
            AND document = t.document AND collection = '' AND record = '' OFFSET 0
        ) c WHERE t.scope = $1 AND t.files > 0 AND NOT c.deleted ORDER BY c.stamp DESC
    """,
}
# Both in the order of their indexes: one look at all rows would read and sort the whole workspace.
_PLACES[ANY] = f"""
    SELECT * FROM (({_PLACES[LIVE]} LIMIT $2::bigint + $3::bigint)
        UNION ALL ({_PLACES[TRASHED]} LIMIT $2::bigint + $3::bigint)) either ORDER BY stamp DESC
"""  # noqa: S608  (ours)
_CONTENTS = """
SELECT d.name, d.kind, coalesce(b.title, '') AS title, d.sync_version, d.created_at,
       c.stamp, b.trashed_at, h.log_bytes + h.snapshot_bytes AS size,
       coalesce(t.files, 0) AS files
FROM ({places} LIMIT $2 OFFSET $3) c
CROSS JOIN LATERAL (SELECT * FROM documents WHERE id = c.document OFFSET 0) d
CROSS JOIN LATERAL (SELECT * FROM heads WHERE document = c.document OFFSET 0) h
LEFT JOIN LATERAL (SELECT * FROM blocks WHERE document = c.document OFFSET 0) b ON true
LEFT JOIN LATERAL (SELECT files FROM block_texts WHERE document = c.document OFFSET 0) t ON true
ORDER BY c.stamp DESC
"""
_COUNT_FILES = f"SELECT count(*) FROM ({_PLACES[FILES]}) f"  # noqa: S608  (ours)
_COUNTS = f"""
SELECT t.live AS blocks, t.trashed, t.bytes, f.files, f.file_bytes,
       (SELECT count(*) FROM members WHERE scope = $1) AS members
FROM ({TOTALS}) t CROSS JOIN (
    SELECT coalesce(sum(files), 0)::bigint AS files,
           least(coalesce(sum(file_bytes), 0), 9e15)::bigint AS file_bytes
    FROM block_texts WHERE scope = $1 AND files > 0
) f
"""  # noqa: S608  (parts of ours)
_TRASH = """
SELECT d.id AS document, d.name, b.title, b.trashed_at FROM blocks b
JOIN documents d ON d.id = b.document AND d.deleted_at IS NULL
WHERE b.scope = $1 AND b.trashed_at IS NOT NULL AND b.removed_at IS NULL
  AND (b.trashed_at, b.document) < ($2, $3)
ORDER BY b.trashed_at DESC, b.document DESC LIMIT $4
"""
_ADD = """
INSERT INTO scopes (id, kind, owner, title) VALUES ($1, 'workspace', $2, $3)
ON CONFLICT DO NOTHING RETURNING id
"""
_OWNER = """
INSERT INTO members (scope, account, role) VALUES ($1, $2, 'owner') ON CONFLICT DO NOTHING
"""
_INDEX = """
WITH made AS (
    INSERT INTO documents (id, scope, kind, name, global_id, owner)
    VALUES ($1, $2, 'block', $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id, scope
)
INSERT INTO heads (document, scope) SELECT id, scope FROM made
"""
_SET_INDEX = """
UPDATE scopes s SET index_block = d.name FROM documents d
WHERE s.id = $1 AND s.index_block IS NULL AND d.scope = s.id
  AND d.deleted_at IS NULL AND d.purged_at IS NULL
  AND (d.global_id = $3 OR ($3::text IS NULL AND d.name = $2))
RETURNING d.name
"""
_OF = """
SELECT owner, deleted_at IS NOT NULL AS deleted FROM scopes WHERE id = $1 AND kind = 'workspace'
"""
_DELETED_AT = """
SELECT deleted_at FROM scopes WHERE id = $1 AND kind = 'workspace' AND owner = $2
"""
_IS_DEFAULT = "SELECT EXISTS (SELECT FROM accounts WHERE default_workspace = $1)"
_RESTORABLE = """
SELECT true FROM scopes WHERE id = $1 AND kind = 'workspace' AND deleted_at > $2
"""


class Trashed(msgspec.Struct, frozen=True, kw_only=True):
    """A block in the trash."""

    document: UUID
    name: str
    title: str
    trashed_at: int


class Workspaces:
    """Workspaces and their contents. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    # -- lists --------------------------------------------------------------------------

    async def of(self, account: str, *, shared: bool, limit: int, offset: int) -> list[Listed]:
        """The workspaces that an account owns, with `shared` also those it may open."""
        with reaching():
            rows = await self._pool.fetch(_LIST, account, shared, limit, offset)
        return [Listed(**row) for row in rows]

    async def one(self, scope: str) -> Listed | None:
        """A workspace; its role is left empty."""
        with reaching():
            row = await self._pool.fetchrow(_ONE, scope)
        return None if row is None else Listed(**row)

    async def contents(self, scope: str, which: str, limit: int, offset: int) -> list[Row]:
        """Blocks of a workspace, last changed first."""
        with reaching():
            sql = _CONTENTS.format(places=_PLACES[which])
            rows = await self._pool.fetch(sql, scope, limit, offset)
        return [Row(**row) for row in rows]

    async def count(self, scope: str, which: str) -> int:
        """How many blocks `contents` would list."""
        with reaching():
            if which == FILES:
                return int(await self._pool.fetchval(_COUNT_FILES, scope))
            row = await self._pool.fetchrow(TOTALS, scope)
        assert row is not None
        live, trashed = row["live"], row["trashed"]
        return int({LIVE: live, TRASHED: trashed, ANY: live + trashed}[which])

    async def counts(self, scope: str) -> Counts:
        """What is in a workspace."""
        with reaching():
            row = await self._pool.fetchrow(_COUNTS, scope)
        assert row is not None
        return Counts(**row)

    async def trash(self, scope: str, before: tuple[int, UUID] | None, limit: int) -> list[Trashed]:
        """Blocks in the trash, last trashed first, below a place in that order."""
        at, document = before or (1 << 62, UUID(int=(1 << 128) - 1))
        with reaching():
            rows = await self._pool.fetch(_TRASH, scope, at, document, limit)
        return [Trashed(**row) for row in rows]

    # -- life and death -----------------------------------------------------------------

    async def add(self, scope: str, owner: str, title: str, index_block: str) -> str | None:
        """Make a workspace with its root block, or find the owner's own of that id as it is.

        The id of its root block; None where the id is somebody else's or its workspace is deleted.
        `index_block` is a global id; another is to be given where it is taken: answers "".
        """
        with reaching():
            async with transaction(self._pool) as connection:
                made = await connection.fetchval(_ADD, scope, owner, storable(title))
                if made is None:
                    known = await connection.fetchrow(_OF, scope)
                    if known is None or known["owner"] != owner or known["deleted"]:
                        return None
                else:
                    await connection.execute(_OWNER, scope, owner)
        return await self.ensure_index(scope, owner, index_block)

    async def ensure_index(self, scope: str, owner: str, wanted: str) -> str:
        """The root block of a workspace, made where there is none; empty if the id is taken."""
        known = await self.one(scope)
        if known is None or known.index_block is not None:
            return "" if known is None else str(known.index_block)
        global_id = global_form(wanted) if is_global_id(wanted) else None
        with reaching():
            await self._pool.execute(_INDEX, make_id(), scope, wanted, global_id, owner)
            found = await self._pool.fetchval(_SET_INDEX, scope, wanted, global_id)
            if found is None:
                known = await self.one(scope)
                found = known.index_block if known is not None else None
        return found or ""

    async def owner(self, scope: str) -> tuple[str | None, bool] | None:
        """Whose a workspace is, and whether it is deleted; None where there is none."""
        with reaching():
            row = await self._pool.fetchrow(_OF, scope)
        return None if row is None else (row["owner"], row["deleted"])

    async def deleted_at(self, scope: str, owner: str) -> datetime | None:
        """When a workspace of this owner was deleted; None where it was not, or is not theirs."""
        with reaching():
            found: datetime | None = await self._pool.fetchval(_DELETED_AT, scope, owner)
        return found

    async def is_default(self, scope: str) -> bool:
        """Whether plain names of some account mean documents in it."""
        with reaching():
            found: bool = await self._pool.fetchval(_IS_DEFAULT, scope)
        return found

    async def is_restorable(self, scope: str, since: datetime) -> bool:
        """Whether a workspace was deleted after `since`."""
        with reaching():
            return bool(await self._pool.fetchval(_RESTORABLE, scope, since))
