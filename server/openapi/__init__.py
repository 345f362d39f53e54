"""The description of all APIs of this server: one OpenAPI 3.1 document and a page to read it.

Both are made once, from the table of routes, when somebody first asks.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from server import __version__
from server.adapter import ANYONE, TABLE, Adapter, Mounted, Routes
from server.cors import Cors
from server.describe import Json, Reply, Text
from server.hosts import HOSTS
from server.openapi.document import Document
from server.openapi.page import Found, Page
from server.pages import NAME, page

ROUTES = Routes()
OPENAPI = Adapter(
    name="description", routes=ROUTES, cors=Cors.MIRROR, about=__doc__.partition("\n")[0]
)

ABOUT = """\
Every API of this server in one document: each route with who may use it, what it takes, what it
gives and how it refuses.

Errors that any route may answer: 413 for a body that is too large, 421 for a foreign `Host`, 429
and 503 with `Retry-After`. Times are Unix milliseconds unless a field says otherwise; binary values
in JSON are base64."""


@dataclass(frozen=True)
class Described:
    """The document, as values and as bytes with their tag."""

    values: dict[str, Any]
    encoded: bytes
    etag: str
    page: Page


_DESCRIBED = web.AppKey("described", dict[str, asyncio.Task[Described]])


def setup(app: web.Application) -> None:
    """Let an application describe itself, once all its routes are mounted."""
    app[_DESCRIBED] = {}


async def describe(app: web.Application) -> Described:
    """The description of an application, made once for each address that it goes by.

    In a thread: sources are read for it, which would stop the loop for a moment.
    """
    url = app[HOSTS].public_url
    made = app[_DESCRIBED].get(url)
    if made is None or (made.done() and (made.cancelled() or made.exception() is not None)):
        work = asyncio.to_thread(_describe, list(app[TABLE].values()), app[NAME], url)
        made = app[_DESCRIBED][url] = asyncio.create_task(work, name="describe the API")
    return await asyncio.shield(made)


def _describe(mounts: list[Mounted], name: str, url: str) -> Described:
    info = {"title": name, "version": __version__, "description": ABOUT}
    values = Document(mounts).make(info, [{"url": url}])
    encoded = msgspec.json.encode(values)
    return Described(values, encoded, hashlib.sha256(encoded).hexdigest()[:32], Page(values))


@ROUTES.get(
    "/api/openapi.json",
    "/docs/api/openapi.json",
    access=ANYONE,
    replies={
        200: Reply(Json(dict[str, Any], about="The OpenAPI document."), headers={"ETag": "…"}),
        304: None,
    },
)
async def openapi(request: web.Request) -> web.Response:
    """This document."""
    made = await describe(request.app)
    headers = {"ETag": f'"{made.etag}"', "Cache-Control": "no-cache"}
    # What a browser shows again without asking for it anew; any of several tags may be ours.
    if made.etag in {tag.value for tag in request.if_none_match or ()}:
        return web.Response(status=304, headers=headers)
    return web.Response(body=made.encoded, content_type="application/json", headers=headers)


@ROUTES.get(
    "/docs",
    "/docs/",
    access=ANYONE,
    query=Found,
    reply=Text(media="text/html", about="The page."),
)
async def docs(request: web.Request) -> web.Response:
    """Every route to read: parameters, examples and errors; `q` finds some of them."""
    made = await describe(request.app)
    parts = made.page.parts(Found(q=request.query.get("q", "")[:200]))
    return page(request, "docs.html", "docs", script=False, here="/docs", **parts)
