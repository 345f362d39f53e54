"""Conflicts, resolved: by the server's version, the device's, both, or a third one."""

from __future__ import annotations

from datetime import date
from pathlib import PurePosixPath
from typing import NamedTuple
from uuid import UUID

import msgspec

from server.adapters.pinakes.deciding import CREATED, DELETED, MODIFIED, Draft, Reported
from server.adapters.pinakes.libraries import Shelves, draft_of, now_ms
from server.adapters.pinakes.schema import Resolution
from server.errors import ApiError
from storage.pinakes.libraries import Library
from storage.pinakes.writing import NO_DEVICE, Conflict, Writing

_NAME_BYTES_MAX = 200
_SIBLINGS_MAX = 1000


class Resolved(NamedTuple):
    """A conflict that is no more."""

    conflict: Conflict
    wanted: list[str]
    """The paths whose bytes are to be uploaded."""
    path: str
    """Where the device's version is, or will be."""


async def resolve(
    shelves: Shelves, library: Library, conflict: UUID, how: Resolution, merged: bytes | None
) -> Resolved:
    """Resolve one of a library's conflicts. Raises ApiError (400)."""
    names = {one.id: one.name for one in await shelves.devices.of_account(library.account)}
    async with shelves.store.writing(library, now_ms()) as writing:
        found = await writing.conflict(conflict)
        if found is None:
            raise ApiError(400, "unknown_conflict", "there is no such unresolved conflict")
        resolving = _Resolving(writing, found, names.get(found.device, ""))
        await resolving.begin(merged)
        match how:
            case Resolution.SERVER_WINS:
                resolving.draft.touch(resolving.server_path)
            case Resolution.CLIENT_WINS:
                resolving.replace(found.local_hash, found.change)
            case Resolution.KEEP_BOTH:
                await resolving.keep_both()
            case Resolution.MANUAL:
                if merged is None:
                    raise ApiError(400, "bad_request", "manual needs the content_hash of the merge")
                resolving.replace(merged, MODIFIED, device=NO_DEVICE)
        resolving.draft.closed.append(found.id)
        await shelves.save(writing, resolving.draft)
    return Resolved(found, resolving.wanted, resolving.path)


class _Resolving:
    """One conflict, under the library's lock."""

    def __init__(self, writing: Writing, conflict: Conflict, device_name: str) -> None:
        self._writing = writing
        self._conflict = conflict
        self._device_name = device_name
        self.draft = Draft({}, {})
        self.path = conflict.path
        self.wanted: list[str] = []

    @property
    def server_path(self) -> str:
        """Where the server's version is: a device may have moved its own."""
        conflict = self._conflict
        is_there = self.draft.there(conflict.path) is not None or conflict.old_path is None
        return conflict.path if is_there else str(conflict.old_path)

    def _reported(self, path: str, change: str, digest: bytes | None) -> Reported:
        """The device's change, as if it had been made on what is there now."""
        conflict = self._conflict
        there = self.draft.there(path) or self.draft.there(conflict.old_path or "")
        return Reported(
            path=path,
            change=change,
            hash=digest,
            base=None if there is None else there.hash,
            mtime=conflict.mtime,
            old_path=conflict.old_path if change not in {CREATED, DELETED} else None,
        )

    async def begin(self, merged: bytes | None) -> None:
        """Read what it is about."""
        conflict = self._conflict
        hashes = [one for one in (conflict.local_hash, merged) if one is not None]
        change = self._reported(conflict.path, conflict.change, conflict.local_hash)
        named = [msgspec.structs.replace(change, hash=one) for one in hashes] or [change]
        old = msgspec.structs.replace(named[0], old_path=conflict.old_path)
        self.draft = await draft_of(self._writing, [*named, old])
        self.draft.drop(conflict.path, conflict.device)

    def replace(self, digest: bytes | None, change: str, device: UUID | None = None) -> None:
        """Put a version in the place of the server's, once its bytes are here."""
        author = self._conflict.device if device is None else device
        word = change if digest is None or change != DELETED else MODIFIED
        self._write(self._reported(self.path, word, digest), author)

    def _write(self, change: Reported, device: UUID, at: str | None = None) -> None:
        if change.hash is None or change.hash in self.draft.contents:
            placed = change if at is None else msgspec.structs.replace(change, path=at)
            self.draft.write(placed, None if device == NO_DEVICE else device)
        else:
            self.draft.wait(change, device, at=at)
            self.wanted.append(at or change.path)

    async def keep_both(self) -> None:
        """The server's version keeps its path; the device's gets a name that says whose it is."""
        conflict = self._conflict
        taken = self.server_path == conflict.path and self.draft.there(conflict.path) is not None
        if conflict.local_hash is None or not taken:
            self.draft.touch(self.server_path)
        if conflict.local_hash is None:
            return
        if not taken:
            change = self._reported(conflict.path, CREATED, conflict.local_hash)
            self._write(change, conflict.device)
            return
        self.draft.touch(conflict.path)
        self.path = await self._free_path()
        change = self._reported(conflict.path, CREATED, conflict.local_hash)
        self._write(msgspec.structs.replace(change, base=None), NO_DEVICE, at=self.path)

    async def _free_path(self) -> str:
        conflict = self._conflict
        device = self._device_name or str(conflict.device)[:8]
        for number in range(1, _SIBLINGS_MAX):
            path = sibling(conflict.path, device, conflict.detected_at.date(), number)
            there = (await self._writing.files([path])).get(path)
            if there is None or there.hash in (None, conflict.local_hash):
                return path
        raise ApiError(400, "too_many_conflicts", "there are too many versions of this file")


def sibling(path: str, device: str, on: date, number: int = 1) -> str:
    """The name of a device's version beside the server's."""
    whole = PurePosixPath(path)
    clean = "".join(c for c in device if c.isalnum() or c in " -_").strip() or "device"
    more = "" if number == 1 else f" {number}"
    suffix = whole.suffix if len(whole.suffix.encode()) <= 20 else ""
    tail = f" (conflict {clean[:40]} {on.isoformat()}{more}){suffix}"
    stem = whole.name.removesuffix(suffix) if suffix else whole.name
    stem = stem.encode()[: _NAME_BYTES_MAX - len(tail.encode())].decode("utf-8", "ignore")
    return str(whole.with_name(stem + tail))
