"""Published sites before all else: requests for their hosts never reach the server's routes."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from server.errors import Busy, RequestError, TooManyRequests
from server.feed import FEED
from server.hosts import OF_SITES
from server.limits import LIMITS, Limit
from server.sites.access import ACCESS, SiteAccess
from server.sites.catalogue import SITES
from server.sites.serving import answers, assets, login, policy, searching
from server.sites.serving.doorway import DOORWAY, Doorway, Opened
from server.sites.serving.library import LIBRARY, Library
from server.sites.serving.replies import location, reply
from storage.blocks import Blocks
from storage.errors import StorageError
from storage.pool import Pool

if TYPE_CHECKING:
    from server.identity import Identity

log = logging.getLogger("plait.sites")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def install(app: web.Application, pool: Pool, identity: Identity) -> Callable[[], None]:
    """Show the sites of SITES, with the news of FEED; the answer ends what was started."""
    catalogue, hosts = app[SITES], identity.hosts
    settings = catalogue.settings
    library = app[LIBRARY] = Library(
        settings, pool, hosts=hosts, catalogue=catalogue, feed=app[FEED], blocks=Blocks(pool)
    )
    app[DOORWAY] = Doorway(settings, hosts, catalogue)
    app[ACCESS] = SiteAccess(identity, catalogue)
    limits = app[LIMITS]
    limits[searching.LIMIT] = Limit(settings.sites_searches_per_minute, time.monotonic)
    app.middlewares.insert(0, show)

    def close() -> None:
        library.close()
        app[ACCESS].hashing.close()

    return close


@web.middleware
async def show(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what is for published sites; send those on who ask for one at the wrong origin."""
    doorway = request.app[DOORWAY]
    try:
        opened = await doorway.open(request)
    except StorageError:
        opened = None  # Nobody can tell whose domain it is: the server says that it is not well.
    if opened is None:
        there = doorway.redirect(request)
        if there is not None and request.method in {"GET", "HEAD"}:
            return web.Response(status=302, headers={"Location": location(there)})
        return await handler(request)
    request[OF_SITES] = True
    try:
        return await _answer(request, opened)
    except web.HTTPException as error:
        error.headers["Content-Security-Policy"] = policy.file(opened.origin)
        raise
    except Exception as error:  # noqa: BLE001 (an outermost handler: no answer without its policy)
        return _problem(request, opened, error)


def _problem(request: web.Request, opened: Opened, error: Exception) -> web.Response:
    """An error as a page."""
    match error:
        case StorageError() | Busy():
            log.warning("a site cannot be shown: %s", error)
            words, status, wait_s = "This site cannot be shown right now.", 503, 2.0
        case TooManyRequests():
            words, status, wait_s = "Too many questions. Wait a minute.", 429, error.retry_after_s
        case RequestError():
            words, status, wait_s = "This question cannot be understood.", 400, 0.0
        case _:
            log.error("a site could not be shown", exc_info=error)
            words, status, wait_s = "Something went wrong here.", 500, 0.0
    response = answers.nothing(request, opened, status, words)
    if wait_s:
        response.headers["Retry-After"] = str(max(1, round(wait_s)))
    return response


async def _answer(request: web.Request, opened: Opened) -> web.StreamResponse:
    path, site = request.rel_url.raw_path, opened.site
    if request.method == "POST" and site is not None and opened.rest in _FORMS:
        return await _FORMS[opened.rest](request, opened)
    if request.method not in {"GET", "HEAD"}:
        response = answers.nothing(request, opened, 405, "This can only be read.")
        response.headers["Allow"] = "GET, HEAD"
        return response
    if path.startswith(f"{policy.ASSETS}/"):
        found = await assets.answer(request, path, policy.file(opened.origin))
        return found or answers.nothing(request, opened)
    if site is not None:
        answer = login.ask if opened.rest == "_login" else answers.answer
        return await answer(request, opened)
    if path == "/robots.txt":
        headers = {"Content-Security-Policy": policy.file(opened.origin)}
        return reply(request, b"User-agent: *\nAllow: /\n", "text/plain", headers)
    return answers.nothing(request, opened)


_FORMS = {"_login": login.enter, "_logout": login.leave}
