"""Fills a server for `growth_apis.py`, by SQL: a million by the APIs would take hours.

What is filled in are copies of a few accounts, profiles, datasets and sites that were made through
the APIs and settled: all rows of theirs in all tables, under ids of their own. What a document says
of ids is said anew, letter for letter, in the stored updates. Only the bytes of files are shared.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg

_STEP = 5_000


class Original(NamedTuple):
    """What is copied: a scope with its documents, and whose it is."""

    scope: str
    account: str | None = None
    profile: str | None = None
    site: str | None = None


Patch = Callable[[int, Sequence[UUID]], Iterable[tuple[bytes, bytes]]]
"""What is said anew in the updates of a copy: by its number, and its original's documents."""

_SETTLED = """
SELECT NOT EXISTS (SELECT FROM heads WHERE scope = ANY ($1) AND dirty)
"""
_ORIGINAL = """
CREATE TEMP TABLE original (place int, scope text, account text, profile text, site text)
"""
_COPIES = """
CREATE TEMP TABLE copy AS SELECT n, o.*, '01S' || lpad(n::text, 23, '0') AS new_scope,
    '01A' || lpad(n::text, 23, '0') AS new_account, 'profile-' || n AS new_profile,
    'site_01s' || lpad(n::text, 23, '0') AS new_site
FROM generate_series($1::bigint, $2::bigint) AS n JOIN original o ON o.place = n % $3
"""
_BY_SCOPE = "t.scope = p.scope"
_BY_ACCOUNT = "t.account = p.account"
_BY_DOCUMENT = "t.document IN (SELECT id FROM documents WHERE scope = p.scope)"
_TABLES = {
    "scopes": "t.id = p.scope",
    "accounts": "t.id = p.account",
    "account_keys": _BY_ACCOUNT,
    "access_tokens": _BY_ACCOUNT,
    "blob_accounts": _BY_ACCOUNT,
    "members": _BY_SCOPE,
    "documents": _BY_SCOPE,
    "heads": _BY_SCOPE,
    "changes": _BY_SCOPE,
    "change_counts": _BY_SCOPE,
    "blocks": _BY_SCOPE,
    "read_marks": _BY_SCOPE,
    "snapshots": _BY_DOCUMENT,
    "record_marks": _BY_DOCUMENT,
    "note_facts": _BY_DOCUMENT,
    "ascently_datasets": _BY_ACCOUNT,
    "ascently_moments": _BY_DOCUMENT,
    "difflog_profiles": _BY_DOCUMENT,
    "difflog_public": "t.profile = p.profile",
    "sites": _BY_SCOPE,
    "blob_uses": "t.kind = 'site' AND split_part(t.holder, '/', 1) = p.site",
}
"""How the rows of an original are found. Its updates are read, and said anew, here."""
_DOCUMENT = """(lpad(to_hex(1754000000000 + c.n), 12, '0') || '7'
    || substr(md5(c.n || o.{0}::text), 1, 3) || '8' || substr(md5(c.n || o.{0}::text), 5, 15))::uuid
"""
_OWN = {
    "scope": "c.new_scope",
    "account": "c.new_account",
    "owner": "CASE WHEN o.owner = c.account THEN c.new_account ELSE o.owner END",
    "document": _DOCUMENT.format("document"),
    "profile": "c.new_profile",
    "key": "sha256(('key ' || c.n)::bytea)",
    "device": "'01D' || lpad(c.n::text, 23, '0')",
    "digest": "sha256((o.prefix || lpad(c.n::text, 43, '0'))::bytea)",
    "username": "CASE WHEN o.username <> '' THEN 'u' || c.n ELSE '' END",
    "holder": "c.new_site || substr(o.holder, length(c.site) + 1)",
    "diff": "left(o.diff, -12) || lpad(c.n::text, 12, '0')",
}
"""What of a copy is not its original's."""
_IDS = {
    "scopes": "c.new_scope",
    "accounts": "c.new_account",
    "access_tokens": "c.new_account",
    "documents": _DOCUMENT.format("id"),
    "difflog_profiles": "c.new_profile",
    "sites": "c.new_site",
}
_USES = """
UPDATE blobs b SET uses = u.uses
FROM (SELECT hash, count(*) AS uses FROM blob_uses GROUP BY hash) u WHERE u.hash = b.hash
"""


