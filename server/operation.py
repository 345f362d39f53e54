"""What the operator sees: /metrics, on the main port by token or on a listener of its own."""

from __future__ import annotations

import hmac

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from auth.errors import Unauthorized
from server.adapter import OPERATOR, Adapter, Routes
from server.describe import Text
from server.errors import NotFound

REGISTRY = web.AppKey("registry", CollectorRegistry)
METRICS_TOKEN = web.AppKey("metrics_token", str)

ROUTES = Routes()
OPERATION = Adapter(name="operation", routes=ROUTES, about=__doc__)


def exposition(registry: CollectorRegistry) -> web.Response:
    """All metrics in Prometheus' text format."""
    return web.Response(
        body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )


@ROUTES.get("/metrics", access=OPERATOR, reply=Text(about="Prometheus' text format."))
async def metrics(request: web.Request) -> web.Response:
    """Prometheus metrics, for those who show the token of the settings."""
    token = request.app[METRICS_TOKEN]
    if not token:
        raise NotFound
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    # Headers are decoded with surrogates where they are not UTF-8.
    given = shown.encode("utf-8", "surrogatepass")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given, token.encode()):
        raise Unauthorized("token_invalid" if shown else "token_missing")
    return exposition(request.app[REGISTRY])


async def apart(app: web.Application) -> web.AppRunner:
    """The same numbers in an application of their own, ready to listen somewhere."""
    private = web.Application()
    private[REGISTRY] = app[REGISTRY]
    private.router.add_get("/metrics", own_listener)
    runner = web.AppRunner(private, access_log=None)
    await runner.setup()
    return runner


async def own_listener(request: web.Request) -> web.Response:
    """The same on the separate listener, which the operator keeps private."""
    return exposition(request.app[REGISTRY])
