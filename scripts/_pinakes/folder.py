"""The files of a device: what was done to them, and how what came from elsewhere is written.

A file is only ever replaced or removed where it is still the version that the index knows. Whoever
saves in that very moment wins: the next round finds the edit and reports it.
"""

import os
import unicodedata
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any, NamedTuple

from scripts._pinakes.index import HIDDEN, Index, Known


class Seen(NamedTuple):
    """A file as it is on the disk."""

    path: str
    hash: str
    file: Path
    stat: os.stat_result


class Changes(NamedTuple):
    """What was done here since the index."""

    reports: list[dict[str, Any]]
    seen: dict[str, Seen]
    """The files that the reports are about."""


def look(index: Index) -> Changes:
    """Compare the folder with the index. A file that is gone and one that came are one, moved."""
    known = index.files()
    seen: dict[str, Seen] = {}
    missing = dict(known)
    reports: list[dict[str, Any]] = []
    for path, file, stat in walk(index.folder):
        old = known.get(path)
        missing.pop(path, None)
        if old is not None and (stat.st_size, stat.st_mtime_ns) == (old.size, old.mtime_ns):
            continue
        digest = hash_of(file)
        if digest is None:
            continue
        if old is not None and digest == old.hash:
            index.keep(known_of(path, digest, stat))
            continue
        seen[path] = Seen(path, digest, file, stat)
    _report_moves(missing, known, seen, reports)
    moved = {one["path"] for one in reports}
    for path, one in seen.items():
        if path not in moved:
            old = known.get(path)
            base = {} if old is None else {"base_hash": old.hash}
            reports.append(_said(one, "created" if old is None else "modified", base))
    reports += [
        {"path": path, "change_type": "deleted", "base_hash": old.hash}
        for path, old in missing.items()
    ]
    return Changes(reports, seen)


def _report_moves(
    missing: dict[str, Known],
    known: dict[str, Known],
    seen: dict[str, Seen],
    reports: list[dict[str, Any]],
) -> None:
    """The same content, or the same file on the disk, under another name."""
    gone: dict[str, list[str]] = {}
    for path, old in missing.items():
        gone.setdefault(old.hash, []).append(path)
    inodes = {old.inode: path for path, old in missing.items()}
    for path, one in seen.items():
        if path in known:
            continue
        same = gone.get(one.hash)
        old_path = same.pop() if same else inodes.get(one.stat.st_ino)
        if old_path is None or old_path not in missing:
            continue
        old = missing.pop(old_path)
        more = {"old_path": old_path, "base_hash": old.hash}
        reports.append(_said(one, "moved", more))


def _said(one: Seen, word: str, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": one.path,
        "change_type": word,
        "content_hash": one.hash,
        "file_size": one.stat.st_size,
        "local_mtime": one.stat.st_mtime,
        **more,
    }


def walk(folder: Path) -> Iterator[tuple[str, Path, os.stat_result]]:
    """The files of a folder, with their paths as the library has them; no links."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != HIDDEN)
        for name in sorted(names):
            file = Path(parent, name)
            try:
                stat = file.lstat()
                path = unicodedata.normalize("NFC", file.relative_to(folder).as_posix())
                path.encode()
            except (OSError, UnicodeEncodeError):
                continue
            if file.is_file() and not file.is_symlink():
                yield path, file, stat


def hash_of(file: Path) -> str | None:
    """The SHA-256 of a file; None where it is gone or cannot be read."""
    try:
        with file.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def known_of(path: str, digest: str, stat: os.stat_result) -> Known:
    """A version as it is on the disk."""
    return Known(path, digest, stat.st_size, stat.st_mtime_ns, stat.st_ino)


def place_of(folder: Path, path: str) -> Path | None:
    """Where a path of the library is on the disk; None for what would be outside."""
    parts = path.split("/")
    if any(part in {"", ".", ".."} or "\\" in part for part in parts) or parts[0] == HIDDEN:
        return None
    return folder.joinpath(*parts)


def is_as_known(file: Path, known: Known | None) -> bool:
    """Whether a file is the version that the index knows, or is not there as the index knows."""
    try:
        stat = file.lstat()
    except OSError:
        return known is None
    if known is None:
        return False
    same = (stat.st_size, stat.st_mtime_ns) == (known.size, known.mtime_ns)
    return same or hash_of(file) == known.hash


def write(file: Path, incoming: Path, known: Known | None, mtime: float | None) -> bool:
    """Put what came into its place; False where somebody saved the file meanwhile."""
    if mtime is not None:
        os.utime(incoming, (mtime, mtime))
    file.parent.mkdir(parents=True, exist_ok=True)
    if not is_as_known(file, known):
        return False
    incoming.replace(file)
    flush(file.parent)
    return True


def remove(folder: Path, file: Path) -> None:
    """Remove a file, and folders that are empty without it."""
    file.unlink(missing_ok=True)
    for parent in file.parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()


def flush(folder: Path) -> None:
    """See that names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
