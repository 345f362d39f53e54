"""Bodies of this API: JSON up to a bound, taken apart into items and what else they say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from server.adapters.ascently import instants, schema
from server.adapters.ascently.items import COLLECTIONS, Item, read_changes
from server.budget import BODIES
from server.documents import DOCUMENTS
from server.errors import BadBody
from server.http import read_bytes

_IN_A_THREAD_FROM: Final = 256 * 1024
"""Bytes from which on a body is taken apart beside the event loop."""

_T = TypeVar("_T")


async def read(request: web.Request) -> bytes:
    """The body. Raises BodyTooLarge."""
    most = request.app[DOCUMENTS].settings.ascently_body_bytes_max
    with request.app[BODIES].take(request.content_length or most):
        return await read_bytes(request, most)


async def apart(take: Callable[[bytes], _T], data: bytes) -> _T:
    """A body taken apart by `dataset` or `delta`; a large one while others are served."""
    if len(data) < _IN_A_THREAD_FROM:
        return take(data)
    return await asyncio.to_thread(take, data)


def dataset(data: bytes) -> tuple[list[Item], dict[str, Any]]:
    """The items of a whole dataset, and what else it says. Raises BadBody."""
    items = read_changes(_decoded(data, schema.Dataset))
    said: dict[str, msgspec.Raw] = _decoded(data, dict[str, msgspec.Raw])
    return items, {
        key: _decoded(bytes(value), Any) for key, value in said.items() if key not in COLLECTIONS
    }


def delta(data: bytes) -> tuple[list[Item], int]:
    """The items of a delta, and its cursor in nanoseconds. Raises BadBody."""
    body: schema.Delta = _decoded(data, schema.Delta)
    if not body.lastSyncTime:
        return read_changes(body), instants.BEGINNING
    try:
        return read_changes(body), instants.parse(body.lastSyncTime)
    except ValueError:
        raise BadBody("lastSyncTime is not a time") from None


def _decoded(data: bytes, kind: Any) -> Any:  # noqa: ANN401
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise BadBody(str(error)) from error
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadBody("it is not JSON") from None
