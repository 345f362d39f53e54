"""Conflicts: listed until somebody decides."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from server.adapter import Routes
from server.adapters.pinakes import mapping, schema
from server.adapters.pinakes.asking import READ, SHELVES, WRITE, account_of
from server.adapters.pinakes.resolving import resolve as resolve_conflict
from server.errors import ApiError
from server.http import read_body, reply

ROUTES = Routes(section="Conflicts")


@ROUTES.get(
    "/api/v1/sync/conflicts",
    "/api/sync/conflicts",
    access=READ,
    reply=list[schema.Conflict],
)
async def conflicts(request: web.Request) -> web.Response:
    """The unresolved conflicts, oldest first."""
    shelves = request.app[SHELVES]
    found = await shelves.store.conflicts(await shelves.of(account_of(request)))
    return reply([mapping.conflict(one) for one in found])


@ROUTES.post(
    "/api/v1/sync/conflicts/{id}/resolve",
    "/api/sync/conflicts/{id}/resolve",
    access=WRITE,
    body=schema.Resolve,
    reply=schema.Resolved,
    errors={400: "There is no such unresolved conflict, or no such resolution."},
)
async def resolve(request: web.Request) -> web.Response:
    """Decide which version stands: the server's, the device's, both, or a third one.

    A version whose bytes are not here yet stands once they are uploaded (upload_required).
    """
    body = await read_body(request, schema.Resolve)
    conflict = mapping.uuid_of(request.match_info["id"])
    if conflict is None:
        raise ApiError(400, "unknown_conflict", "there is no such unresolved conflict")
    shelves = request.app[SHELVES]
    library = await shelves.of(account_of(request))
    merged = None if body.content_hash is None else bytes.fromhex(body.content_hash)
    done = await resolve_conflict(shelves, library, conflict, body.resolution, merged)
    return reply(
        mapping.resolved(done.conflict, body.resolution, datetime.now(UTC), done.path, done.wanted)
    )
