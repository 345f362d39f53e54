"""Bodies of the routes about one block and its history. Times are Unix milliseconds."""

from typing import Annotated, Any

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"[^\s\x00]")]
"""Of a version; one of blanks alone is none."""
Sequence = Annotated[int, msgspec.Meta(ge=1, le=(1 << 62))]


class Fetch(msgspec.Struct, kw_only=True):
    """Body of POST /api/block/:blockKey; all of it may be left out."""

    backlinks_limit: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = 100
    backlinks_offset: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0


class Relation(msgspec.Struct, kw_only=True):
    """A block names another. For tags `from_id` is the tag and `to_id` the tagged block."""

    type: str
    from_id: str
    to_id: str
    block_id: str
    """The other block."""
    title: str
    """The other block's, where it is in this workspace."""
    label: str


class BlockFile(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A file of a block, as its document knows it."""

    id: str
    hash: str
    file_size: int
    about: Any
    position: dict[str, Any] | None = None
    """Where a picture was taken, for those who may edit: latitude, longitude, altitude."""


class Block(msgspec.Struct, kw_only=True):
    """Reply of POST /api/block/:blockKey."""

    success: bool
    id: str
    block_id: str
    heap_id: str
    workspace_id: str
    type: str
    title: str
    text: str
    markdown: str
    content: dict[str, Any]
    """Every shared type of the document by its name: XML as ProseMirror's JSON."""
    relations: list[Relation]
    backlinks: list[Relation]
    apps: dict[str, Any]
    files: list[BlockFile]
    attributes: dict[str, Any]
    sync_version: int
    sequence: int
    """Of the last stored edit that this shows."""
    created_at: int
    deleted_at: int | None
    """When it was trashed; 0 where its document does not say when."""
    truncated: bool
    """Too much for one reply: something of the content was left out."""


class Updates(msgspec.Struct, kw_only=True):
    """Body of POST /api/block_updates/:blockKey; all of it may be left out."""

    before: Sequence | None = None
    """Only older ones than this sequence: the `next` of the page before."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = 100


class Update(msgspec.Struct, kw_only=True):
    """Who changed what, and when: one stored edit, or older ones that were merged."""

    id: str
    sequence: int
    first_sequence: int
    created_at: int
    authors: list[str]
    device: str | None
    update: bytes
    """Yjs update V1 as base64."""


class NamedVersion(msgspec.Struct, kw_only=True):
    """A version that somebody gave a name."""

    sequence: int
    name: str
    author: str
    created_at: int
    named_at: int


class UpdatesReply(msgspec.Struct, kw_only=True):
    """Reply of POST /api/block_updates/:blockKey: newest first."""

    success: bool
    block_id: str
    workspace_id: str
    sync_version: int
    updates: list[Update]
    versions: list[NamedVersion]
    ydoc: bytes | None
    """The whole document as one update V1, as base64; only with the first page."""
    has_more: bool
    next: int | None


class Point(msgspec.Struct, kw_only=True):
    """A version: after a stored edit, or as it was at a time; neither: as it is now."""

    sequence: Sequence | None = None
    at: Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)] | None = None


class Version(msgspec.Struct, kw_only=True):
    """Reply of POST /api/block_version/:blockKey."""

    success: bool
    block_id: str
    sequence: int
    created_at: int
    title: str
    text: str
    markdown: str
    content: dict[str, Any]
    ydoc: bytes
    truncated: bool


class Compare(msgspec.Struct, kw_only=True):
    """Body of POST /api/block_diff/:blockKey. `to` left out: as it is now."""

    old: Point = msgspec.field(name="from")
    new: Point = msgspec.field(name="to", default_factory=Point)


class Difference(msgspec.Struct, kw_only=True):
    """A piece of text that stayed, came or went."""

    op: str
    """equal, insert or delete."""
    text: str


class Compared(msgspec.Struct, kw_only=True):
    """Reply of POST /api/block_diff/:blockKey."""

    success: bool
    block_id: str
    from_sequence: int
    to_sequence: int
    title: list[Difference]
    text: list[Difference]


class NameVersion(msgspec.Struct, kw_only=True):
    """Body of POST /api/block_versions/:blockKey."""

    name: Name
    sequence: Sequence | None = None
    """Left out: as it is now."""


class NamedVersions(msgspec.Struct, kw_only=True):
    """Reply of the routes under /api/block_versions."""

    success: bool
    block_id: str
    versions: list[NamedVersion]


class VersionRestored(msgspec.Struct, kw_only=True):
    """Reply of POST /api/block_restore/:blockKey."""

    success: bool
    block_id: str
    restored_sequence: int
    """The version whose content the block has again."""
    sequence: int
    """The last stored edit of the block now."""
