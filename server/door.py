"""What every request passes on its way in, and every response on its way out.

In: is the request for one of our hosts? Out: errors are worded by the adapter of the route,
`Referrer-Policy` keeps URLs with tokens from leaking to other sites, CORS headers go on the routes
of adapters that allow other origins, and on every 404 below /api.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from server import cors
from server.adapter import CLOSED, TABLE, Mounted, check_closed, mounted
from server.cors import Cors
from server.errors import Fault, Handler, faults_to_responses
from server.hosts import HOSTS, OF_SITES

_API = "/api/"


def setup_http(app: web.Application) -> None:
    """Give an application the door. It needs HOSTS, IDENTIFY and LIMITS before it serves."""
    app[TABLE] = {}
    app[CLOSED] = {}
    app.middlewares.append(faults_to_responses(word))
    app.middlewares.append(check_host)
    app.on_response_prepare.append(finish)


def word(request: web.Request, fault: Fault) -> dict[str, Any]:
    """The body of an error in the words of the adapter whose route it came from."""
    found = mounted(request)
    return fault.body() if found is None else found.adapter.error_body(fault)


@web.middleware
async def check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what was sent to another host, and what closed paths answer nobody."""
    request.app[HOSTS].check(request)
    await check_closed(request)
    return await handler(request)


async def finish(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that every response of its kind has."""
    headers = response.headers
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    if OF_SITES in request:
        return
    found = mounted(request) or await _neighbour(request)
    if found is None:
        if request.path.startswith(_API):
            cors.allow(request, response)
    elif found.adapter.cors is Cors.MIRROR or (
        found.adapter.cors is Cors.OBSIDIAN and cors.origin_of(request) == cors.OBSIDIAN_ORIGIN
    ):
        cors.allow(request, response)
    elif found.adapter.cors is Cors.OBSIDIAN:
        cors.vary(response)


async def _neighbour(request: web.Request) -> Mounted | None:
    """A route of the same path, where the method was none of its methods."""
    error = request.match_info.http_exception
    if not isinstance(error, web.HTTPMethodNotAllowed):
        return None
    other = request.clone(method=min(error.allowed_methods))
    found = await request.app.router.resolve(other)
    return request.app[TABLE].get(found.handler)
