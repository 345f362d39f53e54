"""A folder that follows a library, round by round, and what goes wrong on its way. For stories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nacl.signing import SigningKey

from scripts._device.server import Unreachable
from scripts._pinakes.index import HIDDEN, Index
from scripts._pinakes.remote import Remote, Tick
from scripts._pinakes.sync import Device, Told


class Died(Exception):
    """The device ended in the middle of something."""


class Shelf:
    """Somebody's folder, and the device that keeps it in step; a new process each round."""

    def __init__(self, path: Path, url: str, key: SigningKey, name: str) -> None:
        self.path, self.url, self.key, self.name = path, url, key, name
        self.dies_after: int | None = None
        """Bytes of transfers after which it dies."""
        self.moved_bytes = 0
        """Bytes that went either way in the last round."""
        path.mkdir()

    def sync(self, resolution: str = "keep_both") -> Told:
        """One round. Raises Unreachable, or Died where that was asked for."""
        index = Index(self.path)
        self.moved_bytes = 0
        try:
            device = Device(index, Remote(self.url, self.key), resolution, self._bar)
            device.enrol(self.name)
            return device.round(may_vanish=True)
        finally:
            index.close()

    def try_sync(self) -> bool:
        """One round, if it comes to its end."""
        try:
            self.sync()
        except (Unreachable, Died):
            return False
        return True

    @property
    def device(self) -> str:
        """The id of the device."""
        index = Index(self.path)
        try:
            return index.about("device")
        finally:
            index.close()

    def write(self, path: str, data: bytes) -> None:
        """Save a file."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def move(self, old: str, new: str) -> None:
        """Move a file."""
        (self.path / new).parent.mkdir(parents=True, exist_ok=True)
        (self.path / old).rename(self.path / new)

    def delete(self, path: str) -> None:
        """Delete a file."""
        (self.path / path).unlink()

    def read(self) -> dict[str, bytes]:
        """All files."""
        return {
            file.relative_to(self.path).as_posix(): file.read_bytes()
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and HIDDEN not in file.relative_to(self.path).parts
        }

    @contextmanager
    def _bar(self, doing: str, total: int) -> Iterator[Tick]:
        del total

        def tick(count: int) -> None:
            self.moved_bytes += count
            if self.dies_after is not None and self.moved_bytes > self.dies_after:
                raise Died(doing)

        yield tick
