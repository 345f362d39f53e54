"""Scripts, style and icon of the pages, under an address that changes with their content.

So a browser keeps them for a year and has the new ones at once; scripts import one another by
relative names, which the folder in the address makes right.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.resources import files

import msgspec
from aiohttp import web

from server.adapter import ANYONE, Routes
from server.describe import Binary, Reply
from server.errors import NotFound

ROUTES = Routes()

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""Of an asset that is opened as a page."""
_YEAR_S = 365 * 86_400


class Asset(msgspec.Struct, frozen=True):
    """A file as it is sent."""

    kind: str
    plain: bytes
    packed: bytes


@cache
def assets() -> dict[str, Asset]:
    """What `built/` holds, by name; read and packed once."""
    found = {}
    for file in files(__package__).joinpath("built").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            plain = file.read_bytes()
            found[file.name] = Asset(kind, plain, gzip.compress(plain, 9, mtime=0))
    return found


@cache
def folder() -> str:
    """The address under which the assets stand now."""
    digest = hashlib.sha256()
    for name, asset in sorted(assets().items()):
        digest.update(f"{name}\0{len(asset.plain)}\0".encode() + asset.plain)
    return f"/assets/{digest.hexdigest()[:16]}"


@ROUTES.get(
    "/assets/{version}/{name}",
    access=ANYONE,
    reply=Reply(
        Binary(media="text/javascript", about="The file, packed for whom that suits."),
        headers={"Cache-Control": "A year for the present version, else nothing is kept."},
    ),
)
async def asset(request: web.Request) -> web.Response:
    """A script, the style sheet or the icon of the pages."""
    found = assets().get(request.match_info["name"])
    if found is None:
        raise NotFound
    is_present = folder().endswith(f"/{request.match_info['version']}")
    headers = {
        "Cache-Control": f"public, max-age={_YEAR_S}, immutable" if is_present else "no-store",
        "Content-Security-Policy": _POLICY,
        "Vary": "Accept-Encoding",
    }
    body = found.plain
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"], body = "gzip", found.packed
    return web.Response(body=body, content_type=found.kind, charset="utf-8", headers=headers)
