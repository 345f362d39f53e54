"""A blob as the answer to GET or HEAD: conditions, one range, safe headers, flat memory."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Final, NamedTuple

import msgspec
from aiohttp import web

from server import representation
from server.describe import Binary, Reply
from server.files import FILES
from server.ranges import Answer, Thing, Verdict, judge
from server.sending import Kernel, Pieces, can_sendfile
from storage.blobs import Blob
from storage.errors import StorageError

log = logging.getLogger("plait.files")

CACHING = "private, no-cache"
"""A browser keeps it and asks each time whether it may still show it: rights change."""


class Conditions(msgspec.Struct, kw_only=True):
    """Headers that count where a file is given."""

    range: str | None = msgspec.field(name="Range", default=None)
    """One range of bytes; several are answered with the whole."""
    if_range: str | None = msgspec.field(name="If-Range", default=None)
    if_none_match: str | None = msgspec.field(name="If-None-Match", default=None)
    if_modified_since: str | None = msgspec.field(name="If-Modified-Since", default=None)


GIVEN: Final[Mapping[int, Reply | None]] = {
    200: Reply(
        Binary(about="The bytes of the file."),
        headers={
            "ETag": "Strong: the SHA-256 of the file.",
            "Content-Disposition": "inline for what is safe to show, else attachment.",
            "Content-Security-Policy": "A sandbox, lest a file runs as a page of this server.",
        },
    ),
    206: Reply(
        Binary(about="The range that was asked for."), headers={"Content-Range": "Which it is."}
    ),
    304: Reply(None, about="It is what the caller has."),
    412: None,
    416: None,
}
"""What a route that serves a blob answers, for its declaration."""


class Shown(NamedTuple):
    """How a blob is handed out."""

    name: str
    mime_type: str
    modified: datetime
    download: bool = False
    """Whether the browser should save it, whatever it is."""
    caching: str = CACHING
    headers: Mapping[str, str] | None = None
    """Type, disposition and policy, where they are not to follow from name and type."""


async def serve(request: web.Request, blob: Blob, shown: Shown) -> web.StreamResponse:
    """Answer with a blob, or the range of it that is asked for. The caller judged who may see it.

    Raises UnknownBlob and StoreUnavailable with nothing sent, and aiohttp's errors for 412 and 416.
    """
    thing = Thing(blob.size, f'"{blob.hash}"', shown.modified)
    answer = judge(request.headers, thing, is_get=request.method == "GET")
    if answer.verdict is Verdict.FAILED:
        raise web.HTTPPreconditionFailed
    if answer.verdict is Verdict.UNSATISFIABLE:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{blob.size}"})
    response = _head(thing, shown, answer)
    if answer.verdict is Verdict.NOT_MODIFIED or request.method == "HEAD":
        await response.prepare(request)
    else:
        await _send(request, response, blob, answer)
    return response


def _head(thing: Thing, shown: Shown, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.verdict.value)
    headers = response.headers
    headers["ETag"] = thing.etag
    headers["Last-Modified"] = format_datetime(thing.modified.replace(microsecond=0), usegmt=True)
    headers["Cache-Control"] = shown.caching
    if answer.verdict is Verdict.NOT_MODIFIED:
        return response
    headers["Accept-Ranges"] = "bytes"
    if shown.headers is None:
        shown_as = representation.headers(shown.name, shown.mime_type, download=shown.download)
        headers.update(shown_as)
    else:
        headers.update(shown.headers)
    response.content_length = answer.end - answer.start
    if answer.verdict is Verdict.PART:
        headers["Content-Range"] = f"bytes {answer.start}-{answer.end - 1}/{thing.size}"
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, blob: Blob, answer: Answer
) -> None:
    files = request.app[FILES]
    _, start, end = answer
    path = files.blobs.path(blob.digest)
    sending = (
        Kernel(path, start, end)
        if path is not None and can_sendfile(request)
        else Pieces(files.blobs.read(blob, start, end))
    )
    with files.transfer():
        async with sending:  # Its error comes before the headers.
            await _answer(request, response, sending, files.settings.transfer_stuck_s)


async def _answer(
    request: web.Request, response: web.StreamResponse, sending: Kernel | Pieces, stuck_s: float
) -> None:
    await response.prepare(request)
    try:
        await sending.send(request, response, stuck_s)
    except (TimeoutError, StorageError, ConnectionResetError) as error:
        # The headers are out: all that can be said is that this is not the whole of it.
        log.debug("a download broke off: %r", error)
        if request.transport is not None:
            request.transport.abort()
