"""What files say of themselves, told to their blocks: of every file that came, soon after it came.

Width, height, duration and what a camera noted go into the entry of `files_v0`, as an edit that
open editors see. Where a picture was taken does not: a document is read by everybody who may read
its block, and the position is for those who may edit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import msgspec

from auth.errors import Forbidden
from crdt import files as entries
from crdt.errors import UpdateError
from server.errors import Busy
from server.media.work import Facts, Refused
from storage.blobs import Blob
from storage.errors import StorageError, UnknownBlob

if TYPE_CHECKING:
    from server.documents import Documents
    from server.media.gallery import Gallery
    from storage.files import FileRecord

log = logging.getLogger("plait.media")

LOOK_S = 1.0
SLOW_S = 5.0
"""The same while nothing is written here: whoever brings a file writes to its block."""
_AT_ONCE = 4
_BATCH = 64
_LATER_S = 5.0


class Describing:
    """Looks at files and tells their blocks."""

    def __init__(self, gallery: Gallery, documents: Documents) -> None:
        self._gallery = gallery
        self._documents = documents
        self._task: asyncio.Task[None] | None = None
        self._written = -1
        self._wrote_at = self._looked_at = 0.0

    def start(self) -> None:
        """Begin to look for files that came."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="describe files")

    async def stop(self) -> None:
        """End; what nobody looked at yet is looked at later."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def describe(self, file: FileRecord) -> Facts | None:
        """Look at one file and tell its block; None where nothing can be said of it.

        Raises Busy and StorageError; whoever asks tries again later.
        """
        kept = self._gallery.kept
        try:
            facts = await self._gallery.facts(Blob(file.hash, file.size), file.name)
        except (Refused, UnknownBlob) as error:
            log.info("nothing can be said of file %s: %s", file.id, error)
            await kept.described(file.id, None)
            return None
        said = wording(facts)
        record = await self._documents.store.by_id(file.document)
        if record is not None and not record.deleted:
            change = entries.tell(file.hash.hex(), file.size, said, {})
            account = file.author or record.owner or ""
            with contextlib.suppress(Forbidden, UpdateError):
                await self._documents.edit(record, change, account=account)
        await kept.described(file.id, msgspec.to_builtins(facts))
        return facts

    async def _run(self) -> None:
        pause = LOOK_S / 3  # Not in the same moment as others who look each second.
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(pause)
            pause = LOOK_S
            if not self._may_find(clock()):
                continue
            try:
                while found := await self._gallery.kept.undescribed(_BATCH):
                    await self._all(found)
            except (StorageError, Busy) as error:
                log.warning("files are described later: %s", error)
                pause = _LATER_S
            except Exception:
                # An outermost loop: a fault over one file must not end it.
                log.exception("files could not be described")
                pause = _LATER_S

    def _may_find(self, now: float) -> bool:
        """Whether a file may have come: something was written here just now, or not for long."""
        rows = self._documents.flusher.statistics.rows
        if rows != self._written:
            self._written, self._wrote_at = rows, now
        is_due = now - self._wrote_at <= 2 * LOOK_S or now - self._looked_at >= SLOW_S
        if is_due:
            self._looked_at = now
        return is_due

    async def _all(self, found: list[str]) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str) -> None:
            async with gate:
                file = await self._gallery.files.by_id(name)
                if file is not None:
                    await self._carefully(file)

        for outcome in await asyncio.gather(*map(one, found), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _carefully(self, file: FileRecord) -> None:
        try:
            await self.describe(file)
        except (Busy, StorageError):
            raise
        except Exception:
            log.exception("file %s could not be described", file.id)
            await self._gallery.kept.described(file.id, None)


def wording(facts: Facts) -> dict[str, Any]:
    """The facts as an entry of `files_v0` says them; what is not known is not said."""
    said = {
        "mime_type": facts.mime,
        "width": facts.width,
        "height": facts.height,
        "duration": facts.duration,
        "pages": facts.pages,
        "exif": facts.exif or None,
    }
    return {name: value for name, value in said.items() if value is not None}
