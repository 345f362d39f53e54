"""Bodies of this API: JSON up to 16 MiB, and how much of it a profile may say about itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from server.budget import BODIES
from server.documents import DOCUMENTS
from server.errors import ApiError, BadBody, BodyTooLarge
from server.http import read_bytes
from server.settings import Settings

_T = TypeVar("_T")


async def read(request: web.Request, schema: type[_T]) -> _T:
    """The body as a `schema`. Raises BadBody or BodyTooLarge."""
    most = request.app[DOCUMENTS].settings.difflog_body_bytes_max
    with request.app[BODIES].take(request.content_length or most):
        data = await read_bytes(request, most)
    try:
        return msgspec.json.decode(data, type=schema)
    except msgspec.ValidationError as error:
        raise BadBody(str(error)) from error
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise ApiError(400, "bad_request", "Invalid JSON") from None


def json_text(raw: Any) -> str | None:  # noqa: ANN401  (a Raw, or UNSET)
    """JSON as it was sent; None where it was not."""
    return bytes(raw).decode() if isinstance(raw, msgspec.Raw) else None


def check_metadata(settings: Settings, fields: Mapping[str, Any], *texts: str) -> None:
    """Refuse a profile that says too much about itself, or keys that cannot be some."""
    size = len(msgspec.json.encode(fields)) + sum(map(len, texts))
    if size > settings.difflog_metadata_bytes_max:
        raise BodyTooLarge(settings.difflog_metadata_bytes_max)
