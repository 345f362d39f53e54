"""Texts of a library: which files are, and one version made of two that came of the same one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import PurePosixPath

from crdt.weaving import woven
from server.adapters.pinakes.deciding import MOVED, Judged, Reported
from server.files import Files
from server.settings import Settings
from server.workers import Workers
from storage.blobs import Blob
from storage.errors import UnknownBlob

INLINE_LETTERS = 4096
"""Texts up to this long are merged at once; longer ones in a helper process."""


class Texts:
    """What is merged and never a conflict. Methods may raise StoreUnavailable and WorkerDied."""

    def __init__(self, settings: Settings, files: Files, workers: Workers) -> None:
        self._blobs = files.blobs
        self._workers = workers
        self._bytes_max = settings.pinakes_text_bytes_max
        self._suffixes = frozenset(
            f".{suffix.lower().lstrip('.')}" for suffix in settings.pinakes_text_suffixes
        )

    def is_text(self, path: str) -> bool:
        """Whether a file of this name is a text, if its bytes are."""
        return PurePosixPath(path).suffix.lower() in self._suffixes

    def may_be(self, change: Reported, judged: Judged) -> bool:
        """Whether a change could be merged with what is there."""
        there = judged.there
        return self.is_text(change.path) and (there is None or self.is_text(there.path))

    def base_of(self, change: Reported, judged: Judged) -> bytes | None:
        """The version of which both were made, as far as that is known.

        What is moved to where something else came has nothing in common with it.
        """
        there = judged.there
        if change.change == MOVED and there is not None and there.path == change.path:
            return None
        return change.base

    async def merge(self, base: bytes | None, ours: bytes, theirs: bytes) -> Blob | None:
        """Both versions as one, stored; None where one of them is no text."""
        mine, other = await self.read(ours), await self.read(theirs)
        if mine is None or other is None:
            return None
        common = None if base is None else await self.read(base)
        if max(len(mine), len(other)) > INLINE_LETTERS:
            text = await self._workers.run(woven, common, mine, other)
        else:
            text = woven(common, mine, other)
        return await self.keep(text)

    async def keep(self, text: str) -> Blob:
        """Store a text; nobody uses it yet."""
        return await self._blobs.receive(_once(text.encode()), bytes_max=4 * self._bytes_max)

    async def read(self, digest: bytes) -> str | None:
        """A text by its hash; None where it is none, or too long, or gone."""
        try:
            data = await self._blobs.whole(digest, self._bytes_max)
            text = data.decode()
        except (UnknownBlob, UnicodeDecodeError):
            return None
        return None if "\0" in text else text


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
