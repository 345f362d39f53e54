"""The list of a site's files: one record for each path, in the document of the site. Pure.

    collection `files`: path -> a File as JSON
    collection `meta`:  "revision" -> how often the list was changed

A file is served once bytes of it came (`hash`). While an upload is expected older bytes go on being
served; an upload that never came leaves no trace once its time is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from crdt.records import Collection

FILES: Final = "files"
META: Final = "meta"
REVISION: Final = "revision"

UPLOADING, PROCESSING, SUCCESS, ERROR = "UPLOADING", "PROCESSING", "SUCCESS", "ERROR"
MARKDOWN: Final = frozenset({"md", "mdx"})


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of a site, by its path. Times are Unix milliseconds."""

    id: str
    """Stays with the path, whatever its bytes; clients know it as blobId."""
    status: str
    """UPLOADING (bytes are expected), PROCESSING, SUCCESS or ERROR."""
    created_at: int
    sha: str = ""
    """What a client called the bytes that came last: any kind of hash."""
    client: str = ""
    """Who brought the bytes that came last: a token, a device; empty: nobody in particular."""
    hash: str = ""
    """SHA-256 of them in hex: their blob. Empty: none came yet, so there is nothing to serve."""
    sha1: str = ""
    git: str = ""
    """SHA-1 of them as git names a blob."""
    size: int = 0
    """Bytes, of what came last; declared, before anything came."""
    error: str = ""
    """What went wrong when it was processed."""
    document: str = ""
    """UUID of its text document; its text is what is shown, not the blob."""
    head: int = 0
    """How many rows that document had while its text was, as known, what came last; else 0."""
    until: int = 0
    """Up to when an upload is expected, while one is."""
    changed_at: int = 0
    """When bytes came last, or its text was first merged."""
    width: int = 0
    height: int = 0
    """Of an image, in pixels; 0: not known."""

    @property
    def is_served(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.hash)

    def as_of(self, now_ms: int) -> File | None:
        """The file once an upload's time is over: as before it was asked for, or None."""
        if self.status != UPLOADING or now_ms <= self.until:
            return self
        if not self.hash:
            return None
        return msgspec.structs.replace(self, status=ERROR if self.error else SUCCESS, until=0)


_DECODER = msgspec.json.Decoder(File)


def extension(path: str) -> str:
    """The letters behind the last dot of a file's name, small; empty where there is none."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def is_markdown(path: str) -> bool:
    """Whether a path names a text that is merged and rendered."""
    return extension(path) in MARKDOWN


class Contents(msgspec.Struct, frozen=True):
    """The files of a site at one moment, and what is asked of all of them at once."""

    files: Mapping[str, File]
    """By path, in no order; not to be changed."""
    size: int
    """Bytes of all of them together."""
    unsettled: Mapping[str, File]
    """Those of which bytes are expected, or that went wrong."""

    def as_of(self, now_ms: int) -> Contents:
        """The same once uploads are too late: itself where none is. Looks at the unsettled only."""
        late = [
            (path, file, file.as_of(now_ms))
            for path, file in self.unsettled.items()
            if file.until and file.until < now_ms
        ]
        if all(after is file for _, file, after in late):
            return self
        files, unsettled, size = dict(self.files), dict(self.unsettled), self.size
        for path, file, after in late:
            _move(files, path, after)
            _move(unsettled, path, None if after is None or after.status == SUCCESS else after)
            size += (0 if after is None else after.size) - file.size
        return Contents(files, size, unsettled)


def _move(files: dict[str, File], path: str, file: File | None) -> None:
    if file is None:
        files.pop(path, None)
    else:
        files[path] = file


class _Followed:
    """The files of one document, read whole once; afterwards only what changed, whoever did it."""

    def __init__(self, doc: Any) -> None:  # noqa: ANN401 (a document inside `look`)
        collection = Collection.of(doc, FILES)
        files = {
            path: _DECODER.decode(value)
            for path, value in collection.items()
            if isinstance(value, str)
        }
        unsettled = {path: file for path, file in files.items() if file.status != SUCCESS}
        self._known = Contents(files, sum(file.size for file in files.values()), unsettled)
        self._changed: set[str] = set()
        # Both live as long as the document, which holds this object.
        self._subscription = collection.observe(lambda event: self._changed.update(event.keys))

    def contents(self, doc: Any) -> Contents:  # noqa: ANN401
        """All of them as they are now; what was answered before stays as it was."""
        if self._changed:
            files, unsettled = dict(self._known.files), dict(self._known.unsettled)
            size = self._known.size
            for path in self._changed:
                before, file = files.get(path), find(doc, path)
                _move(files, path, file)
                _move(unsettled, path, None if file is None or file.status == SUCCESS else file)
                size += (0 if file is None else file.size) - (0 if before is None else before.size)
            self._known = Contents(files, size, unsettled)
            self._changed.clear()
        return self._known


_KEPT: Final = "plait listing"


def read_all(doc: Any) -> Contents:  # noqa: ANN401 (a document inside `look`)
    """Every file. Costs what changed since last time, and a copy of a dictionary.

    A site of 5,000 files took 60 ms to read, with each file that came.
    """
    kept = vars(doc)
    if _KEPT not in kept:
        kept[_KEPT] = _Followed(doc)
    followed: _Followed = kept[_KEPT]
    return followed.contents(doc)


def find(doc: Any, path: str) -> File | None:  # noqa: ANN401
    """The file at a path."""
    value = Collection.of(doc, FILES).get(path)
    return _DECODER.decode(value) if isinstance(value, str) else None


def write(doc: Any, files: Mapping[str, File], gone: Iterable[str] = ()) -> None:  # noqa: ANN401
    """Put files into the list, and take paths out of it."""
    collection = Collection.of(doc, FILES)
    for path, file in files.items():
        collection.put(path, msgspec.json.encode(file).decode())
    for path in gone:
        collection.forget(path)
    meta = Collection.of(doc, META)
    revision = meta.get(REVISION)
    # A deletion alone would leave the state vector as it is, by which readers know what is new.
    meta.put(REVISION, (revision if isinstance(revision, int) else 0) + 1)
