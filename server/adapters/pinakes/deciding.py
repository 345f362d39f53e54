"""What becomes of a reported change, judged by the base that it was made on. Pure.

A `Draft` holds what a report found in the library and what it will leave there; nothing is stored
here. Whatever is written replaces what was there, so a change is written only where its author knew
the present version, or where two versions say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import NamedTuple
from uuid import UUID

import msgspec

from storage.pinakes.writing import NO_DEVICE, Conflict, File, Pending

CREATED, MODIFIED, DELETED = "created", "modified", "deleted"
MOVED, UPDATED = "moved", "metadata_updated"


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A change as a device has made it."""

    path: str
    change: str
    hash: bytes | None = None
    """Of the content after it; None for a deletion, and for what changes no content."""
    base: bytes | None = None
    """Of the content before it, as the device knew it."""
    mtime: str | None = None
    old_path: str | None = None
    is_forced: bool = False
    """Whatever is there is replaced: nobody said what it was made on."""


class Verdict(Enum):
    """How a change stands to what is there."""

    SAME = "same"
    """It says what is there already."""
    CLEAR = "clear"
    """It may be written."""
    CONFLICT = "conflict"
    """Something else came since its base."""


class Judged(NamedTuple):
    """A verdict, and the file that it was about, which may have gone or never been there."""

    verdict: Verdict
    there: File | None

    @property
    def hash(self) -> bytes | None:
        """What stands there."""
        return None if self.there is None else self.there.hash


