"""The service worker of the pages below /w: what opens a document again while the server is away.

It stands outside the folder of a version, since a browser asks for it anew at the same address and
installs it when its bytes changed; the version's address in its first line changes with the pages.
"""

from __future__ import annotations

import json
from functools import cache

from aiohttp import web

from server.adapter import ANYONE, Routes
from server.describe import Binary, Reply
from server.pages.assets import assets, folder

ROUTES = Routes()

_NAME = "worker.js"
_SCOPE = "/w"
_POLICY = "default-src 'none'; connect-src 'self'"
"""What the worker itself may load: what it keeps, from here."""
_SHELLS = {"^/w(/[^/]*)?$": "/w", "^/w/[^/]+/[^/]+$": "/w/-/-"}
"""Which page stands for all of the paths that match."""


@cache
def _script() -> str:
    """The worker, told what to keep."""
    kept = {
        "folder": folder(),
        "files": sorted(name for name in assets() if name != _NAME),
        "shells": _SHELLS,
    }
    return f"self.plait = {json.dumps(kept)}\n{assets()[_NAME].plain.decode()}"


@ROUTES.get(
    "/assets/worker.js",
    access=ANYONE,
    reply=Reply(
        Binary(media="text/javascript", about="The script."),
        headers={"Service-Worker-Allowed": "The pages that it may answer for."},
    ),
)
async def worker(request: web.Request) -> web.Response:
    """The service worker that opens documents while the server is away."""
    del request
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _POLICY,
        "Service-Worker-Allowed": _SCOPE,
    }
    return web.Response(text=_script(), content_type="text/javascript", headers=headers)
