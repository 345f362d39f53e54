"""Blocks and files for what a scan found: bytes into the blob store, words into documents."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from auth.errors import Forbidden
from crdt import blocks as marks
from crdt import files as entries
from crdt.errors import UpdateError
from crdt.ids import make_ulid
from crdt.projection import entitle
from server.media.kinds import sniff
from server.scanning.reading import Read, Unreadable, pieces
from storage import files as kept
from storage.blocks import Name
from storage.derived import Derivations
from storage.errors import HashMismatch, QuotaExceeded, TooLarge, UnknownBlob, reaching
from storage.files import Files, NewFile
from storage.pool import transaction
from storage.scans import Scans

if TYPE_CHECKING:
    from server.documents import Documents
    from storage.blobs import Blobs
    from storage.blocks import Blocks
    from storage.documents import DocumentRecord
    from storage.pool import Pool
    from storage.scans import ScannedFile

log = logging.getLogger("plait.scans")

AT_ONCE_MAX = 16
"""Blocks that are written at the same time."""
_MEDIA = frozenset({"image", "svg", "video", "audio", "pdf"})
"""Kinds of which a helper can say more than their bytes' beginning does."""
_DUPLICATES_TOLD_MAX = 100


class Place(NamedTuple):
    """Where a scan puts what it finds, and in whose name."""

    scope: str
    account: str
    payer: str
    root: str

    def relative(self, path: str) -> str:
        """A path as its block says it: from the account's root on."""
        return os.path.relpath(path, self.root)


class Item(NamedTuple):
    """A file that is to be told to its block."""

    file: ScannedFile
    read: Read
    before: bytes | None = None
    """The hash of what the block stood for, where that was something else."""
    was_gone: bool = False
    """Whether its block is in the trash for the file's sake."""


class Filling:
    """Makes and changes the blocks of scanned files."""

    def __init__(
        self,
        pool: Pool,
        blobs: Blobs,
        documents: Documents,
        store: Blocks,
        *,
        file_bytes_max: int,
        quota: int | None,
    ) -> None:
        self._pool = pool
        self._blobs = blobs
        self._documents = documents
        self._store = store
        self._files = Files(pool)
        self._scans = Scans(pool)
        self._kept = Derivations(pool)
        self._bytes_max = file_bytes_max
        self._quota = quota

    async def fill(self, place: Place, items: Sequence[Item]) -> dict[str, str]:
        """Have each item's block stand for its file; by path, what could not be done and why."""
        names = [Name(place.scope, item.file.block) for item in items]
        await self._store.create(names, place.account)
        found = await self._store.find(names)
        gate = asyncio.Semaphore(AT_ONCE_MAX)
        failed: dict[str, str] = {}

        async def one(item: Item, record: DocumentRecord | None) -> None:
            async with gate:
                try:
                    if record is None or record.deleted or record.scope != place.scope:
                        return  # Deleted for good by its people: the file stays unnamed.
                    await self._one(place, item, record)
                except (Unreadable, QuotaExceeded, HashMismatch, TooLarge, UpdateError) as error:
                    failed[item.file.path] = str(error)
                except Forbidden:
                    return

        await asyncio.gather(
            *(
                one(item, None if block is None else block.record)
                for item, block in zip(items, found, strict=True)
            )
        )
        return failed

    async def _one(self, place: Place, item: Item, record: DocumentRecord) -> None:
        file, read = item.file, item.read
        name = os.path.basename(file.path)  # noqa: PTH119 (bytes of names matter)
        kind = sniff(read.head, name)
        new = NewFile(
            id=make_ulid(int(time.time() * 1000), secrets.token_bytes(10)),
            document=record.id,
            hash=read.digest,
            size=read.size,
            name=name,
            mime_type=kind.mime,
            author=place.account,
            payer=place.payer,
        )
        added = await self._add(place, item, new)
        facts: dict[str, Any] = {
            "hash": read.digest.hex(),
            "name": name,
            "path": place.relative(file.path),
            "mime_type": kind.mime,
            "file_size": read.size,
            "modified_at": read.mtime_ns // 1_000_000,
            "is_uploaded": True,
            "file_id": added.id,
            "source": "scan",
        }
        told = entries.tell(read.digest.hex(), read.size, facts, {})
        changes = [entitle(name), told]
        if item.was_gone:
            changes.append(marks.restore())
        if item.before is not None:
            changes.append(entries.forget(item.before.hex()))
        await self._edit(place, record, _all(changes))
        if item.before is not None:
            await self._scans.let_go(record.id, item.before)
        await self._files.announced(added.id)
        if kind.family not in _MEDIA:
            await self._kept.described(added.id, {"mime": kind.mime})

    async def _add(self, place: Place, item: Item, new: NewFile) -> kept.FileRecord:
        """Store the bytes, if nobody has them yet, and note who uses them."""
        for _ in range(3):
            if await self._blobs.find(new.hash) is None:
                stream = pieces(place.root, item.file.path, item.read)
                await self._blobs.receive(stream, bytes_max=self._bytes_max, expected=new.hash)
            try:
                with reaching():
                    async with transaction(self._pool) as connection:
                        return await kept.add(connection, new, self._quota)
            except UnknownBlob:
                continue  # It was collected just now.
        raise Unreadable("its bytes could not be kept")

    async def move(self, place: Place, file: ScannedFile, *, was_gone: bool) -> None:
        """A file lies elsewhere: its block says where, and comes out of the trash it was put in."""
        name = os.path.basename(file.path)  # noqa: PTH119
        facts = {"name": name, "path": place.relative(file.path)}
        changes = [entries.tell(file.hash.hex(), file.size, facts, {})]
        await self._mark(place, file, [*changes, marks.restore()] if was_gone else changes)

    async def tell_duplicates(self, place: Place, file: ScannedFile, paths: Sequence[str]) -> None:
        """A file's block says where the same bytes lie as well."""
        said = [place.relative(path) for path in paths[:_DUPLICATES_TOLD_MAX]]
        facts = {"duplicate_paths": said}
        await self._mark(place, file, [entries.tell(file.hash.hex(), file.size, facts, {})])

    async def trash(self, place: Place, file: ScannedFile) -> None:
        """A file is gone: its block goes to the trash, from where people can take it back."""
        await self._mark(place, file, [marks.trash(time.time_ns() // 1_000_000)])

    async def _mark(self, place: Place, file: ScannedFile, changes: Sequence[marks.Change]) -> None:
        (found,) = await self._store.find([Name(place.scope, file.block)])
        if found is None or found.record.deleted or found.record.scope != place.scope:
            return
        try:
            await self._edit(place, found.record, _all(changes))
        except (Forbidden, UpdateError) as error:
            log.info("a block of a scan was not changed: %s", error)

    async def _edit(self, place: Place, record: DocumentRecord, change: marks.Change) -> None:
        await self._documents.edit(record, change, account=place.account)


def _all(changes: Sequence[marks.Change]) -> Callable[[Any], None]:
    def write(doc: Any) -> None:  # noqa: ANN401 (a document of crdt's)
        for change in changes:
            change(doc)

    return write
