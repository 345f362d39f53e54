"""Bytes in an object store: S3, Google Cloud Storage, Azure, and what speaks as they do.

    s3://bucket/prefix    gs://bucket/prefix    az://container/prefix

A name that is known from the start is written in parts and appears when the last one is confirmed;
bytes whose hash is not known yet go to a name under `incoming` and are copied by the store. Reading
asks for one stretch after the other, so that a slow reader keeps no connection of ours open.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import from_url

from storage.blobs.store import Listed
from storage.errors import StoreUnavailable, UnknownBlob

INCOMING = "incoming"
PART_BYTES = 8 << 20
"""Of an upload, and of a read: object stores want at least 5 MiB of the one."""
_COPIED_AT_ONCE_MAX = 5 << 30
"""What S3 copies in one request."""
_from_url: Any = from_url  # Its hints know one store at a time.
_QUIET: Mapping[str, Any] = {"timeout": "60s", "connect_timeout": "10s"}


class RemoteStore:
    """A bucket, or a prefix in one. `options` are obstore's, such as aws_endpoint."""

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        client: dict[str, Any] = dict(_QUIET)
        if options.get("aws_endpoint", "").startswith("http://"):
            client["allow_http"] = True
        try:
            self._store = _from_url(url, config=dict(options), client_options=client)
        except (BaseError, ValueError, TypeError) as error:
            raise StoreUnavailable(f"{url}: {error}") from error

    async def receive(self, name: str | None = None) -> RemoteIncoming:
        """Begin an object."""
        return RemoteIncoming(self._store, name or f"{INCOMING}/{secrets.token_hex(16)}")

    async def read(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of an object, a part at a time, the next one on its way meanwhile."""
        ahead: asyncio.Future[Any] | None = None
        try:
            at = start
            while at < end:
                if ahead is None:
                    ahead = self._part(name, at, end)
                with _telling(name):
                    part = await ahead
                at += len(part)
                ahead = self._part(name, at, end) if at < end else None
                yield bytes(part)
        finally:
            if ahead is not None:
                await asyncio.wait([ahead])
                ahead.exception()

    def _part(self, name: str, start: int, end: int) -> asyncio.Future[Any]:
        end = min(start + PART_BYTES, end)
        part: asyncio.Future[Any] = asyncio.ensure_future(
            obstore.get_range_async(self._store, name, start=start, end=end)
        )
        return part

    async def size(self, name: str) -> int | None:
        """How long an object is."""
        try:
            with _telling(name):
                found = await obstore.head_async(self._store, name)
        except UnknownBlob:
            return None
        return int(found["size"])

    async def delete(self, name: str) -> None:
        """Remove an object."""
        with contextlib.suppress(UnknownBlob), _telling(name):
            await obstore.delete_async(self._store, name)

    def path(self, name: str) -> Path | None:
        """There are no files."""
        del name
        return None

    async def list(self, prefix: str) -> AsyncIterator[Listed]:
        """The store's own list."""
        stream = obstore.list(self._store, prefix or None, chunk_size=500)
        while True:
            with _telling(prefix):
                found = await anext(stream, None)
            if found is None:
                return
            for one in found:
                yield Listed(one["path"], one["last_modified"])

    async def sweep(self, before: datetime) -> int:
        """Remove objects that were never copied to their name.

        Parts of an upload that broke off have no name: the store's own rule removes them.
        """
        gone = 0
        async for listed in self.list(INCOMING):
            if listed.at < before:
                await self.delete(listed.name)
                gone += 1
        return gone

    async def close(self) -> None:
        """The library closes what it opened."""


class RemoteIncoming:
    """An object that is being written: a stream that obstore reads, in parts."""

    def __init__(self, store: Any, name: str) -> None:  # noqa: ANN401  obstore's union
        self._store = store
        self._name = name
        self._size = 0
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._broken = False
        self._putting = asyncio.ensure_future(self._put())

    async def write(self, data: bytes) -> None:
        """Hand over the next bytes; waits while the store is slower than the sender."""
        self._size += len(data)
        await self._hand(data)

    async def publish(self, name: str) -> None:
        """Confirm the last part; copy, where the name was not known before."""
        try:
            await self._hand(None)
            with _telling(name):
                await self._putting
            if name != self._name:
                await self._copy(name)
        except BaseException:
            await self.discard()
            raise

    async def discard(self) -> None:
        """Break the stream off, which aborts the parts; remove what has a name."""
        self._broken = True
        if not self._putting.done():
            with contextlib.suppress(asyncio.QueueEmpty):
                self._pieces.get_nowait()
            self._pieces.put_nowait(None)
        await asyncio.wait([self._putting])
        if self._putting.exception() is None and self._name.startswith(f"{INCOMING}/"):
            with contextlib.suppress(Exception):
                await obstore.delete_async(self._store, self._name)

    async def _put(self) -> None:
        await obstore.put_async(
            self._store,
            self._name,
            self._stream(),
            chunk_size=PART_BYTES,
            max_concurrency=2,
        )

    async def _stream(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece
        if self._broken:
            raise ConnectionResetError("given up")

    async def _hand(self, piece: bytes | None) -> None:
        """Put a piece into the stream, or raise what ended it."""
        handing = asyncio.ensure_future(self._pieces.put(piece))
        try:
            await asyncio.wait([handing, self._putting], return_when=asyncio.FIRST_COMPLETED)
            if not handing.done():
                with _telling(self._name):
                    await self._putting
                raise StoreUnavailable("the store ended an upload early")
        finally:
            handing.cancel()

    async def _copy(self, name: str) -> None:
        with _telling(name):
            if self._size <= _COPIED_AT_ONCE_MAX:
                await obstore.copy_async(self._store, self._name, name)
            else:
                found = await obstore.get_async(self._store, self._name)
                await obstore.put_async(
                    self._store, name, found.stream(PART_BYTES), chunk_size=PART_BYTES
                )
            await obstore.delete_async(self._store, self._name)


@contextlib.contextmanager
def _telling(name: str) -> Iterator[None]:
    """What the store says in our words; without its own, which quote URLs and keys."""
    try:
        yield
    except (NotFoundError, FileNotFoundError):
        raise UnknownBlob(name) from None
    except (BaseError, OSError, ValueError) as error:
        raise StoreUnavailable(f"{type(error).__name__} at {name}") from error
