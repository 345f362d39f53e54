"""Uploads in pieces: begun, sent in any order, taken up again after a crash or on another node.

    begin → put, put, … → complete       (or nothing for long: expire)

What is known of an upload is in PostgreSQL, and the bytes of its chunks are in the blob store, each
under a name of its own, so that a chunk is there whole or not at all and may come again. `complete`
reads them in order into one blob, whose SHA-256 must be the one that was announced. Kind and target
say what an upload is for: every adapter has its own kinds. Lock order: accounts, uploads, blobs.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from storage.blobs import Blob, Blobs, books
from storage.blobs.receiving import Receiving
from storage.errors import (
    ChunkLength,
    ChunkOutOfRange,
    ChunksMissing,
    StoreUnavailable,
    TooManyUploads,
    UnknownBlob,
    UnknownUpload,
    UploadConflict,
    reaching,
)
from storage.extracts import storable
from storage.pool import Connection, Pool, transaction

T = TypeVar("T")

FOLDER = "uploads"
MISSING_LISTED_MAX = 1000
"""Missing chunks that are named at most."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that somebody began."""

    id: str
    account: str
    payer: str
    kind: str
    target: str
    hash: bytes
    size: int
    chunk_size: int
    name: str
    mime_type: str
    completed_at: datetime | None = None

    @property
    def total_chunks(self) -> int:
        """How many chunks there are; none for an empty file."""
        return -(-self.size // self.chunk_size)

    def length(self, number: int) -> int:
        """How long a chunk is, exactly. Raises ChunkOutOfRange."""
        if not 0 <= number < self.total_chunks:
            raise ChunkOutOfRange(number, self.total_chunks)
        return min(self.chunk_size, self.size - number * self.chunk_size)


def _sql(text: str) -> str:
    return text.replace("RECORD", ", ".join(Upload.__struct_fields__))


_FIND = _sql("""
SELECT RECORD FROM uploads WHERE account = $1 AND kind = $2 AND target = $3 AND hash = $4
""")
_BEGIN = """
INSERT INTO uploads (id, account, payer, kind, target, hash, size, chunk_size, name, mime_type)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_COUNT = "SELECT count(*) FROM uploads WHERE account = $1 AND completed_at IS NULL"
_REMOVE = "DELETE FROM uploads WHERE id = $1"
_HAS_CHUNKS = "SELECT EXISTS (SELECT FROM upload_chunks WHERE upload = $1)"
_PUT = """
WITH alive AS (
    UPDATE uploads SET touched_at = now() WHERE id = $1 AND completed_at IS NULL RETURNING id
), old AS (
    SELECT place FROM upload_chunks WHERE upload = $1 AND number = $2
)
INSERT INTO upload_chunks (upload, number, place) SELECT id, $2, $3 FROM alive
ON CONFLICT (upload, number) DO UPDATE SET place = excluded.place
RETURNING coalesce((SELECT place FROM old), '') AS replaced
"""
_NUMBERS = "SELECT number FROM upload_chunks WHERE upload = $1 ORDER BY number"
_PLACES = "SELECT number, place FROM upload_chunks WHERE upload = $1 ORDER BY number"
_COMPLETE = """
UPDATE uploads SET completed_at = now(), touched_at = now()
WHERE id = $1 AND completed_at IS NULL RETURNING true
"""
_TAKE_CHUNKS = "DELETE FROM upload_chunks WHERE upload = $1 RETURNING place"
_OLD = "SELECT id, payer, size FROM uploads WHERE touched_at < $1 ORDER BY touched_at LIMIT $2"
_LOCK_OLD = """
SELECT completed_at IS NULL AS is_open FROM uploads
WHERE id = $1 AND ($2::timestamptz IS NULL OR touched_at < $2) FOR UPDATE
"""
_KNOWN_PLACES = "SELECT place FROM upload_chunks WHERE upload = ANY($1)"


class Uploads:
    """All uploads. Methods may raise Unavailable and StoreUnavailable."""

    def __init__(self, pool: Pool, blobs: Blobs) -> None:
        self._pool = pool
        self._blobs = blobs

    async def find(self, account: str, kind: str, target: str, digest: bytes) -> Upload | None:
        """Somebody's upload of a hash to a target; only they can find it."""
        with reaching():
            return await _find(self._pool, account, kind, target, digest)

    async def begin(self, wanted: Upload, *, quota: int | None, most: int) -> Upload:
        """Begin an upload, or find the one that was begun before, as it was begun.

        Raises QuotaExceeded, TooManyUploads (`most` are open), and UploadConflict where one of the
        same hash is under way that has another size.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                await books.lock(connection, wanted.payer)
                known = await _find(
                    connection, wanted.account, wanted.kind, wanted.target, wanted.hash
                )
                if known is not None and known.completed_at is None:
                    if await self._keeps(connection, known, wanted):
                        return known
                    await books.unreserve(connection, known.payer, known.size)
                if known is not None:
                    await connection.execute(_REMOVE, known.id)
                if await connection.fetchval(_COUNT, wanted.account) >= most:
                    raise TooManyUploads(most)
                await books.reserve(connection, wanted.payer, wanted.size, quota)
                await connection.execute(
                    _BEGIN,
                    wanted.id,
                    wanted.account,
                    wanted.payer,
                    wanted.kind,
                    wanted.target,
                    wanted.hash,
                    wanted.size,
                    wanted.chunk_size,
                    storable(wanted.name),
                    storable(wanted.mime_type),
                )
        return wanted

    async def received(self, upload: Upload) -> list[int]:
        """The numbers of the chunks that are here, in order; of a completed upload all."""
        if upload.completed_at is not None:
            return list(range(upload.total_chunks))
        with reaching():
            rows = await self._pool.fetch(_NUMBERS, upload.id)
        return [row["number"] for row in rows]

    async def put(self, upload: Upload, number: int, parts: AsyncIterable[bytes]) -> int:
        """Store a chunk, in place of one that came before; its length. Durable when this returns.

        Raises ChunkOutOfRange, TooLarge or ChunkLength (it must be exact), UnknownUpload (it was
        completed or given up meanwhile), and whatever `parts` raises.
        """
        length = upload.length(number)
        place = f"{FOLDER}/{upload.id}-{number}-{secrets.token_hex(8)}"
        incoming = await self._blobs.store.receive(place)
        receiving = Receiving(incoming, length, hashed=False)
        try:
            await receiving.take(parts)
            _measure(receiving.size, length)
        except BaseException:
            await incoming.discard()
            raise
        await incoming.publish(place)
        with reaching():
            replaced = await self._pool.fetchval(_PUT, upload.id, number, place)
        if replaced is None:
            await self._blobs.store.delete(place)
            raise UnknownUpload
        if replaced:
            await self._blobs.store.delete(replaced)
        return length

    async def complete(
        self, upload: Upload, finish: Callable[[Connection, Blob], Awaitable[T]]
    ) -> T:
        """Make one blob of the chunks and let `finish` note, in one transaction, who uses it.

        Raises ChunksMissing and HashMismatch; the upload is kept then, and chunks may come again.
        UnknownUpload where it was completed or given up meanwhile. What was set aside of the quota
        is free again inside the transaction, before `finish` is called.
        """
        with reaching():
            rows = await self._pool.fetch(_PLACES, upload.id)
        places = {row["number"]: row["place"] for row in rows}
        missing = [number for number in range(upload.total_chunks) if number not in places]
        if missing:
            raise ChunksMissing(missing[:MISSING_LISTED_MAX], len(missing))
        blob = await self._blobs.receive(
            self._whole(upload, places), bytes_max=upload.size, expected=upload.hash
        )
        with reaching():
            async with transaction(self._pool) as connection:
                await books.lock(connection, upload.payer)
                if not await connection.fetchval(_COMPLETE, upload.id):
                    raise UnknownUpload
                await books.unreserve(connection, upload.payer, upload.size)
                done = await finish(connection, blob)
                taken = await connection.fetch(_TAKE_CHUNKS, upload.id)
        await self._delete([row["place"] for row in taken])
        return done

    async def expire(self, before: datetime, limit: int) -> int:
        """Forget uploads that nobody touched since a moment; how many."""
        with reaching():
            old = await self._pool.fetch(_OLD, before, limit)
        for row in old:
            await self._forget(row["id"], row["payer"], row["size"], before)
        return len(old)

    async def cancel(self, upload: Upload) -> bool:
        """Forget an upload that is under way; False where it is not any more."""
        return await self._forget(upload.id, upload.payer, upload.size, None)

    async def _forget(self, upload: str, payer: str, size: int, before: datetime | None) -> bool:
        """Forget an upload, if nobody touched it since; without a moment: if it is under way."""
        with reaching():
            async with transaction(self._pool) as connection:
                await books.lock(connection, payer)
                is_open = await connection.fetchval(_LOCK_OLD, upload, before)
                if is_open is None or (before is None and not is_open):
                    return False
                if is_open:
                    await books.unreserve(connection, payer, size)
                taken = await connection.fetch(_TAKE_CHUNKS, upload)
                await connection.execute(_REMOVE, upload)
        await self._delete([chunk["place"] for chunk in taken])
        return True

    async def sweep(self, before: datetime) -> int:
        """Remove bytes of chunks that no upload knows and that came before a moment; how many."""
        gone = 0
        found: list[str] = []
        async for listed in self._blobs.store.list(FOLDER):
            if listed.at < before:
                found.append(listed.name)
            if len(found) >= MISSING_LISTED_MAX:
                gone += await self._sweep(found)
                found = []
        return gone + await self._sweep(found)

    async def _sweep(self, names: Sequence[str]) -> int:
        uploads = {name.removeprefix(f"{FOLDER}/").partition("-")[0] for name in names}
        with reaching():
            rows = await self._pool.fetch(_KNOWN_PLACES, list(uploads))
        unknown = set(names) - {row["place"] for row in rows}
        await self._delete(unknown)
        return len(unknown)

    async def _delete(self, places: Sequence[str] | set[str]) -> None:
        for place in places:
            await self._blobs.store.delete(place)

    async def _keeps(self, connection: Connection, known: Upload, wanted: Upload) -> bool:
        """Whether a begun upload goes on; one without chunks makes room for another size."""
        if known.size == wanted.size:
            return True
        if await connection.fetchval(_HAS_CHUNKS, known.id):
            raise UploadConflict(known.size)
        return False

    async def _whole(self, upload: Upload, places: dict[int, str]) -> AsyncIterator[bytes]:
        for number in range(upload.total_chunks):
            try:
                async for piece in self._blobs.store.read(places[number], 0, upload.length(number)):
                    yield piece
            except UnknownBlob:
                raise StoreUnavailable(f"chunk {number} was replaced meanwhile") from None


async def _find(
    asked: Pool | Connection, account: str, kind: str, target: str, digest: bytes
) -> Upload | None:
    row = await asked.fetchrow(_FIND, account, kind, target, digest)
    return None if row is None else Upload(**row)


def _measure(size: int, length: int) -> None:
    if size != length:
        raise ChunkLength(size, length)
