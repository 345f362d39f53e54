"""Libraries: found and made, read page by page, compacted as far as all devices are."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from uuid import UUID

import msgspec

from storage.blobs import books
from storage.errors import reaching
from storage.pinakes import KIND
from storage.pinakes.writing import INDEXED, Conflict, File, Writing, writing
from storage.pool import Pool, transaction

DROPPED_MAX = 5000
"""Tombstones, and contents, that one call removes."""


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """One account's library."""

    account: str
    scope: str
    floor: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the feed: the latest state of a path."""

    stamp: int
    born: int
    path: str
    hash: bytes | None
    size: int
    change: str
    device: UUID | None
    mtime: str | None
    changed_at: datetime
    old_path: str | None
    moved_to: str | None
    from_born: int | None
    """Of what was moved: since when its old path was there, if that is still known."""
    has_moved: bool
    """Of a tombstone: what went from here is where it was moved to, as it was."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the feed as at one moment."""

    entries: list[Change]
    has_more: bool
    head: int
    """The latest cursor that there is."""
    floor: int
    """The latest tombstone that was removed: an older cursor may miss a deletion."""


_FIND = "SELECT account, scope, floor FROM pinakes_libraries WHERE account = $1"
_SCOPE = "INSERT INTO scopes (id, kind, owner) VALUES ($1, 'pinakes', $2)"
_MAKE = "INSERT INTO pinakes_libraries (account, scope) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_END_SCOPE = "DELETE FROM scopes WHERE id = $1"
# The newest stamp is read from the index; after a compaction it may be that of a removed tombstone.
_HEAD = f"""
SELECT greatest(floor, coalesce((SELECT max(stamp) FROM pinakes_files WHERE scope = $1), 0))
       AS head, floor, {INDEXED}
FROM pinakes_libraries WHERE scope = $1
"""  # noqa: S608  (the words are ours)
_PAGE = """
SELECT f.stamp, f.born, f.path, f.hash, f.size, f.change, f.device, f.mtime, f.changed_at,
       f.old_path, f.moved_to,
       CASE WHEN o.hash IS NULL AND o.moved_to = f.path THEN o.born END AS from_born,
       coalesce(n.hash IS NOT NULL AND n.old_path = f.path, false) AS has_moved
FROM (
    SELECT * FROM pinakes_files WHERE scope = $1 AND stamp > $2 ORDER BY stamp LIMIT $3
) f LEFT JOIN LATERAL (
    SELECT * FROM pinakes_files WHERE scope = $1 AND path = f.old_path OFFSET 0
) o ON true LEFT JOIN LATERAL (
    SELECT * FROM pinakes_files WHERE scope = $1 AND path = f.moved_to OFFSET 0
) n ON true ORDER BY f.stamp
"""
_FILE = """
SELECT path, hash, size, change, device, mtime, old_path, moved_to, changed_at
FROM pinakes_files WHERE scope = $1 AND path = $2 AND hash IS NOT NULL
"""
_CONFLICTS = """
SELECT id, path, device, change, local_hash, server_hash, mtime, old_path, detected_at
FROM pinakes_conflicts WHERE scope = $1 ORDER BY detected_at, id
"""
# The lock comes first: whoever reports takes his stamps under it, so none is taken meanwhile.
_LOCK = "SELECT 1 FROM scopes WHERE id = $1 FOR NO KEY UPDATE"
_REACHED = """
SELECT coalesce(min(sync_cursor), 0) FROM pinakes_devices
WHERE account = $1 AND enabled
  AND coalesce(last_seen_at, created_at) >= now() - make_interval(secs => $2)
"""
_DROP = """
WITH dropped AS (
    DELETE FROM pinakes_files WHERE scope = $1 AND hash IS NULL AND stamp <= $2 AND path IN (
        SELECT path FROM pinakes_files WHERE scope = $1 AND hash IS NULL AND stamp <= $2
        ORDER BY stamp LIMIT $3
    ) RETURNING stamp
), raised AS (
    UPDATE pinakes_libraries SET floor = greatest(floor, (SELECT max(stamp) FROM dropped)),
        paths = paths - (SELECT count(*) FROM dropped)
    WHERE scope = $1 AND EXISTS (SELECT FROM dropped)
)
SELECT count(*) FROM dropped
"""
_IDLE = """
SELECT DISTINCT c.scope FROM pinakes_contents c WHERE c.idle_since < $1 LIMIT 100
"""
_RELEASE = """
WITH old AS (
    SELECT hash FROM pinakes_contents WHERE scope = $1 AND idle_since < $2 LIMIT $3
), needed AS (
    SELECT hash FROM old o WHERE
        EXISTS (SELECT FROM pinakes_files WHERE scope = $1 AND hash = o.hash)
        OR EXISTS (SELECT FROM pinakes_pending WHERE scope = $1 AND hash = o.hash)
        OR EXISTS (SELECT FROM pinakes_conflicts
                   WHERE scope = $1 AND (local_hash = o.hash OR server_hash = o.hash))
), kept AS (
    UPDATE pinakes_contents SET idle_since = NULL
    WHERE scope = $1 AND hash IN (SELECT hash FROM needed)
)
DELETE FROM pinakes_contents
WHERE scope = $1 AND hash IN (SELECT hash FROM old EXCEPT SELECT hash FROM needed) RETURNING hash
"""
_FORGET_PENDING = "DELETE FROM pinakes_pending WHERE reported_at < $1"
_FORGET_WOVEN = "DELETE FROM pinakes_woven WHERE at < $1"


