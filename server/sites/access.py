"""Sites with a password: who may read one, the cookie that says so, and how it is got.

    access = request.app[ACCESS]
    if not access.may_read(request, site): ...        before anything of a site is shown
    token = await access.admit(site, password)        None: it is wrong
    access.give(response, site, token); access.take(response, site)

A cookie is good for one site and one version of its password: a new password logs everybody out.
It counts at the host that it was given by; `path` and host are those of the site.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from auth.errors import Unauthorized
from auth.links import Links
from server.hashing import Hashing
from server.session import cookie

if TYPE_CHECKING:
    from server.identity import Identity
    from server.sites.catalogue import Catalogue
    from storage.sites import Site

_PASSWORD = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{6,126})[\x21-\x7e]")


def is_password(text: str) -> bool:
    """Whether a site may have this password: 8 to 128 letters of ASCII, no space at either end."""
    return _PASSWORD.fullmatch(text) is not None


class SiteAccess:
    """Lets visitors into sites."""

    def __init__(self, identity: Identity, catalogue: Catalogue) -> None:
        settings = catalogue.settings
        self._links = Links(identity.keyring.signing, "site-access")
        self._catalogue = catalogue
        self._lifetime_s = settings.site_password_s
        self.hashing = Hashing(
            at_once=settings.site_hashes_at_once, waiting_max=settings.site_hashes_waiting_max
        )

    def may_read(self, request: web.BaseRequest, site: Site) -> bool:
        """Whether whoever asks may see what is in a site."""
        if not site.is_protected:
            return True
        try:
            shown = cookie.shown(request, _name(site))
            said = {} if shown is None else self._links.verify(shown, time.time())
        except Unauthorized:
            return False
        return said == _claims(site)

    async def admit(self, site: Site, password: str) -> str | None:
        """The cookie for whoever knows the password; None for others. Raises Busy."""
        if site.password_hash is None:
            return None
        async with self.hashing.slot():
            if not await self.hashing.verify(password, site.password_hash):
                return None
        return self._links.mint(_claims(site), now=time.time(), lifetime_s=self._lifetime_s)

    async def hash(self, password: str) -> str:
        """What is stored of a password. Raises Busy."""
        async with self.hashing.slot():
            return await self.hashing.hash(password)

    def give(self, response: web.StreamResponse, site: Site, token: str) -> None:
        """Have the browser show it at the site from now on."""
        self._set(response, site, token, self._lifetime_s)

    def take(self, response: web.StreamResponse, site: Site) -> None:
        """Have the browser forget it."""
        self._set(response, site, "", 0)

    def _set(self, response: web.StreamResponse, site: Site, token: str, lifetime_s: int) -> None:
        address = urlsplit(self._catalogue.url(site))
        cookie.set_cookie(
            response,
            _name(site),
            token,
            lifetime_s=lifetime_s,
            secure=address.scheme == "https",
            path=address.path or "/",
        )


def _name(site: Site) -> str:
    return f"site_access_{site.id}"


def _claims(site: Site) -> dict[str, str | int | bool | None]:
    return {"sid": site.id, "ver": site.password_version}


ACCESS = web.AppKey("site access", SiteAccess)
