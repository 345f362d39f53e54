"""The endpoints in the order of the page. Whatever is asked without a token is answered 401."""

from __future__ import annotations

from aiohttp import web

from server.adapter import PERSONAL, Routes, principal_of
from server.adapters.ascently import bodies, images, schema
from server.adapters.ascently.datasets import DATASETS
from server.adapters.ascently.items import COLLECTIONS
from server.describe import Binary
from server.http import read_query, reply

ROUTES = Routes()

READ = PERSONAL.reading("ascently")
WRITE = PERSONAL.writing("ascently")

_VERSION = "2.0.0"


@ROUTES.get("/health", access=READ, reply=schema.Health)
async def health(_request: web.Request) -> web.Response:
    """Whether the server runs."""
    return reply(schema.Health(status="ok", version=_VERSION))


@ROUTES.get("/sync", access=READ, reply=schema.Dataset, errors={404: "Nothing was ever uploaded."})
async def download(request: web.Request) -> web.Response:
    """The whole dataset."""
    body = await request.app[DATASETS].whole(principal_of(request).account)
    return web.Response(body=body, content_type="application/json")


@ROUTES.post("/sync", access=WRITE, body=schema.Dataset, reply=schema.Done)
@ROUTES.put("/sync", access=WRITE, body=schema.Dataset, reply=schema.Done)
async def upload(request: web.Request) -> web.Response:
    """Replace the whole dataset; what is not in it is gone."""
    items, said = await bodies.apart(bodies.dataset, await bodies.read(request))
    await request.app[DATASETS].replace(principal_of(request).account, items, said)
    return reply(schema.Done())


@ROUTES.post("/sync/delta", access=WRITE, body=schema.Delta, reply=schema.Changed)
async def sync_delta(request: web.Request) -> web.Response:
    """Merge what a device changed, and answer what it has not seen."""
    data = await bodies.read(request)
    items, cursor = await bodies.apart(bodies.delta, data)
    server_time, texts = await request.app[DATASETS].merge(
        principal_of(request).account, items, cursor, len(data)
    )
    parts = [f'"serverTime":"{server_time}"']
    parts += [f'"{name}":[{",".join(texts[name])}]' for name in COLLECTIONS]
    return web.Response(text=f"{{{','.join(parts)}}}", content_type="application/json")


@ROUTES.post(
    "/images/upload",
    access=WRITE,
    query=schema.ImageQuery,
    body=Binary(about="JPEG, PNG, GIF or WebP."),
    reply=schema.Done,
)
async def upload_image(request: web.Request) -> web.Response:
    """Keep an image under its name, in the place of one that was there."""
    name = images.check_name(read_query(request, schema.ImageQuery).filename)
    await images.store(request, principal_of(request).account, name)
    return reply(schema.Done())


@ROUTES.get(
    "/images/download",
    access=READ,
    query=schema.ImageQuery,
    reply=Binary(media="image/*"),
    errors={404: "There is no image of that name."},
)
async def download_image(request: web.Request) -> web.Response:
    """An image by its name."""
    name = images.check_name(read_query(request, schema.ImageQuery).filename)
    return await images.load(request, principal_of(request).account, name)
