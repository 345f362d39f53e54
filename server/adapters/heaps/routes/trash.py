"""Trash: what is in it, out of it again, and gone for good. All of it is edits of the documents."""

from __future__ import annotations

from aiohttp import web

from auth.principal import Role
from crdt.errors import BadName
from crdt.ids import DocumentName
from server.adapter import Routes, principal_of
from server.adapters.heaps import mapping_heaps as mapping
from server.adapters.heaps import schema_heaps as schema
from server.adapters.heaps.admission import admit, heap_of
from server.adapters.heaps.policy import READ, WRITE
from server.blocks import BLOCKS
from server.catalogue import CATALOGUE
from server.errors import BadBody, Busy
from server.feed import FEED
from server.http import read_body, reply
from storage.documents import DocumentRecord
from storage.workspaces import TRASHED

ROUTES = Routes(section="Trash")

EMPTIED_MAX = 500
"""Blocks that one request deletes for good."""
_RESTORE_BYTES_MAX = 1 << 20


@ROUTES.get("/api/trash/{heap_id}", access=READ, query=schema.TrashPage, reply=schema.Trash)
async def trash(request: web.Request) -> web.Response:
    """List the blocks in the trash of a workspace, last trashed first."""
    scope = heap_of(request)
    await admit(request, scope, Role.VIEWER)
    await request.app[FEED].settle(scope)
    limit = _limit(request.query.get("limit"))
    workspaces = request.app[CATALOGUE].workspaces
    page = await workspaces.trash(scope, mapping.place(request.query.get("after")), limit + 1)
    total = await workspaces.count(scope, TRASHED)
    return reply(mapping.trash(scope, page, total, limit))


@ROUTES.delete("/api/trash/{heap_id}", access=WRITE, reply=schema.TrashEmptied)
async def empty(request: web.Request) -> web.Response:
    """Delete what is in the trash for good: content goes, and no device brings it back."""
    scope = heap_of(request)
    await admit(request, scope, Role.EDITOR)
    await request.app[FEED].settle(scope)
    catalogue = request.app[CATALOGUE]
    page = await catalogue.workspaces.trash(scope, None, EMPTIED_MAX)
    found = await request.app[BLOCKS].store.look_up([one.document for one in page])
    errors = await catalogue.empty(
        [block.record for block in found.values()], principal_of(request)
    )
    deleted = sum(1 for error in errors if error is None)
    if errors and not deleted and isinstance(errors[0], Busy):
        raise errors[0]
    return reply(
        schema.TrashEmptied(
            success=True,
            heap_id=scope,
            workspace_id=scope,
            deleted=deleted,
            remaining=await catalogue.workspaces.count(scope, TRASHED),
        )
    )


@ROUTES.post(
    "/api/trash/{heap_id}/restore", access=WRITE, body=schema.Restore, reply=schema.Restored
)
async def restore(request: web.Request) -> web.Response:
    """Take one or more blocks out of the trash; each has its own result."""
    scope = heap_of(request)
    await admit(request, scope, Role.EDITOR)
    body = await read_body(request, schema.Restore, bytes_max=_RESTORE_BYTES_MAX)
    wanted = list(dict.fromkeys([*body.block_ids, *([body.block_id] if body.block_id else [])]))
    if not wanted:
        raise BadBody("it names no block_id")
    await request.app[FEED].settle(scope)
    found = await _in_trash(request, scope, wanted)
    records = {name: one for name, one in found.items() if isinstance(one, DocumentRecord)}
    errors = await request.app[CATALOGUE].take_out(list(records.values()), principal_of(request))
    outcome = dict(zip(records, errors, strict=True))
    results = [_result(name, found[name], outcome.get(name)) for name in wanted]
    return reply(
        schema.Restored(
            success=True,
            heap_id=scope,
            workspace_id=scope,
            restored=[result.block_id for result in results if result.success],
            results=results,
        )
    )


async def _in_trash(
    request: web.Request, scope: str, wanted: list[str]
) -> dict[str, DocumentRecord | str]:
    """For each block its record, or why it cannot be taken out: not_found or not_trashed."""
    found: dict[str, DocumentRecord | str] = dict.fromkeys(wanted, "not_found")
    names = {}
    for text in wanted:
        try:
            names[text] = DocumentName(scope, DocumentName.parse(text).name)
        except BadName:
            continue
    blocks = await request.app[BLOCKS].find(principal_of(request), list(names.values()))
    for text, one in zip(names, blocks, strict=True):
        if one.block is None or one.block.record.deleted:
            continue
        known = one.block.known
        is_trashed = known is not None and known.trashed_at is not None
        found[text] = one.block.record if is_trashed else "not_trashed"
    return found


def _result(
    name: str, found: DocumentRecord | str, error: Exception | None
) -> schema.RestoreResult:
    if isinstance(found, str):
        return schema.RestoreResult(block_id=name, success=False, status=found)
    status = "restored" if error is None else "not_found"
    if isinstance(error, Busy):
        status = "unavailable"
    return schema.RestoreResult(block_id=name, success=error is None, status=status)


def _limit(text: str | None) -> int:
    """The query's limit, within bounds; what is no number counts as none."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 10):
        return schema.LISTED
    return min(max(1, int(text)), schema.LISTED_MAX)
