"""One change of a library, in one transaction under its lock: read what it concerns, write, stamp.

    async with writing(pool, scope) as library:
        files = await library.files(paths)
        …
        await library.save(written)

The lock is that of the scope's row, under which the change feed takes its stamps. Lock order:
scope, then accounts and blobs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import msgspec

from storage.blobs import Blob, Use, books
from storage.errors import reaching
from storage.pinakes import KIND
from storage.pool import Connection, Pool, transaction

NO_DEVICE = UUID(int=0)
"""Stands for a device that nobody named."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a path."""

    path: str
    hash: bytes | None
    """None: it is gone."""
    size: int = 0
    change: str
    device: UUID | None = None
    """Who need not be told of it."""
    mtime: str | None = None
    old_path: str | None = None
    moved_to: str | None = None


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A change that waits for its bytes."""

    path: str
    reported_path: str
    device: UUID
    change: str
    hash: bytes
    base: bytes | None = None
    mtime: str | None = None
    old_path: str | None = None


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A change that cannot be merged with what is there; both versions are kept."""

    id: UUID
    path: str
    device: UUID
    change: str
    local_hash: bytes | None
    """None: the device deleted it."""
    server_hash: bytes | None
    """None: it is gone here."""
    mtime: str | None = None
    old_path: str | None = None
    detected_at: datetime


_FILE = ("path", "hash", "size", "change", "device", "mtime", "old_path", "moved_to")
_PENDING = ("path", "reported_path", "device", "change", "hash", "base", "mtime", "old_path")
_CONFLICT = (
    "id", "path", "device", "change", "local_hash", "server_hash", "mtime", "old_path",
    "detected_at",
)  # fmt: skip


def _sql(text: str) -> str:
    for name, fields in (("FILE", _FILE), ("PENDING", _PENDING), ("CONFLICT", _CONFLICT)):
        text = text.replace(name, ", ".join(fields))
    return text


INDEXED = """
set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
set_config('enable_sort', 'off', true)
"""
"""Makes a transaction look up by keys: statistics of a library that just grew say otherwise, and
then a page would read all of it."""

