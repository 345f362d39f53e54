"""One scan: what is new, changed, moved, there twice, gone. Begun again, it does the rest only.

A row of `scanned_files` is written before its block is made, with the block's id, and marked done
after: whatever a crash leaves is found pending and done again, into the same block.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from auth.errors import Forbidden
from auth.principal import Role
from crdt.ids import make_ulid
from server.errors import RequestError
from server.scanning import reading, rooted
from server.scanning.filling import Filling, Item, Place
from server.scanning.jobs import JobFailed, Run
from server.scanning.reading import Read, Unreadable
from server.scanning.walking import Seen, Walk
from storage.scans import DONE, GONE, PENDING, ScannedFile, Scans

if TYPE_CHECKING:
    from server.rights import Rights
    from storage.workspaces import Workspaces

_CHUNK = 64
_READERS = 4
"""Files that are read at the same time."""


class Scanner:
    """Does the jobs of kind `scan`."""

    def __init__(
        self,
        scans: Scans,
        filling: Filling,
        rights: Rights,
        workspaces: Workspaces,
        *,
        files_max: int,
        file_bytes_max: int,
    ) -> None:
        self.scans = scans
        self.filling = filling
        self.rights = rights
        self.workspaces = workspaces
        self.files_max = files_max
        self.file_bytes_max = file_bytes_max

    async def __call__(self, run: Run) -> None:
        """Scan the folder of a job. Raises JobFailed and Aborted."""
        job = run.job
        root = await self.scans.root(job.account)
        owner, is_deleted = await self.workspaces.owner(job.scope) or (None, True)
        if root is None or owner is None or is_deleted:
            raise JobFailed("the account may not scan there any more")
        if await self.rights.role_in(job.account, job.scope) < Role.EDITOR:
            raise JobFailed("the account may not edit the workspace any more")
        try:
            folder = await asyncio.to_thread(rooted.resolve, root, job.target)
        except (Forbidden, RequestError):
            raise JobFailed("the folder is not there any more") from None
        place = Place(job.scope, job.account, owner, root)
        await _Course(self, run, place, folder).go()


class _Fate(NamedTuple):
    """What becomes of a file that was read."""

    word: str
    file: ScannedFile
    item: Item | None = None
    forget: str | None = None
    was_gone: bool = False


class _Course:
    """One scan on its way."""

    def __init__(self, scanner: Scanner, run: Run, place: Place, folder: str) -> None:
        self._scanner = scanner
        self._scans = scanner.scans
        self._filling = scanner.filling
        self._run = run
        self._place = place
        self._folder = folder
        self._known: dict[str, ScannedFile] = {}
        self._seen: set[str] = set()
        self._readers = asyncio.Semaphore(_READERS)

    async def go(self) -> None:
        self._known = await self._scans.under(self._place.scope, self._folder)
        walk = Walk(self._place.root, self._folder)
        batches = walk.batches()
        counts = self._run.counts
        try:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                await self._take(batch)
                counts["ignored"], counts["skipped"] = walk.ignored, walk.skipped
                counts["folders"] = len(walk.folders)
                self._run.progress()
        except OSError as error:
            raise JobFailed(f"the folder cannot be read: {error.strerror}") from None
        counts["failed"] += len(walk.unread)
        await self._end(walk)
        self._run.progress()

    async def _take(self, batch: Sequence[Seen]) -> None:
        counts = self._run.counts
        counts["seen"] += len(batch)
        if counts["seen"] > self._scanner.files_max:
            raise JobFailed(f"there are more than {self._scanner.files_max} files")
        self._seen.update(one.path for one in batch)
        changed = [one for one in batch if not _is_same(self._known.get(one.path), one)]
        counts["unchanged"] += len(batch) - len(changed)
        for start in range(0, len(changed), _CHUNK):
            await self._change([one.path for one in changed[start : start + _CHUNK]])
            self._run.progress()

    async def _change(self, paths: Sequence[str]) -> None:
        """Read files, decide what becomes of each, and do it."""
        reads = [
            (path, read)
            for path, read in zip(paths, await self._read(paths), strict=True)
            if read is not None
        ]
        scope = self._place.scope
        same = await self._scans.by_hash(scope, list({read.digest for _, read in reads}))
        fates = [await self._judge(path, read, same) for path, read in reads]
        await self._scans.put(
            scope, [fate.file for fate in fates], [fate.forget for fate in fates if fate.forget]
        )
        failed = await self._filling.fill(self._place, [f.item for f in fates if f.item])
        for path, reason in failed.items():
            self._note(path, reason)
        for fate in fates:
            if fate.word == "moved" and fate.item is None:
                await self._filling.move(self._place, fate.file, was_gone=fate.was_gone)
        done = [
            msgspec.structs.replace(fate.file, state=DONE)
            for fate in fates
            if fate.file.path not in failed
        ]
        await self._scans.put(scope, done)
        for fate in fates:
            self._run.counts["failed" if fate.file.path in failed else fate.word] += 1
        self._known.update({file.path: file for file in done})
        await self._tell_duplicates([f.file for f in fates if f.word == "duplicates"])

    async def _read(self, paths: Sequence[str]) -> list[Read | None]:
        async def one(path: str) -> Read | None:
            async with self._readers:
                self._run.check()
                try:
                    read = await asyncio.to_thread(
                        reading.read,
                        self._place.root,
                        path,
                        self._scanner.file_bytes_max,
                        lambda: self._run.is_over,
                    )
                except Unreadable as error:
                    self._run.counts["failed"] += 1
                    self._note(path, str(error))
                    return None
            self._run.counts["bytes"] += read.size
            return read

        found = await asyncio.gather(*map(one, paths))
        self._run.check()
        return list(found)

    def _note(self, path: str, reason: str) -> None:
        """Keep one of the reasons why files were left out, for whoever asks."""
        self._run.trouble = f"{self._place.relative(path)}: {reason}"

    async def _judge(self, path: str, read: Read, same: dict[bytes, list[ScannedFile]]) -> _Fate:
        """What becomes of a file: also noted in `same`, for the next one of the chunk."""
        old = self._known.get(path)
        if old is not None and old.hash == read.digest:
            return self._again(old, path, read)
        others = [one for one in same.get(read.digest, []) if one.path != path]
        if old is not None and not old.duplicate:
            file = _file(path, read, old.block)
            fate = _Fate("changed", file, Item(file, read, old.hash))
        elif (first := next((one for one in others if not one.duplicate), None)) is None:
            file = _file(path, read, _new_id())
            fate = _Fate("added", file, Item(file, read))
        elif await self._is_there(first):
            fate = _Fate("duplicates", _file(path, read, first.block, duplicate=True))
        else:
            file = _file(path, read, first.block)
            # A block that was never finished has to be told everything.
            item = Item(file, read) if first.state == PENDING else None
            fate = _Fate("moved", file, item, first.path, first.state == GONE)
            same[read.digest].remove(first)
            self._known.pop(first.path, None)
        same.setdefault(read.digest, []).append(fate.file)
        return fate

    def _again(self, old: ScannedFile, path: str, read: Read) -> _Fate:
        """The same bytes at the same path: touched, unfinished, or back."""
        file = _file(path, read, old.block, duplicate=old.duplicate)
        if old.duplicate or old.state == DONE:
            return _Fate("unchanged", file)
        # One without room for its bytes was put into the trash as well.
        item = Item(file, read, was_gone=True)
        return _Fate("restored" if old.state == GONE else "added", file, item)

    async def _is_there(self, file: ScannedFile) -> bool:
        is_elsewhere = not file.path.startswith(f"{self._place.root.rstrip('/')}/")
        if file.path in self._seen or is_elsewhere:
            return True
        return file.state != GONE and await asyncio.to_thread(
            reading.is_there, self._place.root, file.path
        )

    async def _end(self, walk: Walk) -> None:
        """What is gone: another file with its bytes takes its block over, else that is trashed."""
        unread = tuple(f"{folder}/" for folder in walk.unread)
        gone = [
            file
            for path, file in self._known.items()
            if path not in self._seen and file.state != GONE and not path.startswith(unread)
        ]
        scope = self._place.scope
        left = {
            file.path: msgspec.structs.replace(file, state=GONE)
            for file in gone
            if not file.duplicate
        }
        await self._scans.put(scope, list(left.values()), [f.path for f in gone if f.duplicate])
        for file in gone:
            self._known.pop(file.path)
        for file in left.values():
            self._known[file.path] = file
        orphans = [f.path for f in await self._scans.orphans(scope, self._folder)]
        for start in range(0, len(orphans), _CHUNK):
            chunk = orphans[start : start + _CHUNK]
            for path in chunk:
                self._known.pop(path, None)
            await self._change(chunk)
            self._run.progress()
        for path, file in left.items():
            known = self._known.get(path)
            if known is not None and known.state == GONE:
                self._run.check()
                await self._filling.trash(self._place, file)
                self._run.counts["removed"] += 1
        await self._tell_duplicates([file for file in gone if file.duplicate])

    async def _tell_duplicates(self, files: Sequence[ScannedFile]) -> None:
        if not files:
            return
        one_of = {file.block: file for file in files}
        found = await self._scans.duplicates(self._place.scope, list(one_of))
        for block, paths in found.items():
            await self._filling.tell_duplicates(self._place, one_of[block], paths)


def _is_same(known: ScannedFile | None, seen: Seen) -> bool:
    return (
        known is not None
        and known.state == DONE
        and (known.size, known.mtime_ns, known.ctime_ns)
        == (seen.size, seen.mtime_ns, seen.ctime_ns)
    )


def _file(path: str, read: Read, block: str, *, duplicate: bool = False) -> ScannedFile:
    return ScannedFile(
        path=path,
        size=read.size,
        mtime_ns=read.mtime_ns,
        ctime_ns=read.ctime_ns,
        hash=read.digest,
        block=block,
        duplicate=duplicate,
        state=PENDING,
    )


def _new_id() -> str:
    return make_ulid(int(time.time() * 1000), secrets.token_bytes(10))
