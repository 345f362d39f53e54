"""What a device knows of its library, in a hidden folder: which version of each file it has.

SQLite, so that a crash leaves the last commit, and 100,000 files need not be written for one.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from scripts._device.rounds import Busy

HIDDEN = ".pinakes"


class Known(NamedTuple):
    """A version of a file that the server has, and how it looked on the disk here."""

    path: str
    hash: str
    size: int
    mtime_ns: int
    inode: int


_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, hash TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Index:
    """The index of a folder, locked for this process."""

    def __init__(self, folder: Path) -> None:
        """Raises Busy."""
        self.folder = folder
        self.hidden = folder / HIDDEN
        self.incoming = self.hidden / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)
        self._lock = (self.hidden / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise Busy(f"{folder} is being kept in step by another process") from None
        self._base = sqlite3.connect(self.hidden / "index.db", isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.executescript(_SCHEMA)

    def close(self) -> None:
        """Let others at it."""
        self._base.close()
        self._lock.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep several things, or none of them."""
        self._base.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def about(self, name: str) -> str:
        """Something that is kept of the device; empty where it is not."""
        row = self._base.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def keep_about(self, **values: str) -> None:
        """Keep something of the device."""
        self._base.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", values.items())

    def files(self) -> dict[str, Known]:
        """All that is known, by path."""
        rows = self._base.execute("SELECT path, hash, size, mtime_ns, inode FROM files")
        return {row[0]: Known(*row) for row in rows}

    def find(self, path: str) -> Known | None:
        """What is known of one path."""
        columns = "path, hash, size, mtime_ns, inode"
        row = self._base.execute(
            f"SELECT {columns} FROM files WHERE path = ?",  # noqa: S608  (the names are ours)
            (path,),
        ).fetchone()
        return None if row is None else Known(*row)

    def keep(self, known: Known) -> None:
        """The server has this version, and so have we."""
        self._base.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", known)

    def forget(self, path: str) -> None:
        """Neither has it any more."""
        self._base.execute("DELETE FROM files WHERE path = ?", (path,))
