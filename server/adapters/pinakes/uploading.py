"""Uploads that are to become files: begun, taken up again, completed, given up.

An upload whose bytes are all here belongs to the library at once; then it becomes a file in one
transaction, judged by the base that was reported for it. What a crash leaves between the two is
taken up by whoever completes it again, or in the background.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID, uuid4

from server.adapters.pinakes.deciding import MODIFIED, Reported
from server.adapters.pinakes.libraries import Settled, Shelves
from server.errors import ApiError, BodyTooLarge, NotFound
from server.files import Files
from storage.blobs import Blob
from storage.errors import (
    ChunkLength,
    ChunksMissing,
    HashMismatch,
    StoreUnavailable,
    TooLarge,
    UnknownUpload,
    UploadConflict,
)
from storage.pinakes import KIND, sessions
from storage.pinakes.libraries import Library
from storage.pinakes.sessions import Session, Sessions
from storage.pinakes.writing import NO_DEVICE, Pending, Writing, keep
from storage.pool import Connection, Pool
from storage.uploads import Upload

KIB, MIB = 1 << 10, 1 << 20
CHUNK_BYTES = 4 * MIB
CHUNK_BYTES_MIN, CHUNK_BYTES_MAX = 64 * KIB, 16 * MIB


class Found(NamedTuple):
    """An upload, what it is besides, and the chunks of it that are here."""

    upload: Upload
    session: Session
    received: list[int]


class Uploading:
    """The uploads of all libraries. Methods may raise Unavailable and StoreUnavailable."""

    def __init__(self, shelves: Shelves, files: Files, pool: Pool) -> None:
        self._shelves = shelves
        self._files = files
        self.settings = files.settings
        self.store = Sessions(pool, self.settings.pinakes_upload_expiry_s)
        self._completing: dict[str, asyncio.Task[None]] = {}

    async def begin(
        self,
        account: str,
        device: UUID | None,
        path: str,
        blob: Blob,
        chunk: int,
    ) -> Found:
        """Begin an upload of what is to be this blob, or go on with the one for the same path.

        Raises BodyTooLarge, QuotaExceeded, TooManyUploads, ApiError.
        """
        digest, size = blob.digest, blob.size
        settings = self.settings
        if size > settings.file_bytes_max:
            raise BodyTooLarge(settings.file_bytes_max)
        least = -(-size // settings.upload_chunks_max)
        chunk_size = max(least, CHUNK_BYTES_MIN, min(chunk, CHUNK_BYTES_MAX))
        wanted = Upload(
            id=str(uuid4()),
            account=account,
            payer=account,
            kind=KIND,
            target=path,
            hash=digest,
            size=size,
            chunk_size=chunk_size,
            name=path.rpartition("/")[2],
            mime_type="",
        )
        await self.expire(account, path)
        try:
            upload = await self._files.uploads.begin(
                wanted, quota=settings.account_bytes_max, most=settings.uploads_per_account_max
            )
        except UploadConflict as error:
            raise ApiError(HTTPStatus.BAD_REQUEST, "upload_conflict", str(error)) from None
        await self.store.begin(upload.id, device or NO_DEVICE)
        return await self.find(account, upload.id)

    async def find(self, account: str, upload: str) -> Found:
        """Somebody's upload. Raises NotFound."""
        try:
            name = str(UUID(upload))
        except ValueError:
            raise NotFound from None
        found = await self.store.find(account, name)
        if found is None:
            raise NotFound
        return Found(*found, await self._files.uploads.received(found[0]))

    async def put(
        self,
        found: Found,
        index: int,
        parts: AsyncIterable[bytes],
        digest: bytes | None,
        length: int | None,
    ) -> Found:
        """Take in a chunk, exactly as long as it must be; `length` is what the request says of it.

        Raises ChunkOutOfRange, ChunkLength, ApiError, HashMismatch.
        """
        upload, session, _ = found
        expected = upload.length(index)
        if upload.completed_at is not None:
            raise ApiError(HTTPStatus.BAD_REQUEST, "upload_complete", "this upload is complete")
        if length is not None and length != expected:
            raise ChunkLength(length, expected)
        checked = parts if digest is None else _checked(parts, digest)
        with self._files.transfer():
            try:
                await self._files.uploads.put(upload, index, checked)
            except TooLarge:
                raise ChunkLength(expected + 1, expected) from None
        if session.failed:
            await self.store.set_failed(upload.id, failed=False)
        return await self.find(upload.account, upload.id)

    async def cancel(self, found: Found) -> None:
        """Give an upload up. Raises NotFound where it is complete."""
        if not await self._files.uploads.cancel(found.upload):
            raise NotFound

    # -- complete -----------------------------------------------------------------------

    async def complete(self, found: Found) -> Found:
        """Make a file of an upload; however often it is asked, it becomes one once.

        Goes on when the caller goes away: it will ask again. Raises ApiError (400).
        """
        key = found.upload.id
        task = self._completing.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._complete(found))
            self._completing[key] = task
            task.add_done_callback(lambda done: self._completed(key, done))
        await asyncio.shield(task)
        return await self.find(found.upload.account, key)

    def _completed(self, key: str, task: asyncio.Task[None]) -> None:
        self._completing.pop(key, None)
        if not task.cancelled():
            task.exception()  # Whoever waits gets it; nobody may be waiting any more.

    async def _complete(self, found: Found) -> None:
        upload, session, _ = found
        library = await self._shelves.of(upload.account)
        if upload.completed_at is None:
            await self._receive(library, upload)
        if session.published_at is None:
            await self._publish(library, upload, session)

    async def _receive(self, library: Library, upload: Upload) -> None:
        quota = self.settings.account_bytes_max

        async def finish(connection: Connection, blob: Blob) -> None:
            await keep(connection, library.scope, upload.account, blob, quota)

        try:
            await self._files.uploads.complete(upload, finish)
        except HashMismatch:
            await self.store.set_failed(upload.id, failed=True)
            raise
        except (ChunksMissing, StoreUnavailable, UnknownUpload) as error:
            found = await self.store.find(upload.account, upload.id)
            if found is None:
                raise NotFound from None  # It was given up meanwhile.
            if found[0].completed_at is None:
                if isinstance(error, ChunksMissing):
                    raise Incomplete(error) from error
                raise
            # Another node was faster, and has taken the chunks.

    async def _publish(self, library: Library, upload: Upload, session: Session) -> None:
        pending: list[Pending] = []
        is_done = False

        async def find(writing: Writing) -> tuple[Reported, UUID | None] | None:
            nonlocal is_done
            pending.clear()
            is_done = not await sessions.lock(writing, upload.id)
            if is_done:
                return None  # Another node was faster.
            found = await writing.pending(upload.target, upload.hash, session.device)
            if found is not None:
                pending.append(found)
                return _of_pending(found), _device(found.device)
            if await _is_kept_back(writing, upload, session.device):
                return None
            forced = Reported(path=upload.target, change=MODIFIED, hash=upload.hash, is_forced=True)
            return forced, _device(session.device)

        async def note(writing: Writing, settled: Settled) -> None:
            if is_done:
                return
            if pending:
                await writing.drop_pending([(pending[0].path, pending[0].device)])
            conflict = None if settled.conflict is None else settled.conflict.id
            await sessions.published(writing, upload.id, settled.hash, conflict)

        await self._shelves.settle(library, find, note)

    async def expire(self, account: str | None = None, path: str = "") -> None:
        """Give up uploads with which nobody went on: all of them, or somebody's for a path."""
        for upload in await self.store.expired(account, path):
            await self._files.uploads.cancel(upload)

    async def mend(self, now: datetime) -> int:
        """Make files of uploads that a crash kept from it; how many."""
        found = await self.store.unpublished(now - timedelta(minutes=1))
        for upload, account in found:
            again = await self.find(account, upload)
            await self.complete(again)
        return len(found)

    async def stop(self) -> None:
        """Wait for what is under way."""
        for task in list(self._completing.values()):
            await asyncio.wait([task], timeout=5)


