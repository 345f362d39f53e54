"""A tar archive as a stream: in memory is one small file, or a piece of a large one.

Format: POSIX ustar with pax headers for long names, as `tar` reads it everywhere.
"""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator

from storage.blobs import Blobs
from storage.errors import StoreUnavailable, UnknownBlob
from storage.leaving.export import Entry

_BLOCK = tarfile.BLOCKSIZE


async def tar(entries: AsyncIterator[Entry], blobs: Blobs, at: float) -> AsyncIterator[bytes]:
    """The archive of these files, each as of `at` (epoch seconds).

    Bytes that turn out to be missing are filled up with zeros: the archive stays readable.
    """
    async for entry in entries:
        info = tarfile.TarInfo(entry.name)
        info.size = len(entry.data) if entry.blob is None else entry.blob.size
        info.mtime, info.mode = int(at), 0o600
        yield info.tobuf(tarfile.PAX_FORMAT)
        if entry.blob is None:
            yield entry.data
        else:
            left = entry.blob.size
            try:
                async for piece in blobs.read(entry.blob):
                    left -= len(piece)
                    yield piece
            except (UnknownBlob, StoreUnavailable):
                while left > 0:
                    yield bytes(min(left, 1 << 20))
                    left -= 1 << 20
        yield bytes(-info.size % _BLOCK)
    yield bytes(2 * _BLOCK)
