"""Folders that are scanned: where accounts may, what is watched, and which file is which block."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from storage import files
from storage.blobs import books
from storage.errors import reaching
from storage.pool import Pool, transaction

PENDING, DONE, GONE = "pending", "done", "gone"


class ScannedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a scan saw."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    hash: bytes
    block: str
    duplicate: bool
    state: str


class WatchedFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that is kept in step."""

    scope: str
    path: str
    account: str
    machine: str | None = None
    """Where the folder is; None: wherever it is found."""


_FILE = ", ".join(ScannedFile.__struct_fields__)
# What lies in a folder: every path between `folder/` and the letter after the slash.
_UNDER = f"SELECT {_FILE} FROM scanned_files WHERE scope = $1 AND path >= $2 AND path < $3"  # noqa: S608
_BY_HASH = f"""
SELECT {_FILE} FROM scanned_files WHERE scope = $1 AND hash = ANY ($2) ORDER BY duplicate, path
LIMIT 10000
"""  # noqa: S608
_DUPLICATES = """
SELECT block, path FROM scanned_files
WHERE scope = $1 AND block = ANY ($2) AND duplicate AND state <> 'gone' ORDER BY path LIMIT 10000
"""
_PUT = """
INSERT INTO scanned_files (scope, path, size, mtime_ns, ctime_ns, hash, block, duplicate, state)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[],
    $7::text[], $8::boolean[], $9::text[])
ON CONFLICT (scope, path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,
    ctime_ns = excluded.ctime_ns, hash = excluded.hash, block = excluded.block,
    duplicate = excluded.duplicate, state = excluded.state
"""
_LET_GO = "DELETE FROM files WHERE document = $1 AND hash = $2"
_FORGET = "DELETE FROM scanned_files WHERE scope = $1 AND path = ANY ($2)"
# Files whose block stands for other bytes by now, or for none.
_ORPHANS = f"""
SELECT {_FILE} FROM scanned_files d
WHERE scope = $1 AND path >= $2 AND path < $3 AND duplicate AND NOT EXISTS (
    SELECT FROM scanned_files o WHERE o.scope = d.scope AND o.block = d.block
    AND NOT o.duplicate AND o.hash = d.hash AND o.state <> 'gone'
) ORDER BY path
"""  # noqa: S608
_SCOPE_OF = """
SELECT scope FROM scanned_files WHERE path >= $1 AND path < $2 AND scope = ANY ($3) LIMIT 1
"""


class Scans:
    """All of it. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    # -- roots --------------------------------------------------------------------------

    async def root(self, account: str) -> str | None:
        """The folder in which an account may scan."""
        with reaching():
            found: str | None = await self._pool.fetchval(
                "SELECT path FROM scan_roots WHERE account = $1", account
            )
        return found

    async def set_root(self, account: str, path: str | None) -> None:
        """Let an account scan in a folder, or nowhere any more."""
        with reaching():
            if path is None:
                await self._pool.execute("DELETE FROM scan_roots WHERE account = $1", account)
            else:
                await self._pool.execute(
                    "INSERT INTO scan_roots (account, path) VALUES ($1, $2) "
                    "ON CONFLICT (account) DO UPDATE SET path = excluded.path, set_at = now()",
                    account,
                    path,
                )

    # -- files --------------------------------------------------------------------------

    async def under(self, scope: str, folder: str) -> dict[str, ScannedFile]:
        """What is known of the files in a folder, by their paths."""
        with reaching():
            rows = await self._pool.fetch(_UNDER, scope, *_range(folder))
        return {row["path"]: ScannedFile(**row) for row in rows}

    async def by_hash(self, scope: str, hashes: Sequence[bytes]) -> dict[bytes, list[ScannedFile]]:
        """Files with these bytes, those that stand for a block first."""
        with reaching():
            rows = await self._pool.fetch(_BY_HASH, scope, list(hashes))
        found: dict[bytes, list[ScannedFile]] = {}
        for row in rows:
            found.setdefault(row["hash"], []).append(ScannedFile(**row))
        return found

    async def orphans(self, scope: str, folder: str) -> list[ScannedFile]:
        """Duplicates of what is not there any more."""
        with reaching():
            rows = await self._pool.fetch(_ORPHANS, scope, *_range(folder))
        return [ScannedFile(**row) for row in rows]

    async def duplicates(self, scope: str, blocks: Sequence[str]) -> dict[str, list[str]]:
        """The further paths of blocks."""
        with reaching():
            rows = await self._pool.fetch(_DUPLICATES, scope, list(blocks))
        found: dict[str, list[str]] = {block: [] for block in blocks}
        for row in rows:
            found[row["block"]].append(row["path"])
        return found

    async def put(
        self, scope: str, found: Sequence[ScannedFile], forget: Sequence[str] = ()
    ) -> None:
        """Note files, and forget paths, in one transaction."""
        if not found and not forget:
            return
        columns = [
            list(column) for column in zip(*map(msgspec.structs.astuple, found), strict=True)
        ]
        with reaching():
            async with transaction(self._pool) as connection:
                if forget:
                    await connection.execute(_FORGET, scope, list(forget))
                if found:
                    await connection.execute(_PUT, scope, *columns)

    async def scope_of(self, folder: str, scopes: Sequence[str]) -> str | None:
        """The scope into which a folder was scanned before."""
        with reaching():
            found: str | None = await self._pool.fetchval(_SCOPE_OF, *_range(folder), list(scopes))
        return found

    async def let_go(self, document: UUID, digest: bytes) -> None:
        """A block stands for other bytes by now: it needs these no more."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(_LET_GO, document, digest)
                await books.release(connection, files.KIND, str(document), digest)

    # -- watching -----------------------------------------------------------------------

    async def watch(self, folder: WatchedFolder) -> None:
        """Keep a folder in step from now on."""
        with reaching():
            await self._pool.execute(
                "INSERT INTO watched_folders (scope, path, account, machine) "
                "VALUES ($1, $2, $3, $4) ON CONFLICT (scope, path) "
                "DO UPDATE SET account = excluded.account, machine = excluded.machine",
                *msgspec.structs.astuple(folder),
            )

    async def unwatch(self, scope: str, path: str) -> bool:
        """No more; whether it was."""
        with reaching():
            done = await self._pool.execute(
                "DELETE FROM watched_folders WHERE scope = $1 AND path = $2", scope, path
            )
        return str(done) != "DELETE 0"

    async def watched(self) -> list[WatchedFolder]:
        """All of them whose workspace is there."""
        with reaching():
            rows = await self._pool.fetch(
                "SELECT w.scope, w.path, w.account, w.machine FROM watched_folders w "
                "JOIN scopes s ON s.id = w.scope AND s.deleted_at IS NULL ORDER BY w.path"
            )
        return [WatchedFolder(**row) for row in rows]


def _range(folder: str) -> tuple[str, str]:
    stem = folder.rstrip("/")
    return f"{stem}/", f"{stem}0"  # 0 is what comes after the slash.