class Incomplete(ApiError):
    """Chunks are missing."""

    def __init__(self, error: ChunksMissing) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, "missing_chunks", str(error))
        self.facts = {
            "missing_chunks": error.facts["missing"],
            "missing_count": error.facts["missing_count"],
        }


async def _is_kept_back(writing: Writing, upload: Upload, device: UUID) -> bool:
    """Whether the bytes are one side of a conflict, or not what the device promised last."""
    conflicts = await writing.conflicts([upload.target])
    if any(one.local_hash == upload.hash for one in conflicts):
        return True
    return await writing.awaits_other(upload.target, device)


def _of_pending(found: Pending) -> Reported:
    return Reported(
        path=found.path,
        change=found.change,
        hash=found.hash,
        base=found.base,
        mtime=found.mtime,
        old_path=found.old_path,
    )


def _device(device: UUID) -> UUID | None:
    return None if device == NO_DEVICE else device


async def _checked(parts: AsyncIterable[bytes], digest: bytes) -> AsyncIterator[bytes]:
    """The parts, if all of them have this SHA-256: the last one is held back until it is known."""
    found, held = sha256(), b""
    async for part in parts:
        found.update(part)
        if held:
            yield held
        held = part
    if found.digest() != digest:
        raise HashMismatch(digest, found.digest())
    if held:
        yield held


def expires_at(found: Found, expiry_s: float) -> datetime:
    """When an upload with which nobody goes on is forgotten."""
    return found.session.touched_at.astimezone(UTC) + timedelta(seconds=expiry_s)
