"""What was made of blobs: pictures by the server and by clients, and facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from storage.blobs import books
from storage.blobs.books import DERIVED, Use
from storage.errors import reaching
from storage.extracts import storable
from storage.pool import Asked, Pool, transaction

PICTURE = "picture"
"""The kind of use of a blob by a picture that a client made; the holder is the block's document."""


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that was made of a blob, or why there is none."""

    blob: bytes | None
    mime: str
    width: int
    height: int
    refused: str | None
    reason: str
    at: datetime


class ClientPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that a client made of a file of a block."""

    document: UUID
    source: bytes
    kind: str
    size: str
    key: str
    blob: bytes
    mime: str
    width: int
    height: int
    author: str


_DERIVED = ", ".join(Derived.__struct_fields__)
_PICTURE = ", ".join(ClientPicture.__struct_fields__)
_FIND = f"SELECT {_DERIVED} FROM derived WHERE source = $1 AND variant = $2"  # noqa: S608
_COUNT = "SELECT count(*) FROM derived WHERE source = $1"
_KEEP = """
INSERT INTO derived (source, variant, blob, mime, width, height, refused, reason)
SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE EXISTS (SELECT FROM blobs WHERE hash = $1)
ON CONFLICT (source, variant) DO UPDATE SET blob = excluded.blob, mime = excluded.mime,
    width = excluded.width, height = excluded.height, refused = excluded.refused,
    reason = excluded.reason, at = now()
"""
_FORGET = "DELETE FROM derived WHERE source = $1"
_FORGET_FACTS = "DELETE FROM facts WHERE source = $1"
_FACTS = "SELECT facts, position FROM facts WHERE source = ANY ($1)"
_KEEP_FACTS = """
INSERT INTO facts (source, facts, position)
SELECT $1, $2::jsonb, $3::jsonb WHERE EXISTS (SELECT FROM blobs WHERE hash = $1)
ON CONFLICT (source) DO UPDATE SET facts = excluded.facts, position = excluded.position, at = now()
"""
_POSITIONS = "SELECT source, position FROM facts WHERE source = ANY ($1) AND position IS NOT NULL"
_UNDESCRIBED = """
SELECT id FROM files WHERE announced AND described_at IS NULL ORDER BY created_at LIMIT $1
"""
_DESCRIBED = """
UPDATE files SET described_at = now(), mime_type = coalesce($2, mime_type), width = $3, height = $4,
    duration_s = $5, exif = $6::jsonb
WHERE id = $1
"""
# Kinds of which a helper can say no more than their first bytes do are described with it.
_ANNOUNCED = """
UPDATE files SET announced = true, described_at = CASE
    WHEN mime_type ~ '^(image|video|audio)/' OR mime_type = 'application/pdf' THEN described_at
    ELSE coalesce(described_at, now()) END
WHERE id = ANY ($1)
"""
_OF_SCOPE = """
SELECT f.id FROM files f JOIN documents d ON d.id = f.document
WHERE d.scope = $1 AND d.purged_at IS NULL AND f.id > $2 ORDER BY f.id LIMIT $3
"""
_PUT = f"""
INSERT INTO client_pictures ({_PICTURE}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (document, source, kind, size) DO UPDATE SET key = excluded.key, blob = excluded.blob,
    mime = excluded.mime, width = excluded.width, height = excluded.height,
    author = excluded.author, at = now()
"""  # noqa: S608
_OLD = """
SELECT blob FROM client_pictures WHERE document = $1 AND source = $2 AND kind = $3 AND size = $4
FOR UPDATE
"""
_STILL_USED = "SELECT EXISTS (SELECT FROM client_pictures WHERE document = $1 AND blob = $2)"
_GET = f"""
SELECT {_PICTURE} FROM client_pictures WHERE document = $1 AND source = $2
AND kind = ANY ($3) AND size = ANY ($4) ORDER BY array_position($3, kind), at DESC LIMIT 1
"""  # noqa: S608
_COUNT_OF = "SELECT count(*) FROM client_pictures WHERE document = $1"
_FORGET_OF = "DELETE FROM client_pictures WHERE document = $1"


async def forget(asked: Asked, document: UUID) -> None:
    """A document lost its content for good: the pictures that clients made for it go with it."""
    await asked.execute(_FORGET_OF, document)
    await books.release(asked, PICTURE, str(document))


