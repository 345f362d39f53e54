"""Libraries as the routes ask for them: found and made, read page by page, reported to."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID, uuid4

import msgspec

from crdt.ids import RANDOM_BYTES, make_ulid
from server.adapters.pinakes.deciding import (
    DELETED,
    Draft,
    Judged,
    Reported,
    Verdict,
    device_of,
    paths_of,
)
from server.adapters.pinakes.texts import Texts
from server.adapters.pinakes.walks import Seen, Walks
from server.errors import ApiError, Busy
from server.settings import Settings
from storage.blobs import Blob
from storage.pinakes.devices import Device, Devices
from storage.pinakes.libraries import Libraries, Library, Page
from storage.pinakes.writing import Conflict, Writing
from storage.pool import Pool

TRIES = 20
"""How often a text is merged anew, because others were faster."""

WALKS_MAX = 10_000
"""Readings of the feed that are remembered from one page to the next."""


class Settled(NamedTuple):
    """What became of one change: the hash that its path has now, or a conflict."""

    hash: bytes | None
    conflict: Conflict | None = None


class Told(NamedTuple):
    """What became of a report."""

    accepted: list[str]
    conflicts: list[Conflict]
    wanted: list[str]
    """The paths whose bytes are to be uploaded."""


Find = Callable[[Writing], Awaitable[tuple[Reported, UUID | None] | None]]
"""A change to be written and whose it is, found under the library's lock; None: there is none."""
Note = Callable[[Writing, Settled], Awaitable[None]]
"""What else to write in the same transaction."""


