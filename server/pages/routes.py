"""The addresses of the pages."""

from __future__ import annotations

from aiohttp import web

from auth.personal import ALONE, PREFIXES
from server.adapter import ANYONE, Routes
from server.describe import Text
from server.pages.frame import page

ROUTES = Routes()

_HTML = Text(media="text/html")


@ROUTES.get("/", access=ANYONE, reply=_HTML)
async def front(request: web.Request) -> web.Response:
    """What this is, with this server's real address filled in."""
    return page(request, "front.html", "front")


@ROUTES.get("/w", "/w/", "/w/{workspace}", access=ANYONE, reply=_HTML)
async def workspaces(request: web.Request) -> web.Response:
    """The workspaces of whoever is signed in, and the documents in one of them."""
    return page(request, "workspaces.html", "workspaces", here="/w")


@ROUTES.get("/w/{workspace}/{document}", access=ANYONE, reply=_HTML)
async def editor(request: web.Request) -> web.Response:
    """One document to read and write."""
    return page(request, "editor.html", "editor")


@ROUTES.get("/key", access=ANYONE, reply=_HTML)
async def key(request: web.Request) -> web.Response:
    """The key of this browser, the devices of the account, and letting in another one."""
    lead = "Your key is your account. It never leaves the device that made it."
    return page(request, "plain.html", "key", heading="Key and devices", lead=lead)


@ROUTES.get("/access", access=ANYONE, reply=_HTML)
async def access(request: web.Request) -> web.Response:
    """Tokens for programs, and the browsers that are signed in."""
    lead = "What else may act for you: tokens for programs, and browsers that are signed in."
    heading, apis, alone = "Tokens and sessions", sorted(PREFIXES), sorted(ALONE)
    return page(
        request, "access.html", "access", heading=heading, lead=lead, apis=apis, alone=alone
    )


@ROUTES.get("/sites", access=ANYONE, reply=_HTML)
async def sites(request: web.Request) -> web.Response:
    """Published sites: their state, password and address."""
    lead = "What you have published from here, and what waits to be claimed."
    return page(request, "plain.html", "sites", heading="Sites", lead=lead)


@ROUTES.get("/server", access=ANYONE, reply=_HTML)
async def server(request: web.Request) -> web.Response:
    """What an administrator looks at: accounts, rooms, charts, and the inside of a document."""
    lead = "How this server is doing, for its administrators."
    return page(request, "plain.html", "server", heading="Server", lead=lead)


@ROUTES.get("/cli/verify", access=ANYONE, reply=_HTML)
async def verify(request: web.Request) -> web.Response:
    """Where somebody lets in a command line that shows a code."""
    lead = "A command line or an editor wants to act for you."
    return page(request, "plain.html", "verify", heading="Let a device in", lead=lead)
