"""The endpoints in the order of the page. Whatever is asked without a token is answered 401."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from server.adapter import PERSONAL, Routes, principal_of
from server.adapters.ascently import images, instants, schema
from server.adapters.ascently.datasets import DATASETS
from server.adapters.ascently.items import COLLECTIONS, Item, read_changes
from server.budget import BODIES
from server.describe import Binary
from server.documents import DOCUMENTS
from server.errors import BadBody
from server.http import read_bytes, read_query, reply

ROUTES = Routes()

READ = PERSONAL.reading("ascently")
WRITE = PERSONAL.writing("ascently")

_VERSION = "2.0.0"
_IN_A_THREAD_FROM = 256 * 1024
"""Bytes of a body from which on it is taken apart beside the event loop."""


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
    data = await _read(request)
    items, said = await _apart(_dataset, data)
    await request.app[DATASETS].replace(principal_of(request).account, items, said)
    return reply(schema.Done())


@ROUTES.post("/sync/delta", access=WRITE, body=schema.Delta, reply=schema.Changed)
async def sync_delta(request: web.Request) -> web.Response:
    """Merge what a device changed, and answer what it has not seen."""
    data = await _read(request)
    items, cursor = await _apart(_delta, data)
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


# --- bodies ----------------------------------------------------------------------------------


async def _read(request: web.Request) -> bytes:
    most = request.app[DOCUMENTS].settings.ascently_body_bytes_max
    with request.app[BODIES].take(request.content_length or most):
        return await read_bytes(request, most)


async def _apart(read: Any, data: bytes) -> Any:  # noqa: ANN401
    """A body taken apart by `read`; a large one while others are served."""
    if len(data) < _IN_A_THREAD_FROM:
        return read(data)
    return await asyncio.to_thread(read, data)


def _dataset(data: bytes) -> tuple[list[Item], dict[str, Any]]:
    """The items of a whole dataset, and what else it says."""
    items = read_changes(_decoded(data, schema.Dataset))
    said = {
        key: value
        for key, value in _decoded(data, dict[str, msgspec.Raw]).items()
        if key not in COLLECTIONS
    }
    return items, {key: _decoded(bytes(value), Any) for key, value in said.items()}


def _delta(data: bytes) -> tuple[list[Item], int]:
    """The items of a delta, and its cursor in nanoseconds."""
    delta = _decoded(data, schema.Delta)
    if not delta.lastSyncTime:
        return read_changes(delta), instants.BEGINNING
    try:
        return read_changes(delta), instants.parse(delta.lastSyncTime)
    except ValueError:
        raise BadBody("lastSyncTime is not a time") from None


def _decoded(data: bytes, kind: Any) -> Any:  # noqa: ANN401
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise BadBody(str(error)) from error
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadBody("it is not JSON") from None