class Shelves:
    """All libraries of this server. Every method may raise Unavailable, StoreUnavailable, Busy."""

    def __init__(self, settings: Settings, texts: Texts, pool: Pool) -> None:
        self.settings = settings
        self.store = Libraries(pool)
        self.devices = Devices(pool)
        self.texts = texts
        self._walks = Walks(WALKS_MAX)

    async def of(self, account: str) -> Library:
        """The account's library, made where it has none yet."""
        found = await self.store.find(account)
        if found is None:
            scope = make_ulid(now_ms(), os.urandom(RANDOM_BYTES))
            found = await self.store.make(account, scope)
        return found

    # -- the feed -----------------------------------------------------------------------

    async def page(
        self, account: str, device: UUID | None, cursor: int, limit: int
    ) -> tuple[Page, Seen]:
        """A page of the feed after a cursor, and what the device has seen before it.

        0 is the start. Raises ApiError (400).
        """
        library = await self.of(account)
        page = await self.store.page(library, cursor, limit)
        _check(cursor, page.head)
        if 0 < cursor < page.floor:
            message = "deletions may be missing since this cursor: begin without one"
            raise ApiError(400, "cursor_expired", message)
        return page, self._walks.seen(account, device, cursor, page.head)

    def paused(self, account: str, device: UUID | None, seen: Seen, cursor: int) -> None:
        """A page was handed out that is not the last one."""
        self._walks.paused(account, device, seen, cursor)

    async def acknowledge(self, device: Device, cursor: int) -> int:
        """A device has all up to a cursor; where it is now. Raises ApiError (400)."""
        library = await self.of(device.account)
        _check(cursor, await self.store.head(library))
        reached = await self.devices.acknowledge(device.id, cursor)
        if reached is None:
            raise ApiError(400, "unknown_device", "this device was deleted")
        await self.store.compact(library, self.settings.pinakes_device_patience_s)
        return reached

    # -- reports ------------------------------------------------------------------------

    async def report(self, account: str, device: UUID | None, changes: Sequence[Reported]) -> Told:
        """Take in what a device changed, all in one transaction; texts are merged behind it."""
        library = await self.of(account)
        told = Told([], [], [])
        merges: list[Reported] = []
        async with self.store.writing(library, now_ms()) as writing:
            draft = await draft_of(writing, changes)
            for change in changes:
                draft.drop(change.path, device_of(device))
                judged = draft.judge(change)
                if judged.verdict is Verdict.CONFLICT and self.texts.may_be(change, judged):
                    if not self._report_text(draft, change, judged, device, told):
                        merges.append(change)
                else:
                    self._report_one(draft, change, judged, device, told)
            await self.save(writing, draft)
        for change in merges:
            settled = await self.settle(library, partial(_given, (change, device)))
            if settled.conflict is None:
                told.accepted.append(change.path)
            else:
                told.conflicts.append(settled.conflict)
        return told

    @staticmethod
    def _report_one(
        draft: Draft, change: Reported, judged: Judged, device: UUID | None, told: Told
    ) -> None:
        if judged.verdict is Verdict.CONFLICT:
            told.conflicts.append(disagree(draft, change, judged.hash, device))
            return
        told.accepted.append(change.path)
        if judged.verdict is Verdict.SAME:
            return
        if change.hash is None or change.hash in draft.contents:
            draft.write(change, device)
        else:
            draft.wait(change, device_of(device))
            told.wanted.append(change.path)

    @staticmethod
    def _report_text(
        draft: Draft, change: Reported, judged: Judged, device: UUID | None, told: Told
    ) -> bool:
        """A text in which others wrote: an edit stands against a deletion. False: merge it."""
        is_here = change.hash is None or change.hash in draft.contents
        if change.change != DELETED and is_here and judged.there is not None:
            return False
        told.accepted.append(change.path)
        if change.change == DELETED:
            draft.touch(change.path)
        elif is_here:
            draft.write(change, device)
        else:
            draft.wait(change, device_of(device))
            told.wanted.append(change.path)
        return True

    async def save(self, writing: Writing, draft: Draft) -> None:
        """Write a draft. Raises ApiError (400) where the library would hold too much."""
        settings = self.settings
        if draft.written:
            await writing.put(draft.written)
            if await writing.count_files() > settings.pinakes_files_max:
                message = f"a library has at most {settings.pinakes_files_max} files"
                raise ApiError(400, "library_full", message)
        await writing.drop_pending(draft.dropped)
        await writing.put_pending(draft.pending)
        await writing.drop_conflicts(draft.closed)
        if draft.conflicts:
            await writing.put_conflicts(draft.conflicts)
            if await writing.count_conflicts() > settings.pinakes_conflicts_max:
                message = "resolve some of the conflicts first"
                raise ApiError(400, "too_many_conflicts", message)

    # -- one change, merged where that is needed --------------------------------------------

    async def settle(self, library: Library, find: Find, note: Note | None = None) -> Settled:
        """Write a change whose content is here; a text is merged with what came since its base."""
        merged: dict[bytes, Blob | None] = {}
        for _ in range(TRIES):
            async with self.store.writing(library, now_ms()) as writing:
                found = await find(writing)
                if found is None:
                    settled = Settled(None)
                else:
                    change, device = found
                    draft = await draft_of(writing, [change])
                    judged = await self._judge(writing, draft, change)
                    attempt = self._attempt(draft, change, judged, device, merged)
                    if attempt is not None:
                        blob = merged.get(judged.hash or b"")
                        await self._keep(writing, draft, change, blob)
                        settled = attempt
                if found is None or attempt is not None:
                    if note is not None:
                        await note(writing, settled)
                    return settled
                there = judged.hash
            assert there is not None
            base = self.texts.base_of(change, judged)
            merged[there] = await self.texts.merge(base, there, change.hash or there)
        raise Busy("this file is being changed too fast")

    async def _judge(self, writing: Writing, draft: Draft, change: Reported) -> Judged:
        """As the draft judges; a text that was merged already says nothing new."""
        judged = draft.judge(change)
        is_open = judged.verdict is Verdict.CONFLICT and judged.there is not None
        digest = change.hash
        if is_open and digest and await writing.is_woven(change.path, change.base, digest):
            draft.touch(change.path)
            return Judged(Verdict.SAME, judged.there)
        return judged

    async def _keep(
        self, writing: Writing, draft: Draft, change: Reported, blob: Blob | None
    ) -> None:
        if blob is not None:
            await writing.keep(blob, self.settings.account_bytes_max)
            if change.hash is not None:
                await writing.note_woven(change.path, change.base, change.hash)
        await self.save(writing, draft)

    def _attempt(
        self,
        draft: Draft,
        change: Reported,
        judged: Judged,
        device: UUID | None,
        merged: dict[bytes, Blob | None],
    ) -> Settled | None:
        """Write into the draft what can be written; None where a text has to be merged before."""
        if judged.verdict is Verdict.SAME:
            return Settled(change.hash)
        is_text = self.texts.may_be(change, judged)
        if judged.verdict is Verdict.CLEAR or (is_text and judged.hash is None):
            draft.write(change, device)
            return Settled(change.hash)
        if is_text and judged.hash is not None:
            if judged.hash not in merged:
                return None
            blob = merged[judged.hash]
            if blob is not None:
                draft.contents[blob.digest] = blob.size
                is_news = blob.digest != change.hash
                whole = msgspec.structs.replace(change, hash=blob.digest)
                draft.write(whole, None if is_news else device)
                return Settled(blob.digest)
        return Settled(judged.hash, disagree(draft, change, judged.hash, device))


async def _given(found: tuple[Reported, UUID | None], _: Writing) -> tuple[Reported, UUID | None]:
    return found


async def draft_of(writing: Writing, changes: Sequence[Reported]) -> Draft:
    """The files that some changes concern, and where those that were moved came from."""
    paths = paths_of(changes)
    files = await writing.files(paths)
    more = {one.old_path for one in files.values() if one.old_path is not None} - files.keys()
    if more:
        files |= await writing.files(more)
    hashes = {one.hash for one in changes if one.hash is not None}
    contents = await writing.contents(hashes)
    return Draft(files, contents, await writing.conflicts(paths))


def disagree(draft: Draft, change: Reported, there: bytes | None, device: UUID | None) -> Conflict:
    """Note a conflict."""
    return draft.disagree(change, device_of(device), there, uuid4(), datetime.now(UTC))


def _check(cursor: int, head: int) -> None:
    if cursor > head:
        raise ApiError(400, "bad_cursor", "this cursor was never given out")


def now_ms() -> int:
    """The time in Unix milliseconds."""
    return time.time_ns() // 1_000_000
