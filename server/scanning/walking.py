"""What lies in a folder, in batches: names, sizes and times of regular files, nothing opened.

No link is followed, to a file or to a folder: each folder is opened below its open parent. Names
that are no UTF-8, links, pipes and devices are left out and counted. Blocking: step it in a thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from server.scanning import ignoring, rooted
from server.scanning.ignoring import Rules

BATCH = 500
DEPTH_MAX = 64


class Seen(NamedTuple):
    """A regular file, as its folder's listing shows it."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


class Walk:
    """One walk: iterate `batches` to its end, then read what it counted."""

    def __init__(self, root: str, folder: str) -> None:
        self._root = root
        self._folder = folder
        self.folders: list[str] = []
        """All that were listed."""
        self.unread: list[str] = []
        """Folders that could not be listed: nothing is known of what is in them."""
        self.ignored = 0
        self.skipped = 0
        """Links, pipes, devices, names that are no text."""

    def batches(self) -> Iterator[list[Seen]]:
        """The files, up to BATCH at a time. Raises OSError where the folder itself is not there."""
        batch: list[Seen] = []
        opened = rooted.open_folder(self._root, self._folder)
        for seen in self._walk(opened, self._folder, (), []):
            batch.append(seen)
            if len(batch) >= BATCH:
                yield batch
                batch = []
        yield batch

    def _walk(
        self, opened: int, path: str, parts: tuple[str, ...], chain: list[Rules]
    ) -> Iterator[Seen]:
        below: list[str] = []
        try:
            self.folders.append(path)
            rules = ignoring.read(opened, len(parts))
            chain = [*chain, rules] if rules else chain
            try:
                entries = self._list(opened)
            except OSError:
                self.unread.append(path)
                return
            for name, status in entries:
                seen = self._judge(path, parts, chain, name, status)
                if seen is not None:
                    yield seen
                elif status is not None and stat.S_ISDIR(status.st_mode):
                    below.append(name)
            for name in below:
                yield from self._enter(opened, path, (*parts, name), chain)
        finally:
            os.close(opened)

    def _list(self, opened: int) -> list[tuple[str, os.stat_result | None]]:
        """The names of a folder with their status; None for one that vanished meanwhile."""
        found: list[tuple[str, os.stat_result | None]] = []
        with os.scandir(opened) as entries:
            for entry in entries:
                try:
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
                except OSError:
                    found.append((entry.name, None))
        return sorted(found, key=lambda one: one[0])

    def _judge(
        self,
        path: str,
        parts: tuple[str, ...],
        chain: list[Rules],
        name: str,
        status: os.stat_result | None,
    ) -> Seen | None:
        """A file that counts; None for what does not, and for folders."""
        if status is None or name == ignoring.NAME:
            return None
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode) or not _is_text(name):
            self.skipped += 1
            return None
        if chain and ignoring.is_ignored(chain, (*parts, name), is_folder=False):
            self.ignored += 1
            return None
        return Seen(f"{path}/{name}", status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def _enter(
        self, above: int, path: str, parts: tuple[str, ...], chain: list[Rules]
    ) -> Iterator[Seen]:
        name = parts[-1]
        if not _is_text(name):
            self.skipped += 1
            return
        if chain and ignoring.is_ignored(chain, parts, is_folder=True):
            self.ignored += 1
            return
        deeper = f"{path}/{name}"
        if len(parts) > DEPTH_MAX:
            self.unread.append(deeper)
            return
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            opened = os.open(name, flags, dir_fd=above)
        except OSError:
            self.unread.append(deeper)
            return
        yield from self._walk(opened, deeper, parts, chain)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
