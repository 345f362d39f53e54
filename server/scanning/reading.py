"""A file's bytes and hash, read once, opened without following a link. Blocking: for threads."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import NamedTuple

from server.media.kinds import HEAD_BYTES
from server.scanning import rooted

PIECE_BYTES = 1 << 20


class Unreadable(Exception):
    """A file that cannot be read now; the scan goes on without it."""


class Read(NamedTuple):
    """What a file held when it was read."""

    digest: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    head: bytes
    whole: bytes | None
    """All of it, where that is little."""


def read(root: str, path: str, size_max: int, is_over: Callable[[], bool]) -> Read:
    """Hash a file. Raises Unreadable, also where it changes meanwhile or `is_over` says so."""
    try:
        opened = rooted.open_file(root, path)
    except OSError as error:
        raise Unreadable(error.strerror or "it cannot be opened") from None
    try:
        before = os.fstat(opened)
        if not stat.S_ISREG(before.st_mode):
            raise Unreadable("it is no regular file")
        if before.st_size > size_max:
            raise Unreadable(f"it is larger than {size_max} bytes")
        sha, first, size = sha256(), b"", 0
        while piece := os.read(opened, PIECE_BYTES):
            first = first or piece
            sha.update(piece)
            size += len(piece)
            if is_over() or size > size_max:
                raise Unreadable("the scan is over")
        after = os.fstat(opened)
        if (after.st_mtime_ns, after.st_size) != (before.st_mtime_ns, size):
            raise Unreadable("it changes")
        whole = first if size == len(first) else None
        return Read(
            sha.digest(), size, after.st_mtime_ns, after.st_ctime_ns, first[:HEAD_BYTES], whole
        )
    except OSError as error:
        raise Unreadable(error.strerror or "it cannot be read") from None
    finally:
        os.close(opened)


async def pieces(root: str, path: str, found: Read) -> AsyncIterator[bytes]:
    """The bytes of a file, for the blob store. Raises Unreadable."""
    if found.whole is not None:
        yield found.whole
        return
    try:
        opened = await asyncio.to_thread(rooted.open_file, root, path)
    except OSError as error:
        raise Unreadable(error.strerror or "it cannot be opened") from None
    try:
        while piece := await asyncio.to_thread(os.read, opened, PIECE_BYTES):
            yield piece
    except OSError as error:
        raise Unreadable(error.strerror or "it cannot be read") from None
    finally:
        os.close(opened)


def is_there(root: str, path: str) -> bool:
    """Whether there is a regular file."""
    try:
        folder = rooted.open_folder(root, os.path.dirname(path))  # noqa: PTH120 (names are bytes)
    except OSError:
        return False
    try:
        status = os.stat(os.path.basename(path), dir_fd=folder, follow_symlinks=False)  # noqa: PTH119
    except OSError:
        return False
    finally:
        os.close(folder)
    return stat.S_ISREG(status.st_mode)
