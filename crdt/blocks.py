"""What a block's document says of itself: its title, and whether it is in the trash.

A block keeps the state of its trash in its own document, so that a device that is offline can trash
and restore: the map `meta_v0` holds Unix milliseconds under `deletedAt` (in the trash) and
`permanentlyDeletedAt` (gone for good). The names with underscores count too, and so do texts in the
form of ISO 8601. Nothing, null, false, zero and an empty text mean that it did not happen.

    title_v0  XmlFragment (or Text)    meta_v0  Map

Peers write these roots as they like: whatever stands there is read as well as it can be, and never
an error.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pycrdt
from pycrdt._pycrdt import XmlElement as _Element
from pycrdt._pycrdt import XmlText as _Text

from crdt.document import Document

TITLE: Final = "title_v0"
META: Final = "meta_v0"
TRASHED: Final = "deletedAt"
REMOVED: Final = "permanentlyDeletedAt"

TITLE_CHARACTERS_MAX: Final = 500
"""What is kept of a title; the rest stays in the document."""
DELETE_ONLY_BYTES_MAX: Final = 8 * 1024
"""Deletions above this are not kept beside the document: they are encoded again when asked for."""

_NODES_MAX: Final = 2_000
_TIME_MAX: Final = 253_402_300_799_999
"""The end of the year 9999."""
_TRASHED: Final = (TRASHED, "deleted_at")
_REMOVED: Final = (REMOVED, "permanently_deleted_at")

Change = Callable[["pycrdt.Doc[Any]"], None]
"""A change of the kind that `Document.edit` makes."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What lists, deltas and pulls need to know of a block without opening it."""

    title: str
    trashed_at: int | None
    """Unix milliseconds; 0 where the document does not say when. None: not in the trash."""
    removed_at: int | None
    """The same of a block that was deleted for good."""
    state_vector: bytes
    delete_only: bytes | None
    """What a replica with all structs may lack: the deletions. None where they are many."""


def read(document: Document) -> Facts:
    """The facts of a block. Raises DocumentBroken."""
    title, meta = document.look(_read)
    state = document.state_vector()
    deletions: bytes | None = document.diff(state)
    if deletions is not None and len(deletions) > DELETE_ONLY_BYTES_MAX:
        deletions = None
    return Facts(
        title=title,
        trashed_at=_moment(meta, _TRASHED),
        removed_at=_moment(meta, _REMOVED),
        state_vector=state,
        delete_only=deletions,
    )


def trash(now_ms: int) -> Change:
    """The change that puts a block into the trash."""
    return lambda doc: _mark(doc, {TRASHED: now_ms})


def restore() -> Change:
    """The change that takes a block out of the trash, however it came there."""
    return lambda doc: _mark(doc, dict.fromkeys((*_TRASHED, *_REMOVED)))


def remove(now_ms: int) -> Change:
    """The change that deletes a block for good."""
    return lambda doc: _mark(doc, {TRASHED: now_ms, REMOVED: now_ms})


def _mark(doc: "pycrdt.Doc[Any]", marks: dict[str, int | None]) -> None:
    """Write the marks that differ; a mark that never was there is not written as null."""
    meta = doc.get(META, type=pycrdt.Map)
    for key, value in marks.items():
        if value is not None or meta.get(key) is not None:
            meta[key] = value


def _read(doc: "pycrdt.Doc[Any]") -> tuple[str, dict[str, Any]]:
    raw: Any = doc._doc  # noqa: SLF001  (the names for people cost ten times as much)
    transaction: Any = doc._txn._txn  # type: ignore[union-attr]  # noqa: SLF001
    meta = raw.get_or_insert_map(transaction, META)
    marks = {
        key: meta.get(transaction, key)
        for key in (*_TRASHED, *_REMOVED)
        if meta.has(transaction, key)
    }
    return _title(raw, transaction), marks


def _title(raw: Any, transaction: Any) -> str:  # noqa: ANN401  (pycrdt's own types are not public)
    """The words of the title, one space between its paragraphs."""
    fragment = raw.get_or_insert_xml_fragment(transaction, TITLE)
    if fragment.len(transaction) == 0:
        return ""
    children = fragment.children(transaction)
    if children:
        text = "".join(_words(children, transaction))
    else:
        text = raw.get_or_insert_text(transaction, TITLE).get_string(transaction)
    # NUL is a character like others to Yjs, and none to PostgreSQL.
    return " ".join(text.replace("\0", " ").split())[:TITLE_CHARACTERS_MAX]


def _words(children: list[Any], transaction: Any) -> Iterator[str]:  # noqa: ANN401
    """The text of nodes in their order; without recursion, since peers choose the depth."""
    rest = children[::-1]
    size = 0
    for _ in range(_NODES_MAX):
        if not rest or size > TITLE_CHARACTERS_MAX:
            return
        node = rest.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, _Text):
            for piece, _attributes in node.diff(transaction):
                if isinstance(piece, str):
                    size += len(piece)
                    yield piece
        elif isinstance(node, _Element):
            rest.append(" ")
            rest += node.children(transaction)[::-1]


def _moment(meta: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    """The time under the first of the keys that says that something happened."""
    for key in keys:
        value = meta.get(key)
        if value is True:
            return 0
        if isinstance(value, str) and value:
            return _milliseconds_of(value)
        if isinstance(value, int | float) and value:
            return int(value) if 0 < value <= _TIME_MAX else 0
    return None


def _milliseconds_of(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0
    return int(at * 1000) if at > 0 else 0
