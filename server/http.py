"""Read a request's body under a bound, write a reply."""

import asyncio
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from server.errors import ApiError, BadBody, BodyTooLarge

JSON_BYTES_MAX = 64 * 1024
"""Bytes of a JSON body where a route names no bound of its own."""

BODY_S = web.AppKey("seconds of a body", float)
"""How long a body may take, before what has come of it is counted."""

BODY_S_DEFAULT = 30.0

_T = TypeVar("_T")


class NotJson(BadBody):
    """A body that is no JSON at all."""


async def read_bytes(request: web.Request, bytes_max: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is over `bytes_max`, inflated.

    The declared length is looked at first, so that a body too large is refused before it is sent.
    """
    if request.content_length is not None and request.content_length > bytes_max:
        raise BodyTooLarge(bytes_max)
    parts: list[bytes] = []
    size = 0
    loop = asyncio.get_running_loop()
    end = loop.time() + request.app.get(BODY_S, BODY_S_DEFAULT)
    try:
        async with asyncio.timeout_at(end) as deadline:
            async for part in request.content.iter_any():
                size += len(part)
                if size > bytes_max:
                    raise BodyTooLarge(bytes_max)
                parts.append(part)
                # A slow line gets its time; a drop now and then does not.
                deadline.reschedule(end + size / 1024)
    except TimeoutError:
        raise ApiError(408, "too_slow", "the body did not come in time") from None
    return b"".join(parts)


async def read_body(
    request: web.Request, schema: type[_T], *, bytes_max: int = JSON_BYTES_MAX
) -> _T:
    """The JSON body as a `schema`; an empty one counts as `{}`.

    Raises BadBody, which names the place of the first mistake, or BodyTooLarge. The content type
    is not asked for: the API page names none, and some clients send none.
    """
    return decoded(await read_bytes(request, bytes_max), schema)


def decoded(data: bytes, schema: type[_T]) -> _T:
    """JSON as a `schema`; nothing counts as `{}`. Raises BadBody, or NotJson, which is one."""
    try:
        return msgspec.json.decode(data or b"{}", type=schema)
    except msgspec.ValidationError as error:
        raise BadBody(str(error)) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise NotJson("it is not JSON") from error


def read_query(request: web.Request, schema: type[_T]) -> _T:
    """The query as a `schema`, its texts read as the fields' types; of repeated names the last.

    Raises BadBody. Names that the schema does not have are ignored, as everywhere.
    """
    try:
        return msgspec.convert(dict(request.query), schema, strict=False)
    except msgspec.ValidationError as error:
        raise BadBody(str(error), "the query") from error


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:  # noqa: ANN401
    """A JSON reply of a schema or of plain values."""
    return web.Response(
        body=msgspec.json.encode(value),
        status=status,
        content_type="application/json",
        headers=headers,
    )