def document_of(number: int, original: UUID) -> UUID:
    """The id of a document of a copy."""
    digest = hashlib.md5(f"{number}{original}".encode(), usedforsecurity=False).hexdigest()
    return UUID(f"{1754000000000 + number:012x}7{digest[:3]}8{digest[4:19]}")


def token_of(prefix: str, number: int) -> str:
    """The access token of a copy's account."""
    return prefix + f"{number:043}"


class Copies:
    """Accounts, profiles and sites that become more."""

    def __init__(self, dsn: str, originals: list[Original], patch: Patch) -> None:
        self._dsn, self._originals, self._patch = dsn, originals, patch
        self.there = 0

    async def fill(self, copies: int) -> None:
        """Let there be so many copies."""
        connection = await asyncpg.connect(self._dsn)
        scopes = [one.scope for one in self._originals]
        while not await connection.fetchval(_SETTLED, scopes):  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # The server settles.
        # Keys are right as they are made, and checking each takes half of the time.
        await connection.execute(
            "SET synchronous_commit = off; SET work_mem = '64MB';"
            " SET session_replication_role = replica"
        )
        await connection.execute(_ORIGINAL)
        rows = [(place, *one) for place, one in enumerate(self._originals)]
        await connection.executemany("INSERT INTO original VALUES ($1, $2, $3, $4, $5)", rows)
        statements = [await _copying(connection, *item) for item in _TABLES.items()]
        updates = await self._updates(connection)
        while self.there < copies:
            last = min(copies, self.there + _STEP)
            async with connection.transaction():
                await connection.execute(_COPIES, self.there, last - 1, len(self._originals))
                for sql in statements:
                    await connection.execute(sql)
                await connection.execute("DROP TABLE copy")
                await self._write(connection, updates, range(self.there, last))
            self.there = last
        await connection.execute(_USES)
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
        await connection.close()

    async def _updates(
        self, connection: asyncpg.Connection[asyncpg.Record]
    ) -> list[list[asyncpg.Record]]:
        """The updates of each original."""
        found = []
        for one in self._originals:
            sql = (
                "SELECT u.* FROM updates u JOIN documents d ON d.id = u.document WHERE d.scope = $1"
            )
            found.append(await connection.fetch(sql, one.scope))
        return found

    async def _write(
        self,
        connection: asyncpg.Connection[asyncpg.Record],
        updates: list[list[asyncpg.Record]],
        numbers: range,
    ) -> None:
        """The updates of copies."""
        rows, columns = [], list(updates[0][0].keys())
        at = columns.index("data")
        for number in numbers:
            originals = updates[number % len(updates)]
            documents = list({row["document"] for row in originals})
            said = list(self._patch(number, documents))
            for row in originals:
                values, data = list(row), row["data"]
                for old, new in said:
                    data = data.replace(old, new)
                values[0], values[at] = document_of(number, row["document"]), data
                rows.append(values)
        await connection.copy_records_to_table("updates", records=rows, columns=columns)


async def _copying(
    connection: asyncpg.Connection[asyncpg.Record], table: str, found_by: str
) -> str:
    """Keep the originals' rows of a table; the statement that gives each copy the same."""
    await connection.execute(
        f"CREATE TEMP TABLE old_{table} AS SELECT p.place AS of_place, t.*"  # noqa: S608
        f" FROM {table} t JOIN original p ON {found_by}"
    )
    rows = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0"
        " AND NOT attisdropped ORDER BY attnum",
        table,
    )
    names = [row[0] for row in rows]
    own = {**_OWN, **({"id": _IDS[table]} if table in _IDS else {})}
    values = ", ".join(own.get(name, f"o.{name}") for name in names)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values}"  # noqa: S608
        f" FROM copy c JOIN old_{table} o ON o.of_place = c.place ORDER BY c.n"
    )
