"""Blocks: one block with all that its document says."""

from __future__ import annotations

from aiohttp import web

from auth.principal import Role
from server.adapter import Routes
from server.adapters.heaps import mapping_blocks as mapping
from server.adapters.heaps import schema_blocks as schema
from server.adapters.heaps.admission import block_of, may_edit
from server.adapters.heaps.policy import READ
from server.catalogue import CATALOGUE
from server.errors import Busy
from server.http import read_body, reply
from server.media.gallery import GALLERY
from server.workers import WorkerDied

ROUTES = Routes(section="Blocks")


@ROUTES.post("/api/block/{block_key}", access=READ, body=schema.Fetch, reply=schema.Block)
async def block(request: web.Request) -> web.Response:
    """One block with title, text, Markdown, JSON, relations, backlinks, apps and files."""
    body = await read_body(request, schema.Fetch)
    found = await block_of(request, Role.VIEWER)
    catalogue, scope, name = request.app[CATALOGUE], found.record.scope, found.record.name
    try:
        seen, sequence = await catalogue.extracting.projection(found)
    except WorkerDied:
        raise Busy("the block is too large to be shown") from None
    await catalogue.extracting.catch_up(scope)
    backlinks = await catalogue.relations.backlinks(
        scope,
        name,
        100 if body.backlinks_limit is None else body.backlinks_limit,
        body.backlinks_offset,
    )
    titles = await catalogue.relations.titles(scope, [said.target for said in seen.relations])
    shown = mapping.block(found, seen, sequence, backlinks, titles)
    if await may_edit(request, scope):
        mapping.place(shown, await request.app[GALLERY].kept.positions(mapping.sources(shown)))
    return reply(shown)
