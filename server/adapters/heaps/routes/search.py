"""Search in a workspace. Ours: the API page has no route for it."""

from __future__ import annotations

from aiohttp import web

from auth.principal import Role
from server.adapter import Routes
from server.adapters.heaps import mapping_heaps as mapping
from server.adapters.heaps import schema_heaps as schema
from server.adapters.heaps.admission import admit, named
from server.adapters.heaps.policy import READ
from server.catalogue import CATALOGUE
from server.http import read_body, reply

ROUTES = Routes(section="Search")


@ROUTES.post(
    "/api/search",
    access=READ,
    body=schema.SearchBody,
    reply=schema.SearchReply,
    errors=(404,),
)
async def search(request: web.Request) -> web.Response:
    """Find blocks of a workspace by the words of their title and text, best first."""
    body = await read_body(request, schema.SearchBody)
    scope = named(body)
    await admit(request, scope, Role.VIEWER)
    catalogue = request.app[CATALOGUE]
    await catalogue.extracting.catch_up(scope)
    hits = await catalogue.search.find(
        scope, body.query, trash=body.include_trash, limit=body.limit or 20, offset=body.offset
    )
    return reply(mapping.search(scope, hits, body.offset))
