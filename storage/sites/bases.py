"""What each client had last of each Markdown file: the text from which its next change is told.

Bytes that a client had are kept while it may come back; two clients of one folder thus do not undo
what the other has brought.
"""

from __future__ import annotations

from storage.blobs import books
from storage.blobs.books import Use
from storage.errors import reaching
from storage.extracts import storable
from storage.pool import Pool, transaction

KIND = "site-base"
"""The kind of use of a blob; the holder is SITE/CLIENT/PATH."""

_FIND = "SELECT hash FROM site_bases WHERE site = $1 AND path = $2 AND client = $3"
_PUT = """
INSERT INTO site_bases (site, path, client, hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (site, path, client) DO UPDATE SET hash = excluded.hash, at = now()
"""
_DROP = "DELETE FROM site_bases WHERE site = $1 AND path = $2 RETURNING client"


class Bases:
    """The last bytes of each client. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, site: str, path: str, client: str) -> bytes | None:
        """The digest of what a client had last of a file."""
        with reaching():
            found: bytes | None = await self._pool.fetchval(_FIND, site, storable(path), client)
        return found

    async def put(self, site: str, path: str, client: str, digest: bytes) -> None:
        """A client has these bytes now; what it had before is let go. Raises UnknownBlob."""
        holder = f"{site}/{client}/{path}"
        with reaching():
            async with transaction(self._pool) as connection:
                before = await connection.fetchval(_FIND, site, storable(path), client)
                if before == digest:
                    return
                await books.use(connection, digest, Use(kind=KIND, holder=holder))
                await connection.execute(_PUT, site, storable(path), client, digest)
                if before is not None:
                    await books.release(connection, KIND, holder, before)

    async def drop(self, site: str, path: str) -> None:
        """A file is gone: nobody's bytes of it are needed."""
        with reaching():
            rows = await self._pool.fetch(_DROP, site, storable(path))
            for row in rows:
                await books.release(self._pool, KIND, f"{site}/{row['client']}/{path}")
