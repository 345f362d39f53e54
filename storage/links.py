"""Links to single documents: document tokens that are kept, listed and revoked.

A link borrows the rights of the account that made it; revoking one moves that account's version.
"""

from uuid import UUID

import msgspec

from auth.principal import Role
from storage.accounts import BUMP, LOCK
from storage.errors import reaching
from storage.pool import Pool, transaction


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One link: all but its secret. Times are epoch seconds."""

    id: str
    document: UUID
    account: str
    """Who made it."""
    role: Role
    name: str
    created_at: float
    expires_at: float | None


class Opens(msgspec.Struct, frozen=True, kw_only=True):
    """What a link opens."""

    link: Link
    scope: str
    document_name: str


_LINKS = """
SELECT l.id, l.document, l.account, l.role, l.name,
       extract(epoch FROM l.created_at)::float8 AS created_at,
       extract(epoch FROM l.expires_at)::float8 AS expires_at
"""
_LISTED = f"{_LINKS} FROM document_links l WHERE l.document = $1 ORDER BY l.created_at DESC, l.id"
_FIND = f"""
{_LINKS}, d.scope, d.name AS document_name
FROM document_links l JOIN documents d ON d.id = l.document WHERE l.digest = $1
"""
_ADD = """
INSERT INTO document_links (id, document, account, digest, role, name, created_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6, to_timestamp($7), to_timestamp($8)
WHERE (SELECT count(*) FROM document_links WHERE document = $2) < $9
"""
_MAKER = "SELECT account FROM document_links WHERE document = $1 AND id = $2"
_REVOKE = "DELETE FROM document_links WHERE document = $1 AND id = $2"
_SWEEP = """
DELETE FROM document_links WHERE id IN (
    SELECT id FROM document_links WHERE expires_at < to_timestamp($1) LIMIT $2
)
"""


class Links:
    """The links in the database. All methods raise Unavailable when it cannot be reached."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, link: Link, digest: bytes, most: int) -> bool:
        """Keep a new link; False where its document has `most`, or its maker is closed."""
        with reaching():
            async with transaction(self._pool) as connection:
                if await connection.fetchval(LOCK, link.account) != "active":
                    return False
                done = await connection.execute(
                    _ADD,
                    link.id,
                    link.document,
                    link.account,
                    digest,
                    link.role.word,
                    link.name,
                    link.created_at,
                    link.expires_at,
                    most,
                )
        return bool(done == "INSERT 0 1")

    async def of(self, document: UUID) -> list[Link]:
        """The links to a document, the newest first."""
        with reaching():
            rows = await self._pool.fetch(_LISTED, document)
        return [Link(**(dict(row) | {"role": Role.of(row["role"])})) for row in rows]

    async def find(self, digest: bytes) -> Opens | None:
        """What the link with that digest opens, whatever it is worth."""
        with reaching():
            row = await self._pool.fetchrow(_FIND, digest)
        if row is None:
            return None
        facts = dict(row) | {"role": Role.of(row["role"])}
        scope, name = facts.pop("scope"), facts.pop("document_name")
        return Opens(link=Link(**facts), scope=scope, document_name=name)

    async def revoke(self, document: UUID, link: str) -> bool:
        """End a link; what is open with it ends within two seconds."""
        with reaching():
            async with transaction(self._pool) as connection:
                maker = await connection.fetchval(_MAKER, document, link)
                if maker is None:
                    return False
                await connection.execute(BUMP, maker)
                done = await connection.execute(_REVOKE, document, link)
        return bool(done != "DELETE 0")

    async def sweep(self, now: float, most: int) -> int:
        """Remove links that have ended; how many."""
        with reaching():
            return int((await self._pool.execute(_SWEEP, now, most)).split()[1])
