"""The session cookie as it travels, and when a request that shows it may be believed.

A browser sends the cookie with whatever any page makes it send. So a write that is identified by it
needs an `Origin` equal to the public URL and a JSON body (or none): no foreign page can make a
browser send both. A cookie that is there twice is refused: one of them was put there by somebody
who does not know the other.
"""

from __future__ import annotations

from http.cookies import Morsel
from typing import TYPE_CHECKING

from auth.errors import Forbidden, Unauthorized
from server.hosts import HOSTS

if TYPE_CHECKING:
    from aiohttp import web

NAME = "next-auth.session-token"
SECURE = f"__Secure-{NAME}"
"""Its name where the public URL speaks TLS: a browser takes it from there only."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def name_of(public_url: str) -> str:
    """What the cookie is called on a server."""
    return SECURE if public_url.startswith("https://") else NAME


def shown(request: web.BaseRequest, name: str) -> str | None:
    """The value of a cookie; None where there is none. Raises Unauthorized for two of them."""
    found = [
        value.strip()
        for header in request.headers.getall("Cookie", [])
        for part in header.split(";")
        for key, _, value in [part.partition("=")]
        if key.strip() == name
    ]
    if len(found) > 1:
        raise Unauthorized("cookie_repeated")
    return found[0] if found and found[0] else None


def of(request: web.Request) -> str | None:
    """The session cookie of a request; None where it has none. Raises Unauthorized for two."""
    return shown(request, name_of(request.app[HOSTS].public_url))


def check_origin(request: web.Request) -> None:
    """Raise Forbidden unless a page of ours asks; for writes and sockets with a cookie."""
    origins = request.headers.getall("Origin", [])
    if origins != [request.app[HOSTS].origin]:
        raise Forbidden("origin_wrong")


def check_write(request: web.Request) -> None:
    """Raise Forbidden for a write that a foreign page could have made a browser send."""
    if request.method in _READING:
        return
    check_origin(request)
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if request.body_exists and kind != "application/json":
        raise Forbidden("body_not_json")


def set_cookie(
    response: web.StreamResponse,
    name: str,
    value: str,
    *,
    lifetime_s: int,
    secure: bool,
    path: str = "/",
) -> None:
    """Give a browser a cookie that no script reads; a lifetime of 0 takes it away."""
    morsel: Morsel[str] = Morsel()
    morsel.set(name, value, value)
    morsel["path"] = path
    morsel["max-age"] = lifetime_s
    morsel["httponly"] = True
    morsel["samesite"] = "Lax"
    if secure:
        morsel["secure"] = True
    response.headers.add("Set-Cookie", morsel.OutputString())


def give(request: web.Request, response: web.StreamResponse, value: str, lifetime_s: int) -> None:
    """Put the session cookie into a response; with a lifetime of 0 the browser forgets it."""
    name = name_of(request.app[HOSTS].public_url)
    set_cookie(response, name, value, lifetime_s=lifetime_s, secure=name == SECURE)
