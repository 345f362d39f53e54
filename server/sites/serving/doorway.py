"""Which host a request is for, and which site it means.

Sites have an origin of their own: there, nothing of the rest of the server answers, and on the
server's own origin no site does. A domain shows the one site whose owner has proved that it is his.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec
from aiohttp import web

from server.hosts import host_name
from storage.sites import Site

if TYPE_CHECKING:
    from server.hosts import Hosts
    from server.settings import Settings
    from server.sites.catalogue import Catalogue

_DOMAIN_S = 2.0
"""Seconds for which it is remembered that a host is nobody's domain."""
_DOMAINS_MAX = 1000
_LABEL = re.compile(r"[a-z0-9-]{1,63}")
_DOMAIN = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]+")


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is for published sites."""

    origin: str
    """Scheme and host of what answers."""
    site: Site | None = None
    """None: there is none at this address."""
    path: str = ""
    """What the addresses of the site begin with on this host."""
    rest: str = ""
    """The path below that, as it was asked for, still encoded; empty for the root."""
    is_shared: bool = False
    """Whether the origin is the server's own as well."""

    def is_at(self, url: str) -> bool:
        """Whether this is a site's own address: cookies count there, and there alone."""
        here, there = urlsplit(self.origin), urlsplit(url)
        return (here.hostname, self.path) == (there.hostname, there.path)


class Doorway:
    """Knows the hosts of sites."""

    def __init__(self, settings: Settings, hosts: Hosts, catalogue: Catalogue) -> None:
        self._hosts = hosts
        self._catalogue = catalogue
        wildcard = settings.sites_wildcard_url.rstrip("/")
        self._wildcard = urlsplit(wildcard.replace("*", "x")).hostname or ""
        self._wildcard_url = wildcard
        self._is_off = "flowershow" in settings.adapters_off
        self._nobodys: OrderedDict[str, float] = OrderedDict()

    @property
    def is_separate(self) -> bool:
        """Whether sites have a host that is not the server's own."""
        return urlsplit(self._hosts.sites_url).hostname != urlsplit(self._hosts.public_url).hostname

    def may_claim(self, name: str) -> bool:
        """Whether a request for a host of ours may still be for sites, whatever its path."""
        if self._is_off:
            return False
        if name == urlsplit(self._hosts.sites_url).hostname:
            return self.is_separate
        return bool(self._wildcard) and name.endswith(self._wildcard.partition(".")[2])

    async def open(self, request: web.Request) -> Opened | None:
        """What of the sites a request is for; None: it is for the server itself."""
        if self._is_off:
            return None
        name = host_name(request.headers.get("Host", ""))
        raw = request.rel_url.raw_path
        sites_url = self._hosts.sites_url
        label, _, domain = name.partition(".")
        if name == urlsplit(sites_url).hostname:
            if not self.is_separate and not _is_sites(raw):
                return None
            opened = await self._below(sites_url, raw)
            return msgspec.structs.replace(opened, is_shared=not self.is_separate)
        is_user = self._wildcard and domain == self._wildcard.partition(".")[2]
        if is_user and _LABEL.fullmatch(label):
            return await self._of_user(self._wildcard_url.replace("*", label), label, raw)
        site = None if self._hosts.is_ours(request) else await self._by_domain(name)
        if site is None:
            return None
        port = request.headers["Host"].strip().rpartition(":")[2]
        shown = f"{name}:{port}" if port.isdecimal() and len(port) < 6 else name
        origin = f"{sites_url.partition('://')[0]}://{shown}"
        return Opened(origin=origin, site=site, rest=raw.lstrip("/"))

    def redirect(self, request: web.Request) -> str | None:
        """Where a request on the server's own origin that means a site is sent."""
        raw = request.rel_url.raw_path
        is_meant = _is_sites(raw) and not raw.startswith("/_") and self.is_separate
        if self._is_off or not is_meant or not self._hosts.is_ours(request):
            return None
        query = request.rel_url.raw_query_string
        return self._hosts.sites_url + raw + (f"?{query}" if query else "")

    async def _below(self, origin: str, raw: str) -> Opened:
        """A site by its path: `/@user/site` or `/anon/site`."""
        first, name, rest = _split(raw, 2)
        who, site = unquote(first), None
        if who.startswith("@") and name:
            site = await self._catalogue.named(who[1:], unquote(name))
        elif first == "anon" and name:
            site = await self._catalogue.anonymous(unquote(name))
        if site is None:
            return Opened(origin=origin, rest=raw.lstrip("/"))
        return Opened(origin=origin, site=site, path=f"/{first}/{name}", rest=rest)

    async def _of_user(self, origin: str, user: str, raw: str) -> Opened:
        """A site of the user whose host it is: `/site`."""
        _, name, rest = _split("/x" + raw, 2)
        site = await self._catalogue.named(user, unquote(name)) if name else None
        if site is None:
            return Opened(origin=origin, rest=raw.lstrip("/"))
        return Opened(origin=origin, site=site, path=f"/{name}", rest=rest)

    async def _by_domain(self, name: str) -> Site | None:
        now = time.monotonic()
        if now < self._nobodys.get(name, 0) or not _DOMAIN.fullmatch(name):
            return None
        site = await self._catalogue.by_domain(name)
        if site is None:
            self._nobodys[name] = now + _DOMAIN_S
            self._nobodys.move_to_end(name)
            if len(self._nobodys) > _DOMAINS_MAX:
                self._nobodys.popitem(last=False)
        return site


def _is_sites(raw: str) -> bool:
    return raw.startswith(("/@", "/anon/", "/_plait/", "/%40")) or raw == "/anon"


def _split(raw: str, count: int) -> tuple[str, str, str]:
    """The first two parts of a path, and the rest of it."""
    parts = raw.lstrip("/").split("/", count)
    parts += [""] * (3 - len(parts))
    return parts[0], parts[1], parts[2]


DOORWAY = web.AppKey("doorway", Doorway)
