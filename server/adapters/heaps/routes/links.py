"""Links to one document, for people without an account: made, listed and revoked by owners."""

from __future__ import annotations

import secrets
from urllib.parse import quote

from aiohttp import web

from auth.opaque import LINK_PREFIX, SECRET_BYTES, digest, mint
from auth.principal import Role
from crdt.ids import make_ulid
from server.adapter import ACCOUNT, Routes, principal_of
from server.adapters.heaps import schema_sharing as schema
from server.adapters.heaps.admission import block_of
from server.adapters.heaps.moments import spelled
from server.errors import ApiError, NotFound
from server.hosts import HOSTS
from server.http import read_body, reply
from server.identity import IDENTITY
from server.rights import is_fit
from storage.links import Link

ROUTES = Routes(section="Sharing")


@ROUTES.post(
    "/api/block/{block_key}/links",
    access=ACCOUNT,
    body=schema.MakeLink,
    replies={201: schema.LinkMade},
    errors={403: "", 404: "", 409: "The document has too many links."},
)
async def make(request: web.Request) -> web.Response:
    """Make a link to one document; the reply is the only place where its token is shown."""
    record = (await block_of(request, Role.OWNER)).record
    body = await read_body(request, schema.MakeLink)
    identity, hosts = request.app[IDENTITY], request.app[HOSTS]
    now, most = identity.clock(), identity.settings.links_per_document_max
    token = mint(LINK_PREFIX, secrets.token_bytes(SECRET_BYTES))
    link = Link(
        id=make_ulid(int(now * 1000), secrets.token_bytes(10)),
        document=record.id,
        account=principal_of(request).account,
        role=Role.of(body.role),
        name="".join(c for c in body.name if c.isprintable()),
        created_at=now,
        expires_at=None if body.expires_in is None else now + body.expires_in,
    )
    if not await identity.links.add(link, digest(token), most):
        raise ApiError(409, "too_many_links", f"a document has {most} links at most")
    place = quote(record.name, safe="")
    made = schema.LinkMade(
        success=True,
        block_id=record.name,
        token=token,
        url=f"{hosts.websocket_url}/ws/{place}?token={token}",
        link=_shown(link, now),
    )
    return reply(made, 201, {"Cache-Control": "no-store"})


@ROUTES.get("/api/block/{block_key}/links", access=ACCOUNT, reply=schema.Links, errors=(403, 404))
async def listed(request: web.Request) -> web.Response:
    """List the links to one document, without their secrets."""
    record = (await block_of(request, Role.OWNER)).record
    identity = request.app[IDENTITY]
    now = identity.clock()
    found = [_shown(link, now) for link in await identity.links.of(record.id)]
    return reply(schema.Links(success=True, block_id=record.name, links=found))


@ROUTES.delete(
    "/api/block/{block_key}/links/{link_id}",
    access=ACCOUNT,
    body=None,
    reply=schema.Revoked,
    errors=(403, 404),
)
async def revoke(request: web.Request) -> web.Response:
    """Revoke a link; what is open with it ends within two seconds."""
    record = (await block_of(request, Role.OWNER)).record
    link, identity = request.match_info["link_id"], request.app[IDENTITY]
    if not is_fit(link) or not await identity.links.revoke(record.id, link):
        raise NotFound
    await identity.take_in()
    return reply(schema.Revoked(success=True, id=link))


def _shown(link: Link, now: float) -> schema.Link:
    return schema.Link(
        id=link.id,
        role=link.role.word,  # type: ignore[arg-type]
        name=link.name,
        created_by=link.account,
        created_at=spelled(link.created_at),
        expires_at=spelled(link.expires_at),
        is_expired=link.expires_at is not None and link.expires_at <= now,
    )
