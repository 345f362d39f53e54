"""Bytes on their way in: cut into pieces, counted, hashed and written.

Memory is flat: at most one piece is being written while the next is gathered. Hash and disk work in
threads, side by side.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable
from hashlib import sha256

from storage.blobs.store import PIECE_BYTES, Incoming
from storage.errors import StorageError, TooLarge


class Receiving:
    """One stream into one `Incoming`: `take` all of it, then publish or discard that."""

    def __init__(self, incoming: Incoming, bytes_max: int, *, hashed: bool = True) -> None:
        self._incoming = incoming
        self._bytes_max = bytes_max
        self._sha = sha256() if hashed else None
        self._parts: list[bytes] = []
        self._gathered = 0
        self._writing: asyncio.Task[None] | None = None
        self.size = 0

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was taken, where it is hashed."""
        assert self._sha is not None
        return self._sha.digest()

    async def take(self, parts: AsyncIterable[bytes]) -> None:
        """Write a stream to its end. Raises TooLarge, StoreUnavailable, and what `parts` raises."""
        try:
            async for part in parts:
                await self._add(part)
            await self._flush()
            await self._settle()
        except BaseException:
            # Nothing may still be written when the caller discards it.
            with contextlib.suppress(StorageError):
                await self._settle()
            raise

    async def _add(self, part: bytes) -> None:
        self.size += len(part)
        if self.size > self._bytes_max:
            raise TooLarge(self._bytes_max)
        self._parts.append(part)
        self._gathered += len(part)
        if self._gathered >= PIECE_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        await self._settle()
        if self._gathered:
            piece = b"".join(self._parts)
            self._parts, self._gathered = [], 0
            self._writing = asyncio.get_running_loop().create_task(self._write(piece))

    async def _settle(self) -> None:
        """Wait for the piece that is being written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    async def _write(self, piece: bytes) -> None:
        if self._sha is None:
            await self._incoming.write(piece)
            return
        hashing = asyncio.to_thread(self._sha.update, piece)
        await asyncio.gather(hashing, self._incoming.write(piece))
