"""Workspaces, lists and search between the store and JSON. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from server.adapters.heaps import schema_heaps as schema
from server.errors import BadBody
from storage.search import Hits
from storage.workspaces import ANY, FILES, LIVE, TRASHED, Counts, Listed, Row, Trashed

WHICH = {"": LIVE, "block": LIVE, "all": ANY, "file": FILES, "trash": TRASHED}
"""What the `type` of a body means to the store."""


def milliseconds(moment: datetime) -> int:
    """Unix milliseconds."""
    return int(moment.timestamp() * 1000)


def heap(found: Listed, role: str) -> schema.Heap:
    """A workspace."""
    return schema.Heap(
        id=found.id,
        heap_id=found.id,
        workspace_id=found.id,
        block_id=found.index_block,
        title=found.title,
        icon=None,
        type="heap",
        role=role,
        created_at=milliseconds(found.created_at),
        updated_at=found.marker,
    )


def block_row(scope: str, row: Row) -> schema.BlockRow:
    """A block in a list."""
    return schema.BlockRow(
        id=row.name,
        block_id=row.name,
        heap_id=scope,
        workspace_id=scope,
        title=row.title,
        type=row.kind,
        sync_version=row.sync_version,
        created_at=milliseconds(row.created_at),
        updated_at=row.stamp,
        deleted_at=row.trashed_at,
        size=row.size,
        files=row.files,
    )


def stats(found: Listed, counts: Counts) -> schema.Stats:
    """What is in a workspace."""
    return schema.Stats(
        success=True,
        heap_id=found.id,
        workspace_id=found.id,
        blocks=counts.blocks,
        trashed=counts.trashed,
        files=counts.files,
        file_bytes=counts.file_bytes,
        bytes=counts.bytes,
        members=counts.members,
        created_at=milliseconds(found.created_at),
        updated_at=found.marker,
    )


def trash(scope: str, page: list[Trashed], total: int, limit: int) -> schema.Trash:
    """A page of the trash; it was read with one block more than `limit`."""
    shown = page[:limit]
    has_more = len(page) > limit
    return schema.Trash(
        success=True,
        heap_id=scope,
        workspace_id=scope,
        blocks=[
            schema.TrashedBlock(
                id=one.name,
                block_id=one.name,
                heap_id=scope,
                workspace_id=scope,
                title=one.title,
                deleted_at=one.trashed_at,
            )
            for one in shown
        ],
        total=total,
        has_more=has_more,
        next=f"{shown[-1].trashed_at}-{shown[-1].document.hex}" if has_more else None,
    )


def place(after: str | None) -> tuple[int, UUID] | None:
    """The place in the trash that a `next` names. Raises BadBody."""
    if not after:
        return None
    at, _, document = after.partition("-")
    if not (at.isascii() and at.isdigit() and len(at) < 17):
        raise BadBody("after is none of ours", "the query")
    try:
        return int(at), UUID(hex=document)
    except ValueError:
        raise BadBody("after is none of ours", "the query") from None


def search(scope: str, hits: Hits, offset: int) -> schema.SearchReply:
    """What was found."""
    return schema.SearchReply(
        success=True,
        heap_id=scope,
        workspace_id=scope,
        results=[
            schema.SearchHit(
                id=hit.name,
                block_id=hit.name,
                heap_id=scope,
                workspace_id=scope,
                title=hit.title,
                snippet=[{"text": piece.text, "match": piece.match} for piece in hit.snippet],
                rank=hit.rank,
                deleted_at=hit.trashed_at,
            )
            for hit in hits.hits
        ],
        total=hits.total,
        has_more=offset + len(hits.hits) < hits.total,
    )
