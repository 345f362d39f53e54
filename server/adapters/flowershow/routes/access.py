"""Visitors of sites with a password."""

from __future__ import annotations

from urllib.parse import parse_qs

from aiohttp import web

from server.adapter import ANYONE, Routes
from server.adapters.flowershow import schema
from server.adapters.flowershow.policy import Complaint, invalid
from server.bodies import FormReader
from server.describe import Form
from server.http import read_bytes, reply
from server.sites.access import ACCESS
from server.sites.catalogue import SITES

ROUTES = Routes("Site access")

_BODY_BYTES_MAX = 16 * 1024
_LETTERS_MAX = 1024


@ROUTES.post(
    "/api/sites/id/{site_id}/login",
    access=ANYONE.limited("flowershow-passwords"),
    body=Form(schema.Password),
    reply=schema.Done,
    errors={
        400: "There is no such site, or it has no password.",
        401: "The password is wrong.",
    },
)
async def log_in(request: web.Request) -> web.Response:
    """Give a visitor who knows the site's password a cookie that is good for seven days."""
    site = await request.app[SITES].by_id(request.match_info["site_id"])
    if site is None or not site.is_protected:
        raise Complaint(400, "not_protected", "there is no such site with a password")
    access = request.app[ACCESS]
    password = await read_password(request)
    if not password:
        raise invalid("password is needed")
    token = await access.admit(site, password[:_LETTERS_MAX])
    if token is None:
        raise Complaint(401, "invalid_password", "the password is wrong")
    response = reply(schema.Done(), headers={"Cache-Control": "no-store"})
    access.give(response, site, token)
    return response


@ROUTES.post("/api/sites/id/{site_id}/logout", access=ANYONE, body=None, reply=schema.Done)
async def log_out(request: web.Request) -> web.Response:
    """Have the visitor's browser forget the cookie of a site."""
    response = reply(schema.Done(), headers={"Cache-Control": "no-store"})
    site = await request.app[SITES].by_id(request.match_info["site_id"])
    if site is not None:
        request.app[ACCESS].take(response, site)
    return response


async def read_password(request: web.Request) -> str:
    """The password in a form of either kind."""
    if request.content_type == "application/x-www-form-urlencoded":
        data = await read_bytes(request, _BODY_BYTES_MAX)
        return parse_qs(data.decode("utf-8", "replace")).get("password", [""])[0]
    settings = request.app[SITES].settings
    async for part in FormReader(request, settings.transfer_stuck_s):
        if part.name == "password":
            return await part.text()
    return ""
