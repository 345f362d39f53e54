"""Answers that are made here: with an ETag of their bytes, conditions and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from urllib.parse import quote

from aiohttp import web

from server.ranges import Thing, Verdict, judge

_NO_DATE = datetime.fromtimestamp(0, UTC)


def reply(
    request: web.Request,
    data: bytes,
    content_type: str,
    headers: Mapping[str, str],
    status: int = 200,
) -> web.Response:
    """Bytes as the answer to GET or HEAD; 304, 206, 412 or 416 where that was asked for."""
    said = {"X-Content-Type-Options": "nosniff", **headers}
    etag = f'"{blake2b(data, digest_size=12).hexdigest()}"'
    if status != 200:
        return web.Response(
            body=data, status=status, headers={"Content-Type": content_type, **said}
        )
    said["ETag"] = etag
    asked = request.headers.copy()
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        asked.popall(name, None)  # What is made has no date.
    answer = judge(asked, Thing(len(data), etag, _NO_DATE), is_get=request.method == "GET")
    if answer.verdict is Verdict.NOT_MODIFIED:
        return web.Response(status=304, headers=said)
    if answer.verdict is Verdict.FAILED:
        return web.Response(status=412, headers=said)
    if answer.verdict is Verdict.UNSATISFIABLE:
        return web.Response(status=416, headers={**said, "Content-Range": f"bytes */{len(data)}"})
    said |= {"Content-Type": content_type, "Accept-Ranges": "bytes"}
    if answer.verdict is Verdict.PART:
        said["Content-Range"] = f"bytes {answer.start}-{answer.end - 1}/{len(data)}"
    return web.Response(
        body=data[answer.start : answer.end], status=answer.verdict.value, headers=said
    )


def location(address: str) -> str:
    """An address as a header can hold it; what is encoded already stays so."""
    return quote(address, safe="/:?#[]@!$&'()*+,;=%~")


def html(
    request: web.Request, text: str, headers: Mapping[str, str], status: int = 200
) -> web.Response:
    """A page."""
    return reply(request, text.encode(), "text/html; charset=utf-8", headers, status)
