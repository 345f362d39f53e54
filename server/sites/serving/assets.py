"""What our pages load: a style sheet and scripts, the same on every host that shows sites."""

from __future__ import annotations

import gzip
from functools import cache
from hashlib import blake2b
from importlib.resources import files

from aiohttp import web

from server.sites.serving.policy import ASSETS
from server.sites.serving.replies import reply

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_NAMES = ("site.css", "site.js", "theme.js", "drawings.js", "mermaid.min.js")
_PACKED = ".gz"
_YEAR = "public, max-age=31536000, immutable"


@cache
def _bytes() -> dict[str, bytes]:
    """Each file by its name, packed."""
    folder = files("server.sites") / "assets"
    found = {}
    for name in _NAMES:
        packed = folder / f"{name}{_PACKED}"
        if packed.is_file():
            found[name] = packed.read_bytes()
        else:
            found[name] = gzip.compress((folder / name).read_bytes(), 9, mtime=0)
    return found


@cache
def version() -> str:
    """Another one whenever one of the files is."""
    digest = blake2b(digest_size=6)
    for name, data in sorted(_bytes().items()):
        digest.update(name.encode() + data)
    return digest.hexdigest()


def base() -> str:
    """What the addresses of the files begin with."""
    return f"{ASSETS}/{version()}"


async def answer(request: web.Request, path: str, policy: str) -> web.StreamResponse | None:
    """One of the files; None where there is none of this name."""
    wanted, _, name = path.removeprefix(ASSETS).strip("/").rpartition("/")
    data = _bytes().get(name)
    if data is None:
        return None
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": _YEAR if wanted == version() else "no-cache",
        "Vary": "Accept-Encoding",
        # Drawn in a sandbox with an origin of its own, where sites have no origin to themselves.
        "Access-Control-Allow-Origin": "*",
    }
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        data = gzip.decompress(data)
    return reply(request, data, _TYPES[name.rpartition(".")[2]], headers)
