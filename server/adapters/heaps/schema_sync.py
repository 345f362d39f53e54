"""Bodies of the sync routes, field for field as the API page spells them.

Blocks of a push or pull are read one by one (`mapping_sync`), because one bad block must not fail
the others; so a request's `blocks` are raw here. Times and markers are Unix milliseconds. Binary
values are sent as base64; those of clients may be base64 (either alphabet, padded or not), an array
of numbers, or what Node makes of a Buffer.
"""

from typing import Any, Literal

import msgspec


class Buffer(msgspec.Struct, kw_only=True):
    """A Buffer of Node as JSON."""

    type: Literal["Buffer"]
    data: list[int]


Binary = str | list[int] | Buffer | None


class PushBlock(msgspec.Struct, kw_only=True, gc=False):
    """One block of a push. `update` absent or empty: nothing but the question what is missing."""

    block_id: str
    workspace_id: str | None = None
    """Absent: wherever the block is; a new one is made in the caller's default workspace."""
    state_vector: Binary = None
    update: Binary = None
    sync_version: Any = None
    """A whole number; absent or null: none is known. Anything else is an error of this block."""


class PullBlock(msgspec.Struct, kw_only=True, gc=False):
    """One block of a pull."""

    block_id: str
    workspace_id: str | None = None
    """Ours: only names that are no ids need it, where they are not in the default workspace."""
    state_vector: Binary = None
    sync_version: Any = None
    """A whole number; absent or null: none is known. Anything else is an error of this block."""


class Blocks(msgspec.Struct, kw_only=True):
    """Body of POST /api/sync/push and /api/sync/pull, with its blocks unread."""

    blocks: list[msgspec.Raw]


class Push(msgspec.Struct, kw_only=True):
    """Body of POST /api/sync/push, for its description."""

    blocks: list[PushBlock]


class Pull(msgspec.Struct, kw_only=True):
    """Body of POST /api/sync/pull, for its description."""

    blocks: list[PullBlock]


class PushResult(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """What became of one pushed block."""

    block_id: str | None
    """As it was sent; null where none was."""
    success: bool
    status: str
    """created, updated, unchanged; not_found, deleted, stale, invalid, unavailable."""
    workspace_id: str | None = None
    sync_version: int | None = None
    state_vector: bytes | None = None
    """The server's, after the push."""
    update: bytes | None = None
    """What the server has beyond the sent state vector; absent where that is nothing."""
    full_state: bytes | None = None
    """With `stale`: the whole document, to start anew from."""
    error: str | None = None


class Pushed(msgspec.Struct, kw_only=True):
    """Reply of POST /api/sync/push; results stand in the order of the request."""

    success: bool
    results: list[PushResult]
    server_time: int


class PullResult(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One block of a pull."""

    block_id: str | None
    success: bool
    status: str
    """updated, full_state, unchanged; deleted, not_found, invalid, unavailable, later."""
    workspace_id: str | None = None
    sync_version: int | None = None
    state_vector: bytes | None = None
    update: bytes | None = None
    full_state: bytes | None = None
    """Instead of `update`, where the client's version is not the block's."""
    deleted: bool = False
    """In the trash (its content still comes, and says so) or deleted for good (it does not)."""
    deleted_at: int | None = None
    permanently_deleted: bool = False
    error: str | None = None


class Pulled(msgspec.Struct, kw_only=True):
    """Reply of POST /api/sync/pull; results stand in the order of the request."""

    success: bool
    results: list[PullResult]
    server_time: int


class ChangedBlock(msgspec.Struct, kw_only=True):
    """A block that is there and changed."""

    block_id: str
    workspace_id: str
    sync_version: int
    updated_at: int
    """The stamp of its latest change."""
    created_at: int
    title: str


class DeletedBlock(msgspec.Struct, kw_only=True):
    """A block that is in the trash or gone."""

    block_id: str
    workspace_id: str
    sync_version: int
    updated_at: int
    deleted_at: int
    permanently_deleted: bool


class Delta(msgspec.Struct, kw_only=True):
    """Reply of GET /api/sync/delta and POST /api/heap/changed_blocks."""

    changed_blocks: list[ChangedBlock]
    deleted_blocks: list[DeletedBlock]
    server_time: int
    """The next `since`: with `has_more` the stamp of the last entry here, else the latest one."""
    has_more: bool
    total_changed: int
    total_deleted: int


class Since(msgspec.Struct, kw_only=True):
    """Query of GET /api/sync/delta."""

    workspace_id: str | None = None
    """Required, unless `heap_id` names the workspace."""
    heap_id: str | None = None
    since: str | None = None
    """Unix milliseconds: `server_time` of the reply before. Absent or no number: 0."""
    limit: str | None = None
    """Entries at most; absent or no number: as many as the server gives."""


class ChangedBlocks(msgspec.Struct, kw_only=True):
    """Body of POST /api/heap/changed_blocks."""

    heap_id: str | None = None
    workspace_id: str | None = None
    since: Any = None
    limit: Any = None