_LOCK = f"SELECT last_stamp, {INDEXED} FROM scopes WHERE id = $1 FOR NO KEY UPDATE"  # noqa: S608
_PATHS = "SELECT paths FROM pinakes_libraries WHERE scope = $1"
_FILES = _sql("""
SELECT FILE FROM unnest($2::text[]) AS wanted (wanted_path) CROSS JOIN LATERAL (
    SELECT FILE FROM pinakes_files WHERE scope = $1 AND path = wanted_path OFFSET 0
) f
""")
_CONTENTS = "SELECT hash, size FROM pinakes_contents WHERE scope = $1 AND hash = ANY ($2)"
_CONFLICTS = _sql("SELECT CONFLICT FROM pinakes_conflicts WHERE scope = $1 AND path = ANY ($2)")
_COUNT_CONFLICTS = "SELECT count(*) FROM pinakes_conflicts WHERE scope = $1"
_FIND_CONFLICT = _sql("SELECT CONFLICT FROM pinakes_conflicts WHERE scope = $1 AND id = $2")
_FIND_PENDING = _sql("""
SELECT PENDING FROM pinakes_pending
WHERE scope = $1 AND hash = $3 AND (path = $2 OR reported_path = $2)
ORDER BY device = $4 DESC, path = $2 DESC, reported_at LIMIT 1
""")
_HAS_PENDING = """
SELECT EXISTS (SELECT FROM pinakes_pending WHERE scope = $1 AND path = $2 AND device = $3)
"""
_PUT = """
WITH old AS MATERIALIZED (
    SELECT DISTINCT f.hash FROM unnest($2::text[]) AS wanted (wanted_path) CROSS JOIN LATERAL (
        SELECT hash FROM pinakes_files WHERE scope = $1 AND path = wanted_path OFFSET 0
    ) f WHERE f.hash IS NOT NULL
), put AS (
    INSERT INTO pinakes_files AS f (scope, path, hash, size, change, device, mtime, old_path,
                                    moved_to, stamp, born)
    SELECT $1, *, stamp FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::text[],
        $6::uuid[], $7::text[], $8::text[], $9::text[], $10::bigint[])
        AS t (path, hash, size, change, device, mtime, old_path, moved_to, stamp)
    ON CONFLICT (scope, path) DO UPDATE SET hash = excluded.hash, size = excluded.size,
        change = excluded.change, device = excluded.device, mtime = excluded.mtime,
        old_path = excluded.old_path, moved_to = excluded.moved_to, stamp = excluded.stamp,
        changed_at = now(),
        born = CASE WHEN excluded.hash IS NULL OR f.hash IS NOT NULL THEN f.born
                    ELSE excluded.stamp END
    RETURNING xmax = 0 AS is_new
), counted AS (
    UPDATE pinakes_libraries SET paths = paths + (SELECT count(*) FROM put WHERE is_new)
    WHERE scope = $1
), idle AS (
    UPDATE pinakes_contents SET idle_since = now()
    WHERE scope = $1 AND hash IN (SELECT hash FROM old)
      AND hash <> ALL (array_remove($3::bytea[], NULL))
), used AS (
    UPDATE pinakes_contents SET idle_since = NULL
    WHERE scope = $1 AND hash = ANY ($3::bytea[]) AND idle_since IS NOT NULL
)
UPDATE scopes SET last_stamp = $11 WHERE id = $1
"""
_DROP_PENDING = """
DELETE FROM pinakes_pending WHERE (scope, path, device) IN (
    SELECT $1, * FROM unnest($2::text[], $3::uuid[]))
"""
_PUT_PENDING = """
INSERT INTO pinakes_pending (scope, path, reported_path, device, change, hash, base, mtime,
                             old_path)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::uuid[], $5::text[], $6::bytea[], $7::bytea[],
                         $8::text[], $9::text[])
ON CONFLICT (scope, path, device) DO UPDATE SET reported_path = excluded.reported_path,
    change = excluded.change, hash = excluded.hash, base = excluded.base, mtime = excluded.mtime,
    old_path = excluded.old_path, reported_at = now()
"""
_DROP_CONFLICTS = "DELETE FROM pinakes_conflicts WHERE id = ANY ($1)"
_PUT_CONFLICT = """
INSERT INTO pinakes_conflicts (scope, id, path, device, change, local_hash, server_hash, mtime,
                               old_path, detected_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_KEEP = """
INSERT INTO pinakes_contents (scope, hash, size, idle_since) VALUES ($1, $2, $3, now())
ON CONFLICT (scope, hash) DO UPDATE SET size = excluded.size,
    idle_since = CASE WHEN pinakes_contents.idle_since IS NULL THEN NULL ELSE now() END
"""

_IS_WOVEN = """
SELECT EXISTS (SELECT FROM pinakes_woven
               WHERE scope = $1 AND path = $2 AND base = $3 AND hash = $4)
