"""Which pages of other origins may call an API from a browser.

Bearer APIs mirror the origin: a token has to be put into the request by the page itself, so there
is nothing that a foreign page could borrow. `Access-Control-Allow-Credentials` is never sent, so
cookies stay at home.
"""

from __future__ import annotations

from enum import Enum

from aiohttp import web

_ORIGIN_LETTERS_MAX = 512
_HEADERS_LETTERS_MAX = 1024
_MAX_AGE_S = "600"
_EXPOSED = "Accept-Ranges, Content-Disposition, Content-Range, ETag, Retry-After"
"""What a page may read of a reply besides what it may read of every reply."""


class Cors(Enum):
    """What an adapter allows to other origins."""

    NONE = "none"
    MIRROR = "mirror"
    OBSIDIAN = "obsidian"
    """Pages inside the Obsidian application."""


OBSIDIAN_ORIGIN = "app://obsidian.md"


def origin_of(request: web.Request) -> str | None:
    """The Origin header if it is fit to be sent back."""
    origin = request.headers.get("Origin", "")
    if 0 < len(origin) <= _ORIGIN_LETTERS_MAX and origin.isascii() and origin.isprintable():
        return origin
    return None


def allow(request: web.Request, response: web.StreamResponse) -> None:
    """Let the page that asked read the response; caches keep the answers of origins apart."""
    vary(response)
    origin = origin_of(request)
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED


def vary(response: web.StreamResponse) -> None:
    """Say that pages of other origins may be answered otherwise."""
    said = response.headers.get("Vary")
    response.headers["Vary"] = f"{said}, Origin" if said else "Origin"


def preflight(request: web.Request, methods: set[str]) -> web.Response:
    """The answer to a browser that asks before it calls; `allow` adds the origin."""
    allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    asked = request.headers.get("Access-Control-Request-Headers", "")
    fit = len(asked) <= _HEADERS_LETTERS_MAX and asked.isascii() and asked.isprintable()
    return web.Response(
        status=204,
        headers={
            "Allow": ", ".join(sorted(allowed)),
            "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
            "Access-Control-Allow-Headers": (fit and asked) or "Authorization, Content-Type",
            "Access-Control-Max-Age": _MAX_AGE_S,
        },
    )
