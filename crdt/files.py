"""What a block's document says of its files: `files_v0`, by "<sha256>:<size>".

    files_v0  Map    "<sha256>:<size>" -> {"hash", "name", "mime_type", "file_size",
                                          "file_id", "is_uploaded", …}

Clients put an entry there when they add a file, some under the bare hash; the server marks it when
the bytes have come, and adds what it learns. Whatever else an entry says stays.
"""

from collections.abc import Mapping
from typing import Any, Final

import pycrdt

from crdt.blocks import Change

FILES: Final = "files_v0"


def tell(digest: str, size: int, facts: Mapping[str, Any], defaults: Mapping[str, Any]) -> Change:
    """The change that notes facts about a file, `digest` in small hex digits.

    `facts` replace what stands there; `defaults` are written only where there is nothing. An entry
    under the bare hash is taken over into one under the long key, and marked too, for those who
    look there. Nothing is written where nothing would change.
    """

    def write(doc: "pycrdt.Doc[Any]") -> None:
        files = doc.get(FILES, type=pycrdt.Map)
        long, bare = f"{digest}:{size}", _bare(files, digest)
        before = _about(files.get(long))
        if before is None and bare is not None:
            before = _about(files.get(bare))
        _put(files, long, {**defaults, **(before or {}), **facts})
        if bare is not None:
            _put(files, bare, {**(_about(files.get(bare)) or {}), **facts})

    return write


def _bare(files: "pycrdt.Map[Any]", digest: str) -> str | None:
    """The key that is the hash alone, however it is spelled."""
    return next((key for key in (digest, digest.upper()) if key in files), None)


def _about(entry: Any) -> dict[str, Any] | None:  # noqa: ANN401  (peers write what they like)
    if isinstance(entry, pycrdt.Map):
        return dict(entry.items())
    return entry if isinstance(entry, dict) else None


def _put(files: "pycrdt.Map[Any]", key: str, entry: dict[str, Any]) -> None:
    """Write an entry: into the map that stands there, else as one value."""
    known = files.get(key)
    if isinstance(known, pycrdt.Map):
        for name, value in entry.items():
            if known.get(name) != value:
                known[name] = value
    elif known != entry:
        files[key] = entry


def forget(digest: str) -> Change:
    """The change that takes a file out of a block, under whatever key it stands there."""

    def write(doc: "pycrdt.Doc[Any]") -> None:
        files = doc.get(FILES, type=pycrdt.Map)
        for key in list(files.keys()):
            if key.partition(":")[0].lower() == digest:
                del files[key]

    return write
