"""Blocks and files for what a scan found: bytes into the blob store, words into documents."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
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
from storage.files import NewFile
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


class _Work:
    """An item on its way."""

    __slots__ = ("added", "item", "new", "record")

    def __init__(self, item: Item, record: DocumentRecord, new: NewFile) -> None:
        self.item = item
        self.record = record
        self.new = new
        self.added: kept.FileRecord | None = None


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
        self._scans = Scans(pool)
        self._kept = Derivations(pool)
        self._bytes_max = file_bytes_max
        self._quota = quota

    async def fill(self, place: Place, items: Sequence[Item]) -> dict[str, str]:
        """Have each item's block stand for its file; by path, what could not be done and why.

        In steps for all of them, because an account's quota is judged under one lock: a commit for
        each file would make them wait for one another.
        """
        names = [Name(place.scope, item.file.block) for item in items]
        await self._store.create(names, place.account)
        found = await self._store.find(names)
        works = [
            _Work(item, block.record, _new_file(place, item, block.record))
            for item, block in zip(items, found, strict=True)
            # One that its people deleted for good stays so: the file has no block.
            if block is not None and _is_here(place, block.record)
        ]
        failed: dict[str, str] = {}
        works = await self._each(works, partial(self._store_bytes, place), failed)
        await self._add(place, works, failed)
        works = [work for work in works if work.added is not None]
        works = await self._each(works, partial(self._tell, place), failed)
        await self._kept.announced([work.added.id for work in works if work.added is not None])
        return failed

    async def _each(
        self,
        works: Sequence[_Work],
        step: Callable[[_Work], Awaitable[None]],
        failed: dict[str, str],
    ) -> list[_Work]:
        """One step for all, some at a time; those for which it went well, in their order."""
        gate = asyncio.Semaphore(AT_ONCE_MAX)
        well: set[_Work] = set()

        async def one(work: _Work) -> None:
            async with gate:
                try:
                    await step(work)
                except (Unreadable, HashMismatch, TooLarge, UpdateError) as error:
                    failed[work.item.file.path] = str(error)
                except Forbidden:
                    return
                else:
                    well.add(work)

        await asyncio.gather(*map(one, works))
        return [work for work in works if work in well]

    async def _store_bytes(self, place: Place, work: _Work) -> None:
        item = work.item
        if await self._blobs.find(item.read.digest) is None:
            stream = pieces(place.root, item.file.path, item.read)
            await self._blobs.receive(stream, bytes_max=self._bytes_max, expected=item.read.digest)

    async def _add(self, place: Place, works: Sequence[_Work], failed: dict[str, str]) -> None:
        """Note who uses the bytes: all in one transaction, or each alone where one cannot."""
        try:
            await self._add_all(works)
        except (QuotaExceeded, UnknownBlob):
            for work in works:
                try:
                    await self._add_all([work])
                except UnknownBlob:
                    failed[work.item.file.path] = "its bytes were collected just now"
                except QuotaExceeded as error:
                    failed[work.item.file.path] = str(error)
                    await self._discard(place, work)

    async def _add_all(self, works: Sequence[_Work]) -> None:
        with reaching():
            async with transaction(self._pool) as connection:
                added = [await kept.add(connection, work.new, self._quota) for work in works]
        for work, file in zip(works, added, strict=True):
            work.added = file

    async def _discard(self, place: Place, work: _Work) -> None:
        """A block that was made for a file without room is not left empty."""
        if work.item.before is None:
            with contextlib.suppress(Forbidden, UpdateError):
                await self._edit(place, work.record, marks.trash(time.time_ns() // 1_000_000))

    async def _tell(self, place: Place, work: _Work) -> None:
        """The block's document says what its file is called, where it lies and what it is."""
        item, read, file = work.item, work.item.read, work.added
        assert file is not None
        kind = sniff(read.head, work.new.name)
        facts: dict[str, Any] = {
            "hash": read.digest.hex(),
            "name": work.new.name,
            "path": place.relative(item.file.path),
            "mime_type": kind.mime,
            "file_size": read.size,
            "modified_at": read.mtime_ns // 1_000_000,
            "is_uploaded": True,
            "file_id": file.id,
            "source": "scan",
        }
        changes = [entitle(work.new.name), entries.tell(read.digest.hex(), read.size, facts, {})]
        if item.was_gone:
            changes.append(marks.restore())
        if item.before is not None:
            changes.append(entries.forget(item.before.hex()))
        await self._edit(place, work.record, _all(changes))
        if item.before is not None:
            await self._scans.let_go(work.record.id, item.before)

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


def _is_here(place: Place, record: DocumentRecord) -> bool:
    return not record.deleted and record.scope == place.scope


def _new_file(place: Place, item: Item, record: DocumentRecord) -> NewFile:
    name = os.path.basename(item.file.path)  # noqa: PTH119 (bytes of names matter)
    return NewFile(
        id=make_ulid(int(time.time() * 1000), secrets.token_bytes(10)),
        document=record.id,
        hash=item.read.digest,
        size=item.read.size,
        name=name,
        mime_type=sniff(item.read.head, name).mime,
        author=place.account,
        payer=place.payer,
    )


def _all(changes: Sequence[marks.Change]) -> Callable[[Any], None]:
    def write(doc: Any) -> None:  # noqa: ANN401 (a document of crdt's)
        for change in changes:
            change(doc)

    return write