class Derivations:
    """All of it. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, source: bytes, variant: str) -> Derived | None:
        """What was made of a blob before."""
        with reaching():
            row = await self._pool.fetchrow(_FIND, source, variant)
        return None if row is None else Derived(**row)

    async def count(self, source: bytes) -> int:
        """How many pictures and refusals of a blob are kept."""
        with reaching():
            found: int = await self._pool.fetchval(_COUNT, source)
        return found

    async def keep(
        self, source: bytes, variant: str, blob: bytes, mime: str, size: tuple[int, int]
    ) -> None:
        """A picture was made; its blob is used by its source from now on. Raises UnknownBlob."""
        with reaching():
            async with transaction(self._pool) as connection:
                await books.use(connection, blob, Use(kind=DERIVED, holder=source.hex()))
                await connection.execute(_KEEP, source, variant, blob, mime, *size, None, "")

    async def refuse(self, source: bytes, variant: str, refused: str, reason: str) -> None:
        """No picture can be made."""
        with reaching():
            await self._pool.execute(
                _KEEP, source, variant, None, "", 0, 0, refused, storable(reason)
            )

    async def forget(self, source: bytes) -> None:
        """Everything that was made of a blob is to be made again."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(_FORGET, source)
                await connection.execute(_FORGET_FACTS, source)
                await books.release(connection, DERIVED, source.hex())

    async def forget_facts(self, source: bytes) -> None:
        """A file is to be looked at again."""
        with reaching():
            await self._pool.execute(_FORGET_FACTS, source)

    # -- facts --------------------------------------------------------------------------

    async def facts(self, source: bytes) -> tuple[dict[str, Any], dict[str, Any] | None] | None:
        """What a file says of itself, and where it was taken."""
        with reaching():
            row = await self._pool.fetchrow(_FACTS, [source])
        if row is None:
            return None
        position = None if row["position"] is None else msgspec.json.decode(row["position"])
        return msgspec.json.decode(row["facts"]), position

    async def keep_facts(
        self, source: bytes, facts: dict[str, Any], position: dict[str, Any] | None
    ) -> None:
        """Note them."""
        with reaching():
            await self._pool.execute(
                _KEEP_FACTS,
                source,
                msgspec.json.encode(facts).decode(),
                None if position is None else msgspec.json.encode(position).decode(),
            )

    async def positions(self, sources: Sequence[bytes]) -> dict[bytes, dict[str, Any]]:
        """Where files were taken, of those that say so."""
        if not sources:
            return {}
        with reaching():
            rows = await self._pool.fetch(_POSITIONS, list(sources))
        return {row["source"]: msgspec.json.decode(row["position"]) for row in rows}

    async def undescribed(self, limit: int) -> list[str]:
        """Ids of files that nobody looked at yet, the oldest first."""
        with reaching():
            return [row["id"] for row in await self._pool.fetch(_UNDESCRIBED, limit)]

    async def announced(self, files: Sequence[str]) -> None:
        """Blocks say by now that these files are here; their kinds were told by their bytes."""
        if files:
            with reaching():
                await self._pool.execute(_ANNOUNCED, list(files))

    async def described(self, file: str, facts: dict[str, Any] | None) -> None:
        """Somebody looked at a file; without facts there was nothing to be seen."""
        known = facts or {}
        exif = msgspec.json.encode(known["exif"]).decode() if known.get("exif") else None
        with reaching():
            await self._pool.execute(
                _DESCRIBED,
                file,
                known.get("mime"),
                known.get("width"),
                known.get("height"),
                known.get("duration"),
                exif,
            )

    async def files_of_scope(self, scope: str, after: str, limit: int) -> list[str]:
        """Ids of the files of a workspace, in their order."""
        with reaching():
            rows = await self._pool.fetch(_OF_SCOPE, scope, after, limit)
        return [row["id"] for row in rows]

    # -- pictures of clients ------------------------------------------------------------

    async def put(self, picture: ClientPicture, payer: str, quota: int | None) -> None:
        """Keep a client's picture in place of the one before. Raises UnknownBlob, QuotaExceeded."""
        place = (picture.document, picture.source, picture.kind, picture.size)
        use = Use(kind=PICTURE, holder=str(picture.document), account=payer)
        with reaching():
            async with transaction(self._pool) as connection:
                await books.use(connection, picture.blob, use, quota)
                old = await connection.fetchval(_OLD, *place)
                await connection.execute(_PUT, *msgspec.structs.astuple(picture))
                if old is not None and not await connection.fetchval(
                    _STILL_USED, picture.document, old
                ):
                    await books.release(connection, PICTURE, str(picture.document), old)

    async def get(
        self, document: UUID, source: bytes, kinds: Sequence[str], sizes: Sequence[str]
    ) -> ClientPicture | None:
        """A client's picture of one of these kinds, the first the best."""
        with reaching():
            row = await self._pool.fetchrow(_GET, document, source, list(kinds), list(sizes))
        return None if row is None else ClientPicture(**row)

    async def count_of(self, document: UUID) -> int:
        """How many pictures clients made for a block."""
        with reaching():
            found: int = await self._pool.fetchval(_COUNT_OF, document)
        return found