"""
_WOVEN = """
INSERT INTO pinakes_woven (scope, path, base, hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (scope, path, base, hash) DO UPDATE SET at = now()
"""


class Writing:
    """A library while it is changed."""

    def __init__(
        self, connection: Connection, scope: str, account: str, last_stamp: int, now_ms: int
    ) -> None:
        self.connection = connection
        self.scope = scope
        self._account = account
        self._stamp = max(now_ms, last_stamp + 1)

    async def files(self, paths: Iterable[str]) -> dict[str, File]:
        """What is known of these paths, tombstones too."""
        rows = await self.connection.fetch(_FILES, self.scope, list(paths))
        return {row["path"]: File(**row) for row in rows}

    async def contents(self, hashes: Iterable[bytes]) -> dict[bytes, int]:
        """Those of these contents that the library has, with their sizes."""
        rows = await self.connection.fetch(_CONTENTS, self.scope, list(hashes))
        return {row["hash"]: row["size"] for row in rows}

    async def conflicts(self, paths: Iterable[str]) -> list[Conflict]:
        """The unresolved conflicts of these paths."""
        rows = await self.connection.fetch(_CONFLICTS, self.scope, list(paths))
        return [Conflict(**row) for row in rows]

    async def conflict(self, conflict: UUID) -> Conflict | None:
        """One unresolved conflict."""
        row = await self.connection.fetchrow(_FIND_CONFLICT, self.scope, conflict)
        return None if row is None else Conflict(**row)

    async def count_conflicts(self) -> int:
        """How many conflicts are unresolved."""
        return int(await self.connection.fetchval(_COUNT_CONFLICTS, self.scope))

    async def count_files(self) -> int:
        """How many paths there are, tombstones too."""
        return int(await self.connection.fetchval(_PATHS, self.scope))

    async def pending(self, path: str, digest: bytes, device: UUID) -> Pending | None:
        """The change that waits for these bytes at this path; best the device's own."""
        row = await self.connection.fetchrow(_FIND_PENDING, self.scope, path, digest, device)
        return None if row is None else Pending(**row)

    async def awaits_other(self, path: str, device: UUID) -> bool:
        """Whether a device has promised something for a path."""
        return bool(await self.connection.fetchval(_HAS_PENDING, self.scope, path, device))

    async def keep(self, blob: Blob, quota: int | None) -> None:
        """Let the library refer to a blob. Raises UnknownBlob and QuotaExceeded."""
        await keep(self.connection, self.scope, self._account, blob, quota)

    async def is_woven(self, path: str, base: bytes | None, digest: bytes) -> bool:
        """Whether a version made on a base was merged into a path before."""
        found = await self.connection.fetchval(_IS_WOVEN, self.scope, path, base or b"", digest)
        return bool(found)

    async def note_woven(self, path: str, base: bytes | None, digest: bytes) -> None:
        """A version made on a base is merged into a path now."""
        await self.connection.execute(_WOVEN, self.scope, path, base or b"", digest)

    async def put(self, files: Sequence[File]) -> None:
        """Write these, each with a stamp of its own, in this order."""
        if not files:
            return
        stamps = range(self._stamp, self._stamp + len(files))
        self._stamp = stamps[-1] + 1
        columns = ("path", "hash", "size", "change", "device", "mtime", "old_path", "moved_to")
        await self.connection.execute(
            _PUT,
            self.scope,
            *([getattr(file, name) for file in files] for name in columns),
            list(stamps),
            stamps[-1],
        )

    async def put_pending(self, pending: Sequence[Pending]) -> None:
        """Remember what waits for its bytes."""
        if pending:
            columns = ([getattr(one, name) for one in pending] for name in _PENDING)
            await self.connection.execute(_PUT_PENDING, self.scope, *columns)

    async def drop_pending(self, keys: Sequence[tuple[str, UUID]]) -> None:
        """Forget what devices promised for paths."""
        if keys:
            paths, devices = zip(*keys, strict=True)
            await self.connection.execute(_DROP_PENDING, self.scope, list(paths), list(devices))

    async def put_conflicts(self, conflicts: Sequence[Conflict]) -> None:
        """Remember conflicts, in the place of older ones of the same path and device."""
        if conflicts:
            await self.connection.executemany(
                _PUT_CONFLICT,
                [(self.scope, *(getattr(one, name) for name in _CONFLICT)) for one in conflicts],
            )

    async def drop_conflicts(self, ids: Sequence[UUID]) -> None:
        """They are resolved, or replaced."""
        if ids:
            await self.connection.execute(_DROP_CONFLICTS, list(ids))


async def keep(
    connection: Connection, scope: str, account: str, blob: Blob, quota: int | None
) -> None:
    """Let a library refer to a blob, inside a transaction. Raises UnknownBlob and QuotaExceeded."""
    use = Use(kind=KIND, holder=scope, account=account)
    await books.use(connection, blob.digest, use, quota)
    await connection.execute(_KEEP, scope, blob.digest, blob.size)


@asynccontextmanager
async def writing(pool: Pool, scope: str, account: str, now_ms: int) -> AsyncIterator[Writing]:
    """Change a library; committed at the end, nothing of it on any error. Raises Unavailable."""
    with reaching():
        async with transaction(pool) as connection:
            row = await connection.fetchrow(_LOCK, scope)
            assert row is not None
            yield Writing(connection, scope, account, row["last_stamp"], now_ms)
