"""Fills a workspace and a library for `growth.py`, by SQL: a million by the API would take an hour.

What is filled in are copies of blocks that were pushed, settled and read: all rows of theirs in all
tables, under ids, names and stamps of their own. So the server finds in them what it finds in the
blocks that it made itself; only the bytes of files are not there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import asyncpg

from storage.tallies import RECOUNT

TEMPLATES = 100
"""Blocks of which the others are copies; the last of them is in the trash."""
_STEP = 50_000
_SPAN_MS = 30 * 86_400_000
"""The stamps of copies are spread over the days before the start."""
_SETTLED = """
SELECT count(*) = 0 FROM heads h LEFT JOIN block_texts t USING (document)
WHERE h.scope = $1 AND (h.dirty OR t.sequence IS DISTINCT FROM h.head)
"""
_NUMBERS = """
CREATE TEMP TABLE copy AS
SELECT n, d.id AS original, d.owner, '01K' || lpad(n::text, 23, '0') AS name,
       (lpad(to_hex(1754000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3)
        || '8' || substr(md5(n::text), 5, 15))::uuid AS document
FROM generate_series({first}, {last}) AS n JOIN original o ON o.place = n % {templates}
JOIN old_documents d ON d.name = o.name
"""
_COPIED = ("documents", "heads", "updates", "snapshots", "blocks", "block_texts", "changes")
_OWN = {
    "id": "c.document",
    "document": "c.document",
    "name": "c.name",
    "global_id": "c.name",
    "stamp": "{start} + c.n * ({span} / 1000000)",
}
"""What of a copy is not its original's."""
_ORIGINALS = "CREATE TEMP TABLE original (place int, name text)"
_COPY_OF = """
CREATE TEMP TABLE old_{table} AS SELECT t.* FROM {table} t
JOIN documents d ON d.id = t.{key} JOIN original o ON o.name = d.name
"""
_FILES = """
WITH bytes AS (
    INSERT INTO blobs (hash, size, ready, uses)
    SELECT sha256(n::text::bytea), 65536, true, 1 FROM copy WHERE n < {files}
), uses AS (
    INSERT INTO blob_uses (hash, kind, holder, account)
    SELECT sha256(n::text::bytea), 'file', document::text, owner FROM copy WHERE n < {files}
), counted AS (
    INSERT INTO blob_accounts (account, files, bytes)
    SELECT owner, count(*), count(*) * 65536 FROM copy WHERE n < {files} GROUP BY 1
    ON CONFLICT (account) DO UPDATE SET files = blob_accounts.files + excluded.files,
        bytes = blob_accounts.bytes + excluded.bytes
)
INSERT INTO files (id, document, hash, size, name, mime_type, announced, described_at)
SELECT '01F' || lpad(n::text, 23, '0'), document, sha256(n::text::bytea), 65536, 'a.bin',
       'application/octet-stream', true, now()
FROM copy WHERE n < {files}
"""


class Filler:
    """A workspace that grows."""

    def __init__(self, dsn: str, scope: str, originals: list[str]) -> None:
        self._dsn, self._scope, self._originals = dsn, scope, originals
        self._there = 0
        self._start = int(time.time() * 1000) - _SPAN_MS - 86_400_000

    @staticmethod
    def name_of(number: int) -> str:
        """The id of a copy."""
        return f"01K{number:023}"

    async def fill(self, keys: int, files: int) -> None:
        """Let there be so many copies, and files of some of them."""
        connection = await asyncpg.connect(self._dsn)
        while not await connection.fetchval(_SETTLED, self._scope):  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # The server settles.
        await connection.execute("SET synchronous_commit = off; SET work_mem = '64MB'")
        await connection.execute(_ORIGINALS)
        await connection.executemany(
            "INSERT INTO original VALUES ($1, $2)", list(enumerate(self._originals))
        )
        for table in _COPIED:
            await connection.execute(_COPY_OF.format(table=table, key=_key(table)))
        while self._there < keys:
            last = min(keys, self._there + _STEP) - 1
            await self._step(connection, self._there, last, files)
            self._there = last + 1
        for sql in RECOUNT:
            await connection.execute(sql, self._scope)
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
        await connection.close()

    async def _step(
        self, connection: asyncpg.Connection[asyncpg.Record], first: int, last: int, files: int
    ) -> None:
        values = {
            "first": first, "last": last, "templates": TEMPLATES, "files": files,
            "start": self._start, "span": _SPAN_MS,
        }  # fmt: skip
        async with connection.transaction():
            await connection.execute(_NUMBERS.format(**values))
            for table in _COPIED:
                await connection.execute((await _copying(connection, table)).format(**values))
            await connection.execute(_FILES.format(**values))
            await connection.execute("DROP TABLE copy")

    async def middle(self) -> int:
        """A marker with half of all changes behind it."""
        return self._start + self._there // 2 * (_SPAN_MS // 1_000_000)


def _key(table: str) -> str:
    return "id" if table == "documents" else "document"


async def _copying(connection: asyncpg.Connection[asyncpg.Record], table: str) -> str:
    """The statement that gives each copy the rows of its original in a table."""
    rows = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0"
        " AND NOT attisdropped ORDER BY attnum",
        table,
    )
    names = [row[0] for row in rows]
    values = ", ".join(_OWN.get(name, f"o.{name}") for name in names)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values}"  # noqa: S608
        f" FROM copy c JOIN old_{table} o ON o.{_key(table)} = c.original ORDER BY c.n"
    )


class Library:
    """The library of the only account that has one, as it grows."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._there = 0
        self.turns: dict[int, int] = {}
        """Which of its two contents a file has; the first where nothing is said."""

    async def fill(self, keys: int, path_of: Callable[[int], str], digest: str) -> None:
        """Let there be so many files, all of one content."""
        connection = await asyncpg.connect(self._dsn)
        scope, head = await connection.fetchrow(
            "SELECT l.scope, s.last_stamp FROM pinakes_libraries l JOIN scopes s ON s.id = l.scope"
        )
        hashed = bytes.fromhex(digest)
        size = await connection.fetchval("SELECT size FROM blobs WHERE hash = $1", hashed)
        rows = [
            (scope, path_of(n), hashed, size, stamp, stamp, "created")
            for stamp, n in enumerate(range(self._there, keys), head + 1)
        ]
        columns = ["scope", "path", "hash", "size", "stamp", "born", "change"]
        async with connection.transaction():
            await connection.copy_records_to_table("pinakes_files", records=rows, columns=columns)
            new = keys - self._there
            await connection.execute(
                "UPDATE pinakes_libraries SET paths = paths + $2 WHERE scope = $1", scope, new
            )
            await connection.execute(
                "UPDATE scopes SET last_stamp = last_stamp + $2 WHERE id = $1", scope, new
            )
            await connection.execute("UPDATE pinakes_contents SET idle_since = NULL")
        self._there = keys
        await connection.execute("VACUUM (ANALYZE) pinakes_files")
        await connection.close()

    async def middle(self) -> int:
        """A cursor with half of the files behind it."""
        return await self._stamp(
            "SELECT stamp FROM pinakes_files ORDER BY stamp OFFSET $1 LIMIT 1", self._there // 2
        )

    async def end(self) -> int:
        """The last cursor."""
        return await self._stamp("SELECT max(stamp) FROM pinakes_files")

    async def _stamp(self, sql: str, *values: int) -> int:
        connection = await asyncpg.connect(self._dsn)
        try:
            return int(await connection.fetchval(sql, *values))
        finally:
            await connection.close()
