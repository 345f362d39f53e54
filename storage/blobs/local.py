"""Bytes in a folder of this machine: written beside, made durable, then renamed to their name.

A crash leaves a file under its name with all of its bytes, or a nameless one in `incoming`, which
`sweep` removes. Blocking calls run in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

from storage.blobs.store import PIECE_BYTES, Listed
from storage.errors import StoreUnavailable, UnknownBlob

INCOMING = "incoming"
_MODE = 0o600
_FOLDER_MODE = 0o700
_LISTED_AT_ONCE = 500


class LocalStore:
    """A folder. Nodes that share it (a network file system) share what is in it."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Make the folder if it is not there, unless it is only to be read."""
        self._folder = folder
        if not read_only:
            _make_folder(folder / INCOMING)

    async def receive(self, name: str | None = None) -> LocalIncoming:
        """Begin a file without a name."""
        del name
        path = self._folder / INCOMING / secrets.token_hex(16)
        with _telling():
            descriptor = await asyncio.to_thread(
                os.open, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _MODE
            )
        return LocalIncoming(self._folder, path, descriptor)

    async def read(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a file, a piece at a time."""
        descriptor = await asyncio.to_thread(self._open, name)
        try:
            at = start
            while at < end:
                with _telling():
                    piece = await asyncio.to_thread(
                        os.pread, descriptor, min(PIECE_BYTES, end - at), at
                    )
                if not piece:
                    raise StoreUnavailable(f"{name} is shorter than it was")
                at += len(piece)
                yield piece
        finally:
            os.close(descriptor)

    async def size(self, name: str) -> int | None:
        """How long a file is."""
        with _telling():
            try:
                found = await asyncio.to_thread(os.stat, self._path(name))
            except FileNotFoundError:
                return None
        return found.st_size

    async def delete(self, name: str) -> None:
        """Remove a file."""
        with _telling(), contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread(os.unlink, self._path(name))

    def path(self, name: str) -> Path | None:
        """Where a file is."""
        return self._path(name)

    async def list(self, prefix: str) -> AsyncIterator[Listed]:
        """Walk a folder."""
        names = _walk(self._folder, prefix)
        while found := await asyncio.to_thread(_take, names):
            for listed in found:
                yield listed

    async def sweep(self, before: datetime) -> int:
        """Remove nameless files that nobody wrote to for long."""
        gone = 0
        async for listed in self.list(INCOMING):
            if listed.at < before:
                await self.delete(listed.name)
                gone += 1
        return gone

    async def close(self) -> None:
        """Nothing is kept open."""

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        assert all(part and not part.startswith(".") for part in parts), name
        return self._folder.joinpath(*parts)

    def _open(self, name: str) -> int:
        with _telling():
            try:
                return os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                raise UnknownBlob(name) from None


class LocalIncoming:
    """A file that has no name yet."""

    def __init__(self, folder: Path, path: Path, descriptor: int) -> None:
        self._folder = folder
        self._made = path
        self._descriptor = descriptor

    async def write(self, data: bytes) -> None:
        """Append."""
        with _telling():
            await asyncio.to_thread(_write, self._descriptor, data)

    async def publish(self, name: str) -> None:
        """Flush to the disk, then rename, then flush the folder."""
        try:
            with _telling():
                await asyncio.to_thread(self._publish, self._folder.joinpath(*name.split("/")))
        except BaseException:
            await self.discard()
            raise

    async def discard(self) -> None:
        """Remove the file."""
        await asyncio.to_thread(self._discard)

    def _publish(self, path: Path) -> None:
        os.fsync(self._descriptor)
        self._close()
        _make_folder(path.parent)
        self._made.replace(path)
        _flush(path.parent)

    def _discard(self) -> None:
        self._close()
        with contextlib.suppress(OSError):
            self._made.unlink()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """A full or broken disk is for the operator and for now, not for ever."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error.strerror}") from error


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _make_folder(folder: Path) -> None:
    """Make a folder that is still there after a power cut, with all above it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(_FOLDER_MODE)
    _flush(folder.parent)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _walk(folder: Path, prefix: str) -> Iterator[Listed]:
    for above, _, names in os.walk(folder.joinpath(*prefix.split("/"))):
        for name in names:
            path = Path(above, name)
            with contextlib.suppress(FileNotFoundError):
                at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                yield Listed(path.relative_to(folder).as_posix(), at)


def _take(names: Iterator[Listed]) -> list[Listed]:
    return list(itertools.islice(names, _LISTED_AT_ONCE))
