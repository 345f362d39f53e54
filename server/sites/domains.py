"""Domains of sites: what DNS says of one, and whose it is.

Who wants a domain for a site puts a TXT record there that names the site; once it has been seen the
domain is that site's, until another site's record stands there instead. A domain shows the site
once its address leads here, too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from server.sites.names import is_domain

if TYPE_CHECKING:
    from server.hosts import Hosts
    from server.settings import Settings
    from server.sites.resolving import Resolver
    from storage.sites import Site, Sites

TXT_LABEL = "_flowershow"
"""Under which label of a domain its TXT record stands."""
_SHOWN_MAX = 10


class Status(StrEnum):
    """How a domain is configured."""

    VALID = "Valid Configuration"
    PENDING = "Pending Verification"
    INVALID = "Invalid Configuration"
    NOT_FOUND = "Domain Not Found"
    UNKNOWN = "Unknown Error"


class Wanted(msgspec.Struct, frozen=True):
    """A DNS record that is still to be made."""

    type: str
    name: str
    value: str
    reason: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a domain."""

    status: Status
    site: Site | None = None
    """Whose it is, or who wanted it first."""
    wanted: Sequence[Wanted] = ()


def txt_value(site: Site) -> str:
    """What the TXT record of a site's domain must say."""
    return f"flowershow-site={site.domain_token}"


def apex_of(domain: str) -> str:
    """The part of a domain that its owner has registered, as far as its labels tell."""
    labels = domain.split(".")
    is_second = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND
    return ".".join(labels[-3:] if is_second else labels[-2:])


_SECOND = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})


class Domains:
    """Asks DNS, and remembers whose a domain is. Methods may raise Unavailable."""

    def __init__(self, settings: Settings, hosts: Hosts, store: Sites) -> None:
        self._settings = settings
        self._hosts = hosts
        self._store = store
        self._resolver: Resolver | None = None

    async def verify(self, domain: str, now: datetime) -> Verdict:
        """Look at a domain as it is now."""
        from server.sites.resolving import Resolver, Unanswered  # noqa: PLC0415  slow to import

        wishing = await self._store.wishing(domain) if is_domain(domain) else []
        if not wishing:
            return Verdict(status=Status.NOT_FOUND)
        shown = next((site for site in wishing if site.own_domain), wishing[0])
        try:
            if self._resolver is None:  # Made only now, for it may read the system's settings.
                servers, timeout_s = self._settings.dns_servers, self._settings.dns_timeout_s
                self._resolver = Resolver(servers, timeout_s=timeout_s)
            said = await self._resolver.texts(f"{TXT_LABEL}.{domain}")
            owner = await self._settle(wishing, said, now)
            if owner is None:
                return Verdict(status=Status.PENDING, site=shown, wanted=_wanted(domain, wishing))
            leads = self._leads_here(await self._resolver.addresses(domain, self.target))
        except Unanswered:
            return Verdict(status=Status.UNKNOWN, site=shown)
        if leads:
            return Verdict(status=Status.VALID, site=owner)
        return Verdict(status=Status.INVALID, site=owner, wanted=self._address(domain))

    async def _settle(self, wishing: list[Site], said: set[str], now: datetime) -> Site | None:
        """Whose the domain is, by what its records say and by what was seen before."""
        present = next((site for site in wishing if site.own_domain), None)
        named = [site for site in wishing if txt_value(site) in said]
        if present is not None and (present in named or not named):
            return present
        if not named:
            return None
        if present is not None:
            await self._store.change(present.id, {"domain_verified_at": None}, quiet=True)
        await self._store.change(named[0].id, {"domain_verified_at": now}, quiet=True)
        return await self._store.by_id(named[0].id)

    @property
    def target(self) -> str:
        """The host that domains are to point to."""
        return self._settings.domain_target or urlsplit(self._hosts.sites_url).hostname or ""

    def _leads_here(self, addresses: set[str] | None) -> bool:
        """Whether a domain's name or addresses are ours."""
        ours = _addresses(self._settings.domain_addresses)
        return addresses is None or not _addresses(addresses).isdisjoint(ours)

    def _address(self, domain: str) -> list[Wanted]:
        reason = "the domain does not lead here"
        if domain == apex_of(domain):
            addresses = self._settings.domain_addresses
            kinds = ["AAAA" if ":" in each else "A" for each in addresses]
            found = [Wanted(k, domain, a, reason) for k, a in zip(kinds, addresses, strict=True)]
            if found:
                return found
        return [Wanted("CNAME", domain, self.target, reason)]


def _wanted(domain: str, wishing: list[Site]) -> list[Wanted]:
    reason = "pending_domain_verification"
    return [
        Wanted("TXT", f"{TXT_LABEL}.{domain}", txt_value(site), reason)
        for site in wishing[:_SHOWN_MAX]
    ]


def _addresses(texts: Iterable[str]) -> set[object]:
    return {ipaddress.ip_address(text) for text in texts}
