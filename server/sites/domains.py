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

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import msgspec
from dns.nameserver import Do53Nameserver

from server.sites.names import is_domain

if TYPE_CHECKING:
    from server.hosts import Hosts
    from server.settings import Settings
    from storage.sites import Site, Sites

TXT_LABEL = "_flowershow"
"""Under which label of a domain its TXT record stands."""
_SHOWN_MAX = 10
_PORT = 53


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


class _DnsError(Exception):
    """DNS did not answer, or not sensibly."""


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
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def verify(self, domain: str, now: datetime) -> Verdict:
        """Look at a domain as it is now."""
        wishing = await self._store.wishing(domain) if is_domain(domain) else []
        if not wishing:
            return Verdict(status=Status.NOT_FOUND)
        shown = next((site for site in wishing if site.own_domain), wishing[0])
        try:
            said = await self._texts(f"{TXT_LABEL}.{domain}")
            owner = await self._settle(wishing, said, now)
            if owner is None:
                return Verdict(status=Status.PENDING, site=shown, wanted=_wanted(domain, wishing))
            leads = await self._leads_here(domain)
        except _DnsError:
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

    async def _leads_here(self, domain: str) -> bool:
        """Whether a domain's name or addresses are ours."""
        target = dns.name.from_text(self.target)
        found: set[str] = set()
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            answer = await self._ask(domain, kind)
            if answer is None:
                continue
            if answer.canonical_name == target:
                return True
            found |= {rdata.to_text() for rdata in answer.rrset or ()}
        alias = await self._ask(domain, dns.rdatatype.CNAME)
        if alias is not None and any(rdata.target == target for rdata in alias.rrset or ()):
            return True
        return not _addresses(found).isdisjoint(_addresses(self._settings.domain_addresses))

    async def _texts(self, name: str) -> set[str]:
        answer = await self._ask(name, dns.rdatatype.TXT)
        if answer is None:
            return set()
        return {b"".join(rdata.strings).decode("utf-8", "replace") for rdata in answer.rrset or ()}

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer | None:
        """The records of a name; None where there are none. Raises _DnsError."""
        try:
            return await self._asked().resolve(
                name, kind, search=False, lifetime=self._settings.dns_timeout_s
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise _DnsError(str(error)) from error

    def _asked(self) -> dns.asyncresolver.Resolver:
        """The resolver; made when it is first needed, for it may read the system's settings."""
        if self._resolver is None:
            servers = [_server(text) for text in self._settings.dns_servers]
            resolver = dns.asyncresolver.Resolver(configure=not servers)
            if servers:
                resolver.nameservers = servers
            self._resolver = resolver
        return self._resolver

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


def _server(text: str) -> Do53Nameserver:
    """A server's address, with a port or without."""
    host, colon, port = text.rpartition(":")
    if colon and host and (":" not in host or host.startswith("[")):
        return Do53Nameserver(host.strip("[]"), int(port))
    return Do53Nameserver(text.strip("[]"), _PORT)