class Draft:
    """The files that a report concerns, before and after it."""

    def __init__(
        self,
        files: Mapping[str, File],
        contents: Mapping[bytes, int],
        conflicts: Iterable[Conflict] = (),
    ) -> None:
        self._files = dict(files)
        self.contents = dict(contents)
        """Sizes of what the library has of the contents that were named."""
        self._open = {(one.path, one.device): one for one in conflicts}
        self._written: dict[str, File] = {}
        self._pending: dict[tuple[str, UUID], Pending | None] = {}
        self._conflicts: dict[tuple[str, UUID], Conflict] = {}
        self.closed: list[UUID] = []
        """Conflicts that are no more."""

    @property
    def written(self) -> list[File]:
        """The files that changed, in the order in which peers should hear of them."""
        return list(self._written.values())

    @property
    def pending(self) -> list[Pending]:
        """What waits for its bytes now."""
        return [one for one in self._pending.values() if one is not None]

    @property
    def dropped(self) -> list[tuple[str, UUID]]:
        """Paths and devices of which nothing waits any more."""
        return [key for key, one in self._pending.items() if one is None]

    @property
    def conflicts(self) -> list[Conflict]:
        """New conflicts."""
        return list(self._conflicts.values())

    def there(self, path: str) -> File | None:
        """The file of a path, if there is one."""
        found = self._files.get(path)
        return None if found is None or found.hash is None else found

    # -- judging ------------------------------------------------------------------------

    def judge(self, change: Reported) -> Judged:
        """Whether a change may be written."""
        if change.change == MOVED:
            return self._judge_move(change)
        there = self.there(change.path)
        if change.change == DELETED:
            if there is None:
                return Judged(Verdict.SAME, there)
            knew = change.base in {None, there.hash}
        elif change.hash is None or (there is not None and there.hash == change.hash):
            # Nothing but metadata, if anything: of what is gone there is none.
            changes = change.change == UPDATED and there is not None and there.mtime != change.mtime
            return Judged(Verdict.CLEAR if changes else Verdict.SAME, there)
        elif there is None:
            was_deleted = change.path in self._files and change.base is not None
            knew = change.change == CREATED or not was_deleted
        else:
            knew = change.is_forced or there.hash == change.base
        return Judged(Verdict.CLEAR if knew else Verdict.CONFLICT, there)

    def _judge_move(self, change: Reported) -> Judged:
        source = self.there(change.old_path or "")
        target = self.there(change.path)
        wanted = change.hash if source is None or change.hash is not None else source.hash
        if target is not None and target.hash != wanted:
            return Judged(Verdict.CONFLICT, target)
        if source is None:
            same = target is not None or wanted is None
            return Judged(Verdict.SAME if same else Verdict.CLEAR, target)
        known = change.base or change.hash or source.hash
        return Judged(Verdict.CLEAR if known == source.hash else Verdict.CONFLICT, source)

    # -- writing ------------------------------------------------------------------------

    def write(self, change: Reported, device: UUID | None) -> None:
        """Do what a change says. Its content must be among the contents."""
        if change.change == DELETED:
            self._bury(change.path, device, None)
            return
        there = self.there(change.path)
        source = self.there(change.old_path or "") if change.change == MOVED else None
        before = source or there
        digest = change.hash or (None if before is None else before.hash)
        if digest is None:
            return
        if before is not None and before.hash == digest:
            size = before.size
        else:
            size = self.contents[digest]
        is_move = source is not None and source.hash == digest and there is None
        word = CREATED if there is None else MODIFIED
        if there is not None and there.hash == digest:
            word = UPDATED
        mtime = change.mtime
        if mtime is None and before is not None and before.hash == digest:
            mtime = before.mtime
        self._put(
            File(
                path=change.path,
                hash=digest,
                size=size,
                change=MOVED if is_move else word,
                device=device,
                mtime=mtime,
                old_path=change.old_path if is_move else None,
            )
        )
        if (
            source is not None
            and change.old_path is not None
            and (there is None or source.hash in (change.base, change.hash, digest))
        ):
            # After the file: when this may be forgotten, everybody has heard of both.
            self._bury(change.old_path, device, change.path if is_move else None)

    def touch(self, path: str) -> None:
        """Tell everybody of a path once more."""
        found = self._files.get(path)
        if found is None:
            return
        if found.hash is None:
            self._put(msgspec.structs.replace(found, device=None, moved_to=None))
        else:
            self._put(msgspec.structs.replace(found, device=None, old_path=None, change=MODIFIED))

    def _bury(self, path: str, device: UUID | None, moved_to: str | None) -> None:
        self._put(File(path=path, hash=None, change=DELETED, device=device, moved_to=moved_to))

    def _put(self, file: File) -> None:
        before = self._files.get(file.path)
        self._files[file.path] = file
        self._written.pop(file.path, None)
        self._written[file.path] = file
        if before is not None and before.old_path is not None and before.hash is not None:
            self._release(before.old_path, file.path)

    def _release(self, old_path: str, path: str) -> None:
        """A move is not told as one any more: from where it came has to be told as deleted."""
        stone = self._files.get(old_path)
        if stone is not None and stone.hash is None and stone.moved_to == path:
            self._put(msgspec.structs.replace(stone, moved_to=None, device=None))

    # -- what waits, and what cannot be merged --------------------------------------------

    def drop(self, path: str, device: UUID) -> None:
        """Whatever a device promised for a path before is void."""
        self._pending[path, device] = None

    def wait(self, change: Reported, device: UUID, *, at: str | None = None) -> None:
        """A change waits for its bytes; to be written at another path, if one is given."""
        assert change.hash is not None
        pending = Pending(
            path=at or change.path,
            reported_path=change.path,
            device=device,
            change=change.change,
            hash=change.hash,
            base=change.base,
            mtime=change.mtime,
            old_path=change.old_path,
        )
        self._pending[pending.path, device] = pending

    def disagree(
        self, change: Reported, device: UUID, there: bytes | None, conflict: UUID, now: datetime
    ) -> Conflict:
        """Keep both versions, in the place of an older conflict of the same path and device."""
        key = (change.path, device)
        known = self._open.get(key)
        if known is not None and known.id not in self.closed:
            if self._says_the_same(known, change, there):
                return known
            self.closed.append(known.id)
        self._conflicts[key] = Conflict(
            id=conflict,
            path=change.path,
            device=device,
            change=change.change,
            local_hash=change.hash,
            server_hash=there,
            mtime=change.mtime,
            old_path=change.old_path,
            detected_at=now,
        )
        return self._conflicts[key]

    @staticmethod
    def _says_the_same(known: Conflict, change: Reported, there: bytes | None) -> bool:
        """A report that is sent again is answered with the conflict that it made."""
        said = (change.hash, there, change.change, change.old_path)
        return said == (known.local_hash, known.server_hash, known.change, known.old_path)


def paths_of(changes: Iterable[Reported]) -> list[str]:
    """The paths that changes concern."""
    found = {path for one in changes for path in (one.path, one.old_path) if path is not None}
    return sorted(found)


def device_of(device: UUID | None) -> UUID:
    """A device, or what stands for none."""
    return device or NO_DEVICE
