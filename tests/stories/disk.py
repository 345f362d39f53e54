"""A file system of a few megabytes, so that a test can run out of room without harm."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SmallDisk:
    """A small tmpfs at `folder`, perhaps one that only some processes see."""

    folder: Path
    prefix: tuple[str, ...]
    """What to start a program with that is to see it."""
    pid: int
    """A process that sees it."""

    @property
    def _filler(self) -> Path:
        return Path(f"/proc/{self.pid}/root{self.folder}/filler")

    def fill(self) -> None:
        """Take all room that is left, to the last byte."""
        with self._filler.open("ab") as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        os.write(file.fileno(), bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """A tmpfs of `size` bytes; fails where neither root nor a user's namespace may mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)]
    mount = shutil.which("mount")
    assert mount, "this test needs mount(8)"
    if os.geteuid() == 0:
        subprocess.run([mount, *options], check=True)
        try:
            yield SmallDisk(folder, (), os.getpid())
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    with _namespace(mount, options) as pid:
        enter = ("nsenter", "--target", str(pid), "--user", "--mount", "--preserve-credentials")
        yield SmallDisk(folder, enter, pid)


@contextmanager
def _namespace(mount: str, options: list[str]) -> Iterator[int]:
    """As an ordinary user: a process in a namespace of its own, where it may mount something."""
    own = ("unshare", "--user", "--map-current-user", "--keep-caps", "--mount")
    script = '"$@" && echo mounted && exec sleep infinity'
    with subprocess.Popen(
        [*own, "sh", "-c", script, "sh", mount, *options], stdout=subprocess.PIPE, text=True
    ) as keeper:
        try:
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == "mounted\n", (
                "this test needs root, or a system where users may mount in their own namespace"
            )
            yield keeper.pid
        finally:
            keeper.kill()
