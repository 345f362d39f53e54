"""What the device knows, in a hidden folder: one file for each note, one for the device itself.

Every file is written whole beside its place, flushed to the disk and renamed, so a crash leaves the
old one or the new one. What is on the shelf is always enough to go on from.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from scripts._device.rounds import Busy

HIDDEN = ".plait"


class Kept(msgspec.Struct, kw_only=True):
    """What is kept of one note. The document in it is the truth, the file is how it is shown."""

    block: str
    doc: bytes
    """The YDoc: everything that was seen and written here."""
    seen: bytes = b"\0"
    """The state vector of the server's document, as it was last told."""
    unsent: bool = False
    """The document holds edits that the server has not confirmed."""
    file: str | None = None
    """The name of its file; none while it is in the trash."""
    inode: int = 0
    """What its file was on the disk: a file that is renamed stays the same one."""
    named: str = ""
    """The title after which the file was named."""
    text: str = ""
    """What the file says, as far as the document knows of it."""
    base: bytes | None = None
    """The document of which the file speaks, where it is not `doc`."""
    writing: tuple[str, str] | None = None
    """Name and text of a file that is being written: after a crash it may be there or not."""
    pending: bool = False
    """The document changed since its file was written."""
    problem: str = ""
    """Why the server does not take it."""


class About(msgspec.Struct, kw_only=True):
    """What is kept of the device."""

    url: str
    workspace: str
    root: str | None
    """The workspace's own block, which is no note while nothing is written in it."""
    marker: int = 0
    """Everything up to here is on the shelf."""


class Shelf:
    """The hidden folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._hidden = folder / HIDDEN
        self._notes = self._hidden / "notes"
        self._notes.mkdir(parents=True, exist_ok=True)
        self._lock = (self._hidden / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(f"{folder} is kept in step by another process") from None

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()

    def about(self) -> About | None:
        """What is kept of the device; None the first time."""
        path = self._hidden / "device.json"
        return msgspec.json.decode(path.read_bytes(), type=About) if path.exists() else None

    def keep_about(self, about: About) -> None:
        """Keep it."""
        self.write(self._hidden / "device.json", msgspec.json.encode(about))

    def notes(self) -> list[Kept]:
        """Every note."""
        paths = sorted(self._notes.glob("*.json"))
        return [msgspec.json.decode(path.read_bytes(), type=Kept) for path in paths]

    def keep(self, note: Kept) -> None:
        """Keep a note as it is now."""
        self.write(self._notes / f"{note.block}.json", msgspec.json.encode(note))

    def forget(self, note: Kept) -> None:
        """Keep it no more."""
        (self._notes / f"{note.block}.json").unlink(missing_ok=True)

    def rescue(self, name: str, text: str) -> Path:
        """Put a text aside that has no place any more."""
        path = _free(self._hidden / "rescued", name)
        self.write(path, text.encode())
        return path

    def replace(self, path: Path, data: bytes, expected: Callable[[bytes], bool]) -> bool:
        """Make a file hold this, unless somebody has just saved something else in it."""
        before = self._hidden / "before"
        before.unlink(missing_ok=True)
        before.hardlink_to(path)
        self.write(path, data)
        if expected(before.read_bytes()):
            return True
        before.replace(path)
        return False

    def write(self, path: Path, data: bytes) -> None:
        """Make a file hold this, or leave it as it was."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._hidden / f"draft-{os.getpid()}"
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        self.flush(path.parent)

    @staticmethod
    def flush(folder: Path) -> None:
        """See that names in a folder are on the disk."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _free(folder: Path, name: str) -> Path:
    stem, number = Path(name).stem, 1
    path = folder / name
    while path.exists():
        number += 1
        path = folder / f"{stem} ({number}).md"
    return path
