"""What is known and shown of files, made again: of one file, or of all in a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.errors import Busy
from server.media.work import SIZES, Refused
from server.scanning.jobs import JobFailed, Run
from storage.blobs import Blob
from storage.errors import StorageError, UnknownBlob

if TYPE_CHECKING:
    from server.media.gallery import Gallery
    from server.scanning.describing import Describing
    from storage.files import FileRecord

_PAGE = 200


class Renewing:
    """Does the jobs of kind `reindex` and `regenerate`."""

    def __init__(self, gallery: Gallery, describing: Describing) -> None:
        self._gallery = gallery
        self._describing = describing

    async def reindex(self, run: Run) -> None:
        """Look at every file of a workspace again; the pictures stay."""
        kept, scope, after = self._gallery.kept, run.job.scope, ""
        while page := await kept.files_of_scope(scope, after, _PAGE):
            for name in page:
                run.progress()
                file = await self._gallery.files.by_id(name)
                if file is not None:
                    await kept.forget_facts(file.hash)
                    await self._again(run, file)
            after = page[-1]

    async def regenerate(self, run: Run) -> None:
        """Look at one file again, and make its pictures anew."""
        file = await self._gallery.files.by_id(str(run.job.options["file"]))
        if file is None:
            raise JobFailed("the file is not there any more")
        await self._gallery.forget(file.hash)
        await self._again(run, file)
        for size in SIZES:
            run.progress()
            try:
                await self._gallery.picture(
                    Blob(file.hash, file.size), "still", size, name=file.name
                )
                run.counts["pictures"] += 1
            except (Refused, UnknownBlob):
                break

    async def _again(self, run: Run, file: FileRecord) -> None:
        run.counts["seen"] += 1
        try:
            found = await self._describing.describe(file)
        except (Busy, StorageError):
            found = None
        run.counts["failed" if found is None else "done"] += 1
