"""The few HTML pages: `/` says what this is and how to point each provider at it."""

from __future__ import annotations

import html
from functools import cache
from importlib.resources import files

from aiohttp import web

from server.adapter import ANYONE, Adapter, Routes
from server.describe import Text
from server.hosts import HOSTS

NAME = web.AppKey("server_name", str)
"""The name of this server, shown on its pages."""

ROUTES = Routes()
PAGES = Adapter(name="pages", routes=ROUTES, about=__doc__)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@cache
def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@ROUTES.get("/", access=ANYONE, reply=Text(media="text/html"))
async def front(request: web.Request) -> web.Response:
    """What this is, with this server's real address filled in."""
    hosts = request.app[HOSTS]
    page = _file("front.html")
    for mark, value in (
        ("{{name}}", request.app[NAME]),
        ("{{http}}", hosts.public_url),
        ("{{ws}}", hosts.websocket_url),
    ):
        page = page.replace(mark, html.escape(value))
    return web.Response(text=page, content_type="text/html", headers=HEADERS)


@ROUTES.get("/style.css", access=ANYONE, reply=Text(media="text/css"))
async def style(request: web.Request) -> web.Response:
    """The pages' style sheet."""
    del request
    return web.Response(text=_file("style.css"), content_type="text/css", headers=HEADERS)