class Libraries:
    """All libraries. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, account: str) -> Library | None:
        """An account's library, if it has one."""
        with reaching():
            row = await self._pool.fetchrow(_FIND, account)
        return None if row is None else Library(**row)

    async def make(self, account: str, scope: str) -> Library:
        """Give an account its library, in a scope of that id; however many ask, it has one."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(_SCOPE, scope, account)
                if await connection.execute(_MAKE, account, scope) == "INSERT 0 0":
                    await connection.execute(_END_SCOPE, scope)
        found = await self.find(account)
        assert found is not None
        return found

    def writing(self, library: Library, now_ms: int) -> AbstractAsyncContextManager[Writing]:
        """Change a library in one transaction."""
        return writing(self._pool, library.scope, library.account, now_ms)

    async def head(self, library: Library) -> int:
        """The latest cursor that there is."""
        with reaching():
            return int(await self._pool.fetchval(_HEAD, library.scope))

    async def page(self, library: Library, cursor: int, limit: int) -> Page:
        """What changed after a cursor, oldest first."""
        with reaching():
            async with transaction(self._pool) as connection:
                found = await connection.fetchrow(_HEAD, library.scope)
                assert found is not None
                rows = await connection.fetch(_PAGE, library.scope, cursor, limit + 1)
        names = Change.__struct_fields__
        return Page(
            entries=[Change(**dict(zip(names, row, strict=True))) for row in rows[:limit]],
            has_more=len(rows) > limit,
            head=found["head"],
            floor=found["floor"],
        )

    async def file(self, library: Library, path: str) -> tuple[File, datetime] | None:
        """The file of a path, and when it changed."""
        with reaching():
            row = await self._pool.fetchrow(_FILE, library.scope, path)
        if row is None:
            return None
        said = dict(row)
        changed_at = said.pop("changed_at")
        return File(**said), changed_at

    async def conflicts(self, library: Library) -> list[Conflict]:
        """The unresolved conflicts, oldest first."""
        with reaching():
            rows = await self._pool.fetch(_CONFLICTS, library.scope)
        return [Conflict(**row) for row in rows]

    # -- what nobody needs ----------------------------------------------------------------

    async def compact(self, library: Library, patience_s: float) -> int:
        """Remove tombstones of which every enabled device has heard; how many.

        Devices that were not seen for `patience_s` are not waited for.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(_LOCK, library.scope)
                reached = await connection.fetchval(_REACHED, library.account, patience_s)
                count: int = await connection.fetchval(_DROP, library.scope, reached, DROPPED_MAX)
        return count

    async def release(self, before: datetime) -> int:
        """Let go of contents that nothing refers to since before a moment; how many."""
        with reaching():
            scopes = [row["scope"] for row in await self._pool.fetch(_IDLE, before)]
        count = 0
        for scope in scopes:
            with reaching():
                async with transaction(self._pool) as connection:
                    await connection.execute(_LOCK, scope)
                    gone = await connection.fetch(_RELEASE, scope, before, DROPPED_MAX)
                    for row in gone:
                        await books.release(connection, KIND, scope, row["hash"])
            count += len(gone)
        return count

    async def forget_pending(self, before: datetime) -> None:
        """Forget what was promised before a moment and never came, and what was merged then."""
        with reaching():
            await self._pool.execute(_FORGET_PENDING, before)
            await self._pool.execute(_FORGET_WOVEN, before)
