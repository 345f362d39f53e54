"""The question for a site's password, on the sites' own host."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from server.errors import BadBody, TooManyRequests
from server.hosts import HOSTS
from server.http import read_bytes
from server.limits import LIMITS
from server.sites.access import ACCESS
from server.sites.rendering import page
from server.sites.serving import assets, policy
from server.sites.serving.replies import html

if TYPE_CHECKING:
    from server.sites.serving.doorway import Opened

LIMIT = "flowershow-passwords"
"""Shared with the API's route for the same password, so that both together are bounded."""
_FORM_BYTES_MAX = 8192


async def ask(request: web.Request, opened: Opened) -> web.StreamResponse:
    """The form; whoever is in already is sent on."""
    site = opened.site
    assert site is not None
    back = _inside(opened, request.query.get("returnTo", ""))
    if request.app[ACCESS].may_read(request, site):
        return _away(opened, back)
    return _form(request, opened, back)


async def enter(request: web.Request, opened: Opened) -> web.StreamResponse:
    """Give the cookie to whoever sent the right password."""
    site = opened.site
    assert site is not None
    origin = request.headers.get("Origin")
    if origin is not None and origin not in {opened.origin, "null"}:
        return _form(request, opened, _inside(opened, ""), "The form came from elsewhere.", 403)
    fields = await _fields(request)
    back = _inside(opened, fields.get("returnTo", ""))
    if not site.is_protected:
        return _away(opened, back)
    try:
        request.app[LIMITS][LIMIT].take(request.app[HOSTS].remote(request))
    except TooManyRequests:
        return _form(request, opened, back, "Too many tries. Wait a minute.", 429)
    token = await request.app[ACCESS].admit(site, fields.get("password", ""))
    if token is None:
        return _form(request, opened, back, "That is not the password.", 401)
    response = _away(opened, back)
    request.app[ACCESS].give(response, site, token)
    return response


async def leave(request: web.Request, opened: Opened) -> web.StreamResponse:
    """Take the cookie away."""
    site = opened.site
    assert site is not None
    response = _away(opened, opened.path or "/")
    request.app[ACCESS].take(response, site)
    return response


def _form(
    request: web.Request, opened: Opened, back: str, problem: str = "", status: int = 200
) -> web.Response:
    assert opened.site is not None
    shown = page.login_page(
        action=f"{opened.path}/_login",
        name=opened.site.title or opened.site.name,
        back=back,
        assets=assets.base(),
        problem=problem,
    )
    return html(request, shown, _headers(opened), status)


def _away(opened: Opened, back: str) -> web.Response:
    return web.Response(status=303, headers={"Location": back, **_headers(opened)})


def _headers(opened: Opened) -> dict[str, str]:
    said = policy.page(opened.origin, has_own_origin=not opened.is_shared)
    return {"Content-Security-Policy": said, "Cache-Control": "private, no-store"}


def _inside(opened: Opened, back: str) -> str:
    """Where to go afterwards: a path of this very site, never elsewhere."""
    home = opened.path or "/"
    try:
        parts = urlsplit(back)
    except ValueError:
        return home
    clean = back.isascii() and back.isprintable() and "\\" not in back and " " not in back
    path = parts.path
    is_below = path == home or path.startswith(f"{opened.path}/")
    if not clean or parts.scheme or parts.netloc or path.startswith("//") or not is_below:
        return home
    return home if "/_login" in path or "/../" in f"{path}/" else back


async def _fields(request: web.Request) -> dict[str, str]:
    """The fields of a form, as browsers send it."""
    data = await read_bytes(request, _FORM_BYTES_MAX)
    try:
        found = parse_qs(data.decode(), max_num_fields=10)
    except ValueError as error:
        raise BadBody("it is no form") from error
    return {name: values[-1] for name, values in found.items()}
