"""Instance: what this server is, and whether it works."""

from __future__ import annotations

from aiohttp import web

from server import __version__
from server.adapter import ANYONE, OPTIONAL, PRINCIPAL, Routes
from server.adapters.heaps import schema
from server.health import HEALTH
from server.hosts import HOSTS
from server.http import reply
from server.identity import IDENTITY
from server.metrics import METRICS
from server.operating.compiled import engine

ROUTES = Routes(section="Instance")

_RETRY = {"Retry-After": "2"}


@ROUTES.get("/api", "/api/", access=OPTIONAL.reading("heaps"), reply=schema.Instance)
async def instance(request: web.Request) -> web.Response:
    """Name, key and mode of this server."""
    identity = request.app[IDENTITY]
    principal = request.get(PRINCIPAL)
    return reply(
        schema.Instance(
            status="ok",
            version=__version__,
            public_key=identity.keyring.identity.public_text,
            name=identity.settings.name,
            public_url=request.app[HOSTS].public_url,
            selfhosted=True,
            is_admin=None if principal is None else principal.is_admin,
            predecessors=[
                schema.Predecessor(public_key=old.public_text, successor_signature=old.signature)
                for old in identity.keyring.predecessors
            ],
        )
    )


@ROUTES.get("/api/health", access=ANYONE, replies={200: schema.Health, 503: schema.Health})
async def health(request: web.Request) -> web.Response:
    """Health of the server and its database, with the counters of live sync."""
    identity = request.app[IDENTITY]
    database = await request.app[HEALTH].database()
    slowed = request.app[HEALTH].slowed()
    body = schema.Health(
        status="ok" if database == "ok" and slowed is None else "degraded",
        server=schema.Part("ok"),
        database=schema.Part(database),
        version=__version__,
        name=identity.settings.name,
        public_url=request.app[HOSTS].public_url,
        public_key=identity.keyring.identity.public_text,
        diagnostics=schema.Diagnostics(request.app[METRICS].snapshot(), engine()),
    )
    return reply(body) if database == "ok" else reply(body, 503, _RETRY)


@ROUTES.get("/sync/health", access=ANYONE, replies={200: schema.SyncHealth, 503: schema.SyncHealth})
async def sync_health(request: web.Request) -> web.Response:
    """Whether sync works: the connectivity test of clients."""
    database = await request.app[HEALTH].database()
    body = schema.SyncHealth(status=database, version=__version__)
    return reply(body) if database == "ok" else reply(body, 503, _RETRY)
