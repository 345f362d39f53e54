"""What somebody sees who follows an address at which there is nothing.

Programs are told in JSON, as everywhere; who asks for a page gets one.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from server.pages.frame import page

if TYPE_CHECKING:
    from server.errors import Handler

_FOR_PROGRAMS = ("/api/", "/assets/")


@web.middleware
async def show_way_back(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a browser that looks for a page where there is none with the way to the others."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        if not _wants_page(request):
            raise
        return page(request, "lost.html", "lost", status=HTTPStatus.NOT_FOUND, script=False)


def _wants_page(request: web.Request) -> bool:
    if request.method not in {"GET", "HEAD"} or request.path.startswith(_FOR_PROGRAMS):
        return False
    return "text/html" in request.headers.get("Accept", "")
