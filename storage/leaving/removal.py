"""An account goes, and with it all that is its own; what is of others stays, without its name.

Its workspaces go with everything in them, even where others were let in; one that has another owner
becomes that owner's. Ids of documents stay known as deleted, so that no late edit brings them back.
What the account wrote in workspaces of others stays there, and no longer says who wrote it.

The account is closed first, so nothing is added meanwhile. Whatever ends a removal early, it is
taken up again by asking for it again; only the last step removes the account itself.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

from storage.accounts import Accounts
from storage.blobs import books
from storage.documents import Documents
from storage.errors import reaching
from storage.leaving.columns import OWNING, WRITING, columns
from storage.leftovers import Leftovers
from storage.ordering import tables_in_order
from storage.pool import Connection, Pool, transaction

GONE = "(gone)"
"""Stands for an author whose account was removed, where somebody must be named."""
_PAGE = 200
_LONG_S = 3600.0
"""Of a statement that looks at every row of a log."""
_APART = frozenset({"accounts", "scopes", "documents", "blob_uses", "blob_accounts"})
"""Tables that have a step of their own."""


class Removed(msgspec.Struct, kw_only=True):
    """What went."""

    workspaces: int = 0
    handed_over: int = 0
    """Workspaces that have another owner, and are that owner's now."""
    documents: int = 0


_HAND_OVER = """
WITH heirs AS (
    SELECT DISTINCT ON (s.id) s.id, m.account AS heir
    FROM scopes s JOIN members m ON m.scope = s.id AND m.role = 'owner' AND m.account <> $1
    JOIN accounts a ON a.id = m.account AND a.state = 'active'
    WHERE s.owner = $1 AND s.deleted_at IS NULL AND s.kind = 'workspace' ORDER BY s.id, m.since
), given AS (
    UPDATE scopes s SET owner = heirs.heir, rights_version = rights_version + 1
    FROM heirs WHERE s.id = heirs.id RETURNING s.id, heirs.heir
), passed AS (
    UPDATE documents d SET owner = given.heir FROM given
    WHERE d.scope = given.id AND d.owner = $1 RETURNING d.id
), uses AS (
    UPDATE blob_uses u SET account = given.heir
    FROM given JOIN documents d ON d.scope = given.id
    WHERE u.holder = d.id::text AND u.account = $1 RETURNING u.hash
)
SELECT id, heir FROM given
"""
_RECOUNT = """
INSERT INTO blob_accounts (account, files, bytes)
SELECT $1, count(*), coalesce(sum(b.size), 0)::bigint
FROM blob_uses u JOIN blobs b USING (hash) WHERE u.account = $1
ON CONFLICT (account) DO UPDATE SET files = excluded.files, bytes = excluded.bytes
"""
_OWN = """
SELECT id FROM scopes WHERE owner = $1
UNION SELECT scope FROM sites WHERE account = $1
"""
_CLOSE = """
UPDATE scopes SET deleted_at = coalesce(deleted_at, now()), rights_version = rights_version + 1
WHERE id = ANY ($1)
"""
_DOCUMENTS = "SELECT id FROM documents WHERE scope = ANY ($1) AND purged_at IS NULL LIMIT $2"
_EMPTY_SCOPES = """
UPDATE scopes SET title = '', owner = NULL, index_block = NULL WHERE id = ANY ($1)
"""
_NAMELESS = """
UPDATE documents SET owner = NULL, name = id::text WHERE scope = ANY ($1) AND purged_at IS NOT NULL
"""
_NO_AUTHOR = """
UPDATE history SET authors = array_remove(authors, $1) WHERE $1 = ANY (authors)
"""
_USES = "SELECT kind, holder, hash FROM blob_uses WHERE account = $1"


async def remove_account(
    pool: Pool, account: str, told: Callable[[UUID], None] = lambda _: None
) -> Removed | None:
    """Remove an account with all that is its own; None where there is none.

    `told` hears of each document before its content goes. Raises LastAdministrator, Unavailable.
    """
    accounts = Accounts(pool)
    if await accounts.get(account) is None:
        return None
    await accounts.disable(account)
    done = Removed()
    with reaching():
        async with transaction(pool) as connection:
            given = await connection.fetch(_HAND_OVER, account)
            for heir in {row["heir"] for row in given}:
                await connection.execute(_RECOUNT, heir)
        done.handed_over = len(given)
        scopes = [row[0] for row in await pool.fetch(_OWN, account)]
        await pool.execute(_CLOSE, scopes)
        done.workspaces = len(scopes)
        done.documents = await _empty(pool, scopes, told)
        async with transaction(pool) as connection:
            await _rows(connection, account)
            await connection.execute(_EMPTY_SCOPES, scopes)
            await connection.execute(_NAMELESS, scopes)
            await connection.execute("DELETE FROM accounts WHERE id = $1", account)
    return done


async def _empty(pool: Pool, scopes: list[str], told: Callable[[UUID], None]) -> int:
    """Remove the content of every document of these scopes; how many there were."""
    documents, leftovers = Documents(pool), Leftovers(pool)
    count = 0
    while page := await pool.fetch(_DOCUMENTS, scopes, _PAGE):
        for row in page:
            document = row["id"]
            await documents.delete(document)
            told(document)
            await leftovers.forget(document)
            await documents.purge(document)
            count += 1
    return count


async def _rows(connection: Connection, account: str) -> None:
    """Rows of the account in any table, and its name in all others."""
    for use in await connection.fetch(_USES, account):
        await books.release(connection, use["kind"], use["holder"], use["hash"])
    owning = await columns(connection, OWNING)
    for table in reversed(await tables_in_order(connection)):
        for each in owning:
            if each.table == table and table not in _APART:
                await connection.execute(
                    f'DELETE FROM "{table}" WHERE "{each.name}" = $1',  # noqa: S608
                    account,
                )
    await connection.execute("DELETE FROM blob_accounts WHERE account = $1", account)
    await connection.execute("UPDATE documents SET owner = NULL WHERE owner = $1", account)
    await connection.execute(
        "UPDATE updates SET device = NULL WHERE author = $1", account, timeout=_LONG_S
    )
    for each in await columns(connection, WRITING):
        nobody = None if each.is_nullable else GONE
        await connection.execute(
            f'UPDATE "{each.table}" SET "{each.name}" = $2 WHERE "{each.name}" = $1',  # noqa: S608
            account,
            nobody,
            timeout=_LONG_S,
        )
    await connection.execute(_NO_AUTHOR, account, timeout=_LONG_S)
