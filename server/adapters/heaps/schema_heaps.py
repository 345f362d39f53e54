"""Bodies of the routes about workspaces, their trash and search. Times are Unix milliseconds."""

from typing import Annotated, Any, Literal

import msgspec

LISTED_MAX = 1000
"""Entries of one reply."""
LISTED = 100
OFFSET_MAX = 1_000_000

Limit = Annotated[int, msgspec.Meta(ge=1, le=LISTED_MAX)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=OFFSET_MAX)]
Id = Annotated[str, msgspec.Meta(max_length=64)]
Title = Annotated[str, msgspec.Meta(max_length=500)]


class Which(msgspec.Struct, kw_only=True):
    """A workspace, under either of its names."""

    heap_id: Id | None = None
    workspace_id: Id | None = None


class ListHeaps(msgspec.Struct, kw_only=True):
    """Body of POST /api/heaps and /api/workspaces."""

    include_shared: bool = False
    """Ours: also those that others own and share."""
    limit: Limit | None = LISTED_MAX
    offset: Offset = 0


class Heap(msgspec.Struct, kw_only=True):
    """A workspace."""

    id: str
    heap_id: str
    workspace_id: str
    block_id: str | None
    """Its root block, whose title is the workspace's."""
    title: str
    icon: str | None
    type: str
    role: str
    created_at: int
    updated_at: int


class AddHeap(msgspec.Struct, kw_only=True):
    """Body of POST /api/heap/add. Ids are ULIDs or UUIDs, made by the client or else here."""

    id: Id | None = None
    heap_id: Id | None = None
    workspace_id: Id | None = None
    block_id: Id | None = None
    title: Title | None = None
    name: Title | None = None


class HeapAdded(msgspec.Struct, kw_only=True):
    """Reply of POST /api/heap/add."""

    success: bool
    id: str
    heap_id: str
    workspace_id: str
    block_id: str
    title: str
    heap: Heap


class Contents(Which, kw_only=True):
    """Body of POST /api/heap and /api/heap_count."""

    type: Literal["", "all", "block", "file", "trash"] = ""
    """`all` with the trash; `file`: blocks with files; the others without the trash."""
    limit: Limit | None = LISTED
    offset: Offset = 0


class BlockRow(msgspec.Struct, kw_only=True):
    """A block in a list."""

    id: str
    block_id: str
    heap_id: str
    workspace_id: str
    title: str
    type: str
    sync_version: int
    created_at: int
    updated_at: int
    deleted_at: int | None
    """When it was trashed; 0 where its document does not say when."""
    size: int
    """Bytes that its document takes, from above."""
    files: int


class HeapContents(msgspec.Struct, kw_only=True):
    """Reply of POST /api/heap: last changed first."""

    success: bool
    heap_id: str
    workspace_id: str
    heap: Heap
    blocks: list[BlockRow]
    total: int
    has_more: bool


class HeapCount(msgspec.Struct, kw_only=True):
    """Reply of POST /api/heap_count."""

    success: bool
    heap_id: str
    workspace_id: str
    count: int


class Stats(msgspec.Struct, kw_only=True):
    """Reply of GET /api/heap/stats/:id. `bytes` are those of documents, from above."""

    success: bool
    heap_id: str
    workspace_id: str
    blocks: int
    trashed: int
    files: int
    file_bytes: int
    bytes: int
    members: int
    created_at: int
    updated_at: int


class HeapDeleted(msgspec.Struct, kw_only=True):
    """Reply of DELETE /api/heap/:id, and of its restoring."""

    success: bool
    heap_id: str
    workspace_id: str
    restorable_until: int | None
    """Until then an administrator can restore it; null: it is there."""


class TrashedBlock(msgspec.Struct, kw_only=True):
    """A block in the trash."""

    id: str
    block_id: str
    heap_id: str
    workspace_id: str
    title: str
    deleted_at: int


class TrashPage(msgspec.Struct, kw_only=True):
    """Query of GET /api/trash/:heapId. What does not fit counts as absent."""

    limit: str | None = None
    """Entries, 1 to 1,000; 100 where it is absent."""
    after: str | None = None
    """`next` of the page before."""


class Trash(msgspec.Struct, kw_only=True):
    """Reply of GET /api/trash/:heapId: last trashed first."""

    success: bool
    heap_id: str
    workspace_id: str
    blocks: list[TrashedBlock]
    total: int
    has_more: bool
    next: str | None
    """The query parameter `after` of the next page."""


class TrashEmptied(msgspec.Struct, kw_only=True):
    """Reply of DELETE /api/trash/:heapId."""

    success: bool
    heap_id: str
    workspace_id: str
    deleted: int
    remaining: int
    """More than one request takes, or changed meanwhile: ask again."""


class Restore(msgspec.Struct, kw_only=True):
    """Body of POST /api/trash/:heapId/restore: one block, or up to 1,000."""

    block_id: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    block_ids: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=512)]], msgspec.Meta(max_length=1000)
    ] = []


class RestoreResult(msgspec.Struct, kw_only=True):
    """What became of one block."""

    block_id: str
    success: bool
    status: str
    """restored, not_trashed, not_found, unavailable."""


class Restored(msgspec.Struct, kw_only=True):
    """Reply of POST /api/trash/:heapId/restore."""

    success: bool
    heap_id: str
    workspace_id: str
    restored: list[str]
    results: list[RestoreResult]


class SearchBody(Which, kw_only=True):
    """Body of POST /api/search."""

    query: Annotated[str, msgspec.Meta(max_length=200)]
    """Words; `"a phrase"`, `or` and `-without` are understood; the last may be unfinished."""
    include_trash: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = 20
    offset: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0


class SearchHit(msgspec.Struct, kw_only=True):
    """A block that was found."""

    id: str
    block_id: str
    heap_id: str
    workspace_id: str
    title: str
    snippet: list[dict[str, Any]]
    """Pieces `{text, match}` in order: plain text, never HTML."""
    rank: float
    deleted_at: int | None


class SearchReply(msgspec.Struct, kw_only=True):
    """Reply of POST /api/search: best first."""

    success: bool
    heap_id: str
    workspace_id: str
    results: list[SearchHit]
    total: int
    has_more: bool
