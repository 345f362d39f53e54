"""History: who changed what and when, old versions, and a way back that loses nothing.

The page has POST /api/block_updates; the other routes are ours.
"""

from __future__ import annotations

from aiohttp import web

from auth.principal import Role
from server.adapter import Routes, principal_of
from server.adapters.heaps import mapping_blocks as mapping
from server.adapters.heaps import schema_blocks as schema
from server.adapters.heaps.admission import block_of
from server.adapters.heaps.mapping_heaps import milliseconds
from server.adapters.heaps.policy import READ, WRITE
from server.adapters.heaps.versioning import At, Versioning
from server.catalogue import CATALOGUE
from server.documents import DOCUMENTS
from server.errors import ApiError, NotFound
from server.http import read_body, reply
from storage.blocks import Block

ROUTES = Routes(section="History")

UPDATES_BYTES_MAX = 8 << 20
"""Stored bytes of one page of updates; one update is always given."""


@ROUTES.post(
    "/api/block_updates/{block_key}",
    access=READ,
    body=schema.Updates,
    reply=schema.UpdatesReply,
)
async def updates(request: web.Request) -> web.Response:
    """The history of a block, newest first, and with its first page the whole document."""
    body = await read_body(request, schema.Updates)
    block = await block_of(request, Role.VIEWER)
    versions = request.app[CATALOGUE].versions
    shown = await versions.changes(
        block.record.id, body.before, body.limit or 100, UPDATES_BYTES_MAX
    )
    # A page may end early at its bytes, so its length does not tell whether it is the last one.
    has_more = bool(shown) and shown[-1].first > await versions.first(block.record.id)
    first_page = body.before is None
    return reply(
        schema.UpdatesReply(
            success=True,
            block_id=block.record.name,
            workspace_id=block.record.scope,
            sync_version=block.record.sync_version,
            updates=[mapping.update(change) for change in shown],
            versions=[mapping.named(one) for one in await versions.named(block.record.id)],
            ydoc=await request.app[DOCUMENTS].encoded(block.record) if first_page else None,
            has_more=has_more,
            next=shown[-1].last if has_more else None,
        )
    )


@ROUTES.post("/api/block_version/{block_key}", access=READ, body=schema.Point, reply=schema.Version)
async def version(request: web.Request) -> web.Response:
    """A block as it was after a stored edit, or at a time."""
    body = await read_body(request, schema.Point)
    block = await block_of(request, Role.VIEWER)
    versioning = Versioning(request.app)
    at = await versioning.find(block, body)
    seen, ydoc = await versioning.read(block, at)
    return reply(
        schema.Version(
            success=True,
            block_id=block.record.name,
            sequence=at.sequence,
            created_at=milliseconds(at.written_at),
            title=seen.title,
            text=seen.text,
            markdown=seen.markdown,
            content=seen.content,
            ydoc=ydoc,
            truncated=seen.truncated,
        )
    )


@ROUTES.post("/api/block_diff/{block_key}", access=READ, body=schema.Compare, reply=schema.Compared)
async def difference(request: web.Request) -> web.Response:
    """What came and went in title and text between two versions of a block."""
    body = await read_body(request, schema.Compare)
    block = await block_of(request, Role.VIEWER)
    versioning = Versioning(request.app)
    old, new = await versioning.find(block, body.old), await versioning.find(block, body.new)
    before, _ = await versioning.read(block, old)
    after, _ = await versioning.read(block, new)
    return reply(
        schema.Compared(
            success=True,
            block_id=block.record.name,
            from_sequence=old.sequence,
            to_sequence=new.sequence,
            title=mapping.difference(before.title, after.title),
            text=await versioning.compare(before.text, after.text),
        )
    )


@ROUTES.get("/api/block_versions/{block_key}", access=READ, reply=schema.NamedVersions)
async def named(request: web.Request) -> web.Response:
    """The versions of a block that have a name."""
    return await _named(request, await block_of(request, Role.VIEWER))


@ROUTES.post(
    "/api/block_versions/{block_key}",
    access=WRITE,
    body=schema.NameVersion,
    reply=schema.NamedVersions,
    errors={409: "No more versions of this block can be named."},
)
async def name(request: web.Request) -> web.Response:
    """Give a version a name, and keep it whatever is thinned."""
    body = await read_body(request, schema.NameVersion)
    block = await block_of(request, Role.EDITOR)
    versioning = Versioning(request.app)
    at = await versioning.find(block, schema.Point(sequence=body.sequence))
    if not await versioning.name(block, at, body.name, principal_of(request).account):
        raise ApiError(409, "too_many_versions", "no more versions of this block can be named")
    return await _named(request, block)


@ROUTES.delete(
    "/api/block_versions/{block_key}/{sequence}", access=WRITE, reply=schema.NamedVersions
)
async def unname(request: web.Request) -> web.Response:
    """Take a version's name away."""
    block = await block_of(request, Role.EDITOR)
    text = request.match_info["sequence"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound
    if not await request.app[CATALOGUE].versions.unname(block.record.id, int(text)):
        raise NotFound
    return await _named(request, block)


@ROUTES.post(
    "/api/block_restore/{block_key}",
    access=WRITE,
    body=schema.Point,
    reply=schema.VersionRestored,
)
async def restore(request: web.Request) -> web.Response:
    """Give a block the content of an old version, as an edit that merges with others'."""
    body = await read_body(request, schema.Point)
    block = await block_of(request, Role.EDITOR)
    versioning = Versioning(request.app)
    at: At = await versioning.find(block, body)
    await versioning.restore(block, at, principal_of(request))
    return reply(
        schema.VersionRestored(
            success=True,
            block_id=block.record.name,
            restored_sequence=at.sequence,
            sequence=await request.app[CATALOGUE].versions.last(block.record.id),
        )
    )


async def _named(request: web.Request, block: Block) -> web.Response:
    found = await request.app[CATALOGUE].versions.named(block.record.id)
    return reply(
        schema.NamedVersions(
            success=True,
            block_id=block.record.name,
            versions=[mapping.named(one) for one in found],
        )
    )
