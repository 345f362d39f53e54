"""Files of blocks: their bytes, uploads that are under way, and what the blocks say of them.

A file is there once its bytes are durable and one transaction has noted who uses them; then its
block's document is told, as an edit that open editors see. A crash between the two is mended later:
a file that was not announced yet is announced in the background.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from auth.errors import Forbidden
from crdt import files as entries
from crdt.ids import make_ulid
from server.errors import Busy
from storage import files as kept
from storage.blobs import COLLECTED_MAX, Blob, Blobs, LocalStore, Store
from storage.duties import Duties
from storage.errors import ChunksMissing, StorageError, StoreUnavailable, UnknownUpload
from storage.files import FileRecord, NewFile
from storage.pool import Connection
from storage.uploads import Upload, Uploads

if TYPE_CHECKING:
    from server.documents import Documents
    from server.settings import Settings
    from storage.documents import DocumentRecord
    from storage.pool import Pool

log = logging.getLogger("plait.files")

CLEAR_S = 60.0
"""Seconds between two looks for what is to go."""
SWEEP_S = 3600.0
"""Seconds between two searches of the store for what a crash left; it must be that old, too."""
_ANNOUNCED_MAX = 100


class Files:
    """What the routes of every adapter keep files with."""

    def __init__(self, settings: Settings, pool: Pool, documents: Documents) -> None:
        self.settings = settings
        self.store = open_store(settings)
        self.blobs = Blobs(pool, self.store, grace_s=settings.blob_grace_s)
        self.uploads = Uploads(pool, self.blobs)
        self.records = kept.Files(pool)
        self._duties = Duties(pool, secrets.token_hex(8))
        self._documents = documents
        self._completing: dict[str, asyncio.Task[FileRecord]] = {}
        self._task: asyncio.Task[None] | None = None
        self._sweep_at = 0.0
        self._transfers = 0
        documents.metrics.gauge(
            "transfers", "Uploads and downloads of files under way", lambda: self._transfers
        )

    @contextlib.contextmanager
    def transfer(self) -> Iterator[None]:
        """Count an upload or a download while it lasts. Raises Busy where there are too many."""
        if self._transfers >= self.settings.transfers_max:
            raise Busy("too many files are under way")
        self._transfers += 1
        try:
            yield
        finally:
            self._transfers -= 1

    # -- files that came ----------------------------------------------------------------

    def new(self, upload: Upload, block: DocumentRecord) -> NewFile:
        """The file that an upload is to become."""
        return NewFile(
            id=make_ulid(int(time.time() * 1000), secrets.token_bytes(10)),
            document=block.id,
            hash=upload.hash,
            size=upload.size,
            name=upload.name,
            mime_type=upload.mime_type,
            author=upload.account,
            payer=upload.payer,
        )

    async def keep(self, block: DocumentRecord, upload: Upload) -> FileRecord:
        """Give a block a file whose bytes were received in one go. Raises QuotaExceeded."""
        new = self.new(upload, block)
        file = await self.records.add(new, self.settings.account_bytes_max)
        return await self.announce(block, file)

    async def complete(self, block: DocumentRecord, upload: Upload) -> FileRecord:
        """Make a file of the block of an upload in pieces; asked twice, the same answer.

        Goes on when the caller goes away: it will ask again. Raises ChunksMissing, HashMismatch and
        UnknownUpload.
        """
        task = self._completing.get(upload.id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._complete(block, upload))
            self._completing[upload.id] = task
            task.add_done_callback(lambda done: self._completed(upload.id, done))
        return await asyncio.shield(task)

    def _completed(self, upload: str, task: asyncio.Task[FileRecord]) -> None:
        self._completing.pop(upload, None)
        if not task.cancelled():
            task.exception()  # Whoever waits gets it; nobody may be waiting any more.

    async def _complete(self, block: DocumentRecord, upload: Upload) -> FileRecord:
        async def finish(connection: Connection, blob: Blob) -> FileRecord:
            del blob
            return await kept.add(connection, self.new(upload, block))

        try:
            file = await self.uploads.complete(upload, finish)
        except (UnknownUpload, ChunksMissing, StoreUnavailable):
            # Another node, or an earlier call whose answer was lost, may have done it.
            found = await self.records.find(block.id, upload.hash)
            if found is None:
                raise
            file = found
        return await self.announce(block, file)

    async def announce(self, block: DocumentRecord, file: FileRecord) -> FileRecord:
        """Let the block's document say that the file is here, if it does not yet."""
        if file.announced:
            return file
        change = entries.tell(
            file.hash.hex(),
            file.size,
            {"is_uploaded": True, "file_id": file.id},
            {
                "hash": file.hash.hex(),
                "file_size": file.size,
                "name": file.name,
                "mime_type": file.mime_type,
            },
        )
        await self._documents.edit(block, change, account=file.author or block.owner or "")
        await self.records.announced(file.id)
        return file

    # -- in the background --------------------------------------------------------------

    def start(self) -> None:
        """Begin to clear away."""
        self._task = asyncio.get_running_loop().create_task(self._clear_on(), name="clear files")

    async def stop(self) -> None:
        """End that, and let go of the store."""
        tasks = [*self._completing.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        with contextlib.suppress(StorageError):
            await self._duties.leave()
        await self.store.close()

    async def clear(self, now: datetime) -> int:
        """Forget abandoned uploads, remove blobs that nothing used for long; how many of both."""
        expired = now - timedelta(seconds=self.settings.upload_expiry_s)
        total = 0
        while gone := await self.uploads.expire(expired, COLLECTED_MAX):
            total += gone
        while gone := await self.blobs.collect(now):
            total += gone
        return total

    async def mend(self, now: datetime) -> int:
        """Announce files of which a crash kept the document from learning; how many."""
        found = await self.records.unannounced(now - timedelta(seconds=CLEAR_S), _ANNOUNCED_MAX)
        for file in found:
            block = await self._documents.store.by_id(file.document)
            if block is None:
                continue
            try:
                await self.announce(block, file)
            except Forbidden:
                await self.records.announced(file.id)  # The block is gone.
        return len(found)

    async def sweep(self, now: datetime) -> int:
        """Remove from the store what no crash-free course leaves there; how many names."""
        before = now - timedelta(seconds=SWEEP_S)
        expired = now - timedelta(seconds=max(SWEEP_S, self.settings.upload_expiry_s))
        return await self.uploads.sweep(before) + await self.store.sweep(expired)

    async def _clear_on(self) -> None:
        while True:
            await asyncio.sleep(CLEAR_S)
            try:
                if not await self._duties.take("clear files", 2 * CLEAR_S):
                    continue
                now = datetime.now(UTC)
                await self.clear(now)
                await self.mend(now)
                if time.monotonic() >= self._sweep_at:
                    await self.sweep(now)
                    self._sweep_at = time.monotonic() + SWEEP_S
            except (StorageError, Busy) as error:
                log.warning("unused files are removed later: %s", error)
            except Exception:
                # An outermost loop: the next look must come whatever this one met.
                log.exception("unused files could not be removed")


def open_store(settings: Settings) -> Store:
    """The store that the settings name. Raises StoreUnavailable where they name none."""
    if not settings.blobs_url:
        return LocalStore(settings.data / "blobs")
    from storage.blobs.remote import RemoteStore  # noqa: PLC0415  most servers need no such library

    options = dict(text.split("=", 1) for text in settings.blobs_options)
    return RemoteStore(settings.blobs_url, options)


FILES = web.AppKey("files", Files)
