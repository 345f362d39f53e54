"""Bytes named by their SHA-256: stored once, streamed both ways, counted, collected.

A part of the program that keeps files does this:

    blob = await blobs.receive(parts, bytes_max=…)       # durable and published, used by nobody yet
    await blobs.use(blob.digest, Use(kind="image", holder=dataset, account=owner), quota=…)
    async for piece in blobs.read(blob.digest): …        # or a range of it; `path` for local files
    await blobs.release("image", dataset)                # all that the holder has, or one of them

What nobody uses is removed by `collect` after a grace time, which also covers the moment between
`receive` and `use`. What the server makes from a blob for itself (a thumbnail) is used with kind
DERIVED and the hash in hex of the source as its holder, and goes when the source goes. Inside a
transaction of one's own use `storage.blobs.books` directly.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec

from storage.blobs import books
from storage.blobs.books import DERIVED, Usage, Use
from storage.blobs.local import LocalStore
from storage.blobs.receiving import Receiving
from storage.blobs.store import Store
from storage.errors import HashMismatch, StoreUnavailable, UnknownBlob, reaching
from storage.pool import Pool, transaction

__all__ = ["DERIVED", "Blob", "Blobs", "LocalStore", "Store", "Usage", "Use", "blob_name"]

COLLECTED_MAX = 100
"""Blobs that one look for unused ones removes."""


class Blob(msgspec.Struct, frozen=True):
    """Bytes that are kept."""

    digest: bytes
    """Their SHA-256, 32 bytes."""
    size: int

    @property
    def hash(self) -> str:
        """The digest as APIs spell it: 64 small hex digits."""
        return self.digest.hex()


def blob_name(digest: bytes) -> str:
    """The name of a blob in a store."""
    text = digest.hex()
    return f"blobs/{text[:2]}/{text}"


class Blobs:
    """All blobs of a server. Methods may raise Unavailable (database) and StoreUnavailable."""

    def __init__(self, pool: Pool, store: Store, *, grace_s: float) -> None:
        self._pool = pool
        self.store = store
        self._grace = timedelta(seconds=grace_s)

    async def receive(
        self, parts: AsyncIterable[bytes], *, bytes_max: int, expected: bytes | None = None
    ) -> Blob:
        """Store a stream, at most `bytes_max` long; it is durable when this returns.

        `expected` is the digest that the bytes should have: raises HashMismatch where it differs,
        TooLarge over the bound, and whatever `parts` raises; nothing is kept then.
        """
        incoming = await self.store.receive(blob_name(expected) if expected else None)
        receiving = Receiving(incoming, bytes_max)
        try:
            await receiving.take(parts)
            digest = receiving.digest
            _compare(expected, digest)
            with reaching():
                await books.begin(self._pool, digest, receiving.size)
        except BaseException:
            await incoming.discard()
            raise
        await incoming.publish(blob_name(digest))
        with reaching():
            if not await books.finish(self._pool, digest):
                raise StoreUnavailable("the blob was collected while it was stored")
        return Blob(digest, receiving.size)

    async def find(self, digest: bytes) -> Blob | None:
        """A blob that is kept, or None."""
        with reaching():
            size = await books.find(self._pool, digest)
        return None if size is None else Blob(digest, size)

    def read(self, blob: Blob, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (its size), in pieces. Raises UnknownBlob."""
        return self.store.read(blob_name(blob.digest), start, blob.size if end is None else end)

    async def whole(self, digest: bytes, bytes_max: int) -> bytes:
        """All bytes of a small blob. Raises UnknownBlob, also where it is over `bytes_max`."""
        blob = await self.find(digest)
        if blob is None or blob.size > bytes_max:
            raise UnknownBlob(digest.hex())
        return b"".join([piece async for piece in self.read(blob)])

    async def digest_of(self, blob: Blob) -> bytes:
        """The digest of the bytes that stand there now. Raises UnknownBlob."""
        found = sha256()
        async for piece in self.read(blob):
            await asyncio.to_thread(found.update, piece)
        return found.digest()

    def path(self, digest: bytes) -> Path | None:
        """The file of a blob where the store is a folder, else None. Not to be written to."""
        return self.store.path(blob_name(digest))

    async def use(self, digest: bytes, by: Use, quota: int | None = None) -> bool:
        """Note that somebody needs a blob; whether that is new.

        Raises UnknownBlob (it was collected: store it again) and QuotaExceeded.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                return await books.use(connection, digest, by, quota)

    async def release(self, kind: str, holder: str, digest: bytes | None = None) -> list[bytes]:
        """A holder needs one blob, or all of its blobs, no more; which those were."""
        with reaching():
            return await books.release(self._pool, kind, holder, digest)

    async def usage(self, account: str) -> Usage:
        """What an account uses."""
        with reaching():
            return await books.usage(self._pool, account)

    async def collect(self, now: datetime, limit: int = COLLECTED_MAX) -> int:
        """Remove blobs that nobody used for the grace time; how many went."""
        before = now - self._grace
        with reaching():
            found = await books.condemn(self._pool, before, limit)
        gone = 0
        for digest in found:
            with reaching():
                async with transaction(self._pool) as connection:
                    if not await books.lock_condemned(connection, digest, before):
                        continue
                    await self.store.delete(blob_name(digest))
                    await books.release(connection, DERIVED, digest.hex())
                    await books.forget(connection, digest)
            gone += 1
        return gone


def _compare(expected: bytes | None, found: bytes) -> None:
    if expected is not None and expected != found:
        raise HashMismatch(expected, found)
