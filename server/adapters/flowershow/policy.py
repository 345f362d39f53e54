"""Who may use this API's routes, and which clients are too old.

Programs show a token scoped `flowershow` (`fs_pat_…`, `fs_cli_…`) or an access token; a browser its
session cookie where the page of the API says so.
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from auth.principal import Principal
from server.adapter import ACCOUNT, OPTIONAL, Access, bearer, principal_of
from server.errors import ApiError
from server.sites.catalogue import SITES
from storage.sites import Site

API = "flowershow"
READ = ACCOUNT.reading(API)
WRITE = ACCOUNT.writing(API)
LOOK = OPTIONAL.reading(API)
"""Whoever comes; an owner is told more."""

OLDEST_CLI = (1, 0, 0)
_CLI = "X-Flowershow-CLI-Version"
_VERSION = re.compile(r"v?(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?")
_CHECKED = re.compile(r"/api/sites(?:/github|/id/[^/]+(?:/sync|/status)?)?")


class Complaint(ApiError):
    """An answer with further fields."""

    def __init__(self, status: int, code: str, message: str, **facts: Any) -> None:  # noqa: ANN401
        super().__init__(status, code, message)
        self.facts = facts


def invalid(message: str) -> Complaint:
    """A request that cannot be read as what the route takes."""
    return Complaint(400, "invalid_request", message)


async def identify(request: web.Request, access: Access) -> Principal | None:
    """Refuse old command lines first, then say who is asking."""
    if _CHECKED.fullmatch(request.path):
        check_version(request.headers.get(_CLI))
    return await bearer(request, access)


def check_version(said: str | None) -> None:
    """Refuse a command line that is too old; who says no version is none."""
    found = _VERSION.match(said or "")
    if said is None or (found and tuple(int(part or 0) for part in found.groups()) >= OLDEST_CLI):
        return
    oldest = ".".join(map(str, OLDEST_CLI))
    raise Complaint(
        426,
        "client_outdated",
        f"this version of the command line is too old; {oldest} is needed",
        currentVersion=said[:50],
        minimumVersion=oldest,
    )


async def own_site(request: web.Request) -> Site:
    """The caller's site that the path names: 404 where there is none, 403 where it is foreign."""
    site = await request.app[SITES].by_id(request.match_info["site_id"])
    if site is None:
        raise Complaint(404, "not_found", "there is no such site")
    if site.account != principal_of(request).account:
        raise Complaint(403, "forbidden", "this site is somebody else's")
    return site
