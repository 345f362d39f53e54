"""Asks DNS. Slow to import, and most servers have no domain to look at: imported when one has."""

from __future__ import annotations

from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.nameserver import Do53Nameserver

_PORT = 53


class Unanswered(Exception):
    """DNS did not answer, or not sensibly."""


class Resolver:
    """Asks some servers, or those of the system where none is named. Raises Unanswered."""

    def __init__(self, servers: Sequence[str], *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
            if servers:
                self._resolver.nameservers = [_server(text) for text in servers]
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise Unanswered(str(error)) from error

    async def texts(self, name: str) -> set[str]:
        """What the TXT records of a name say."""
        answer = await self._ask(name, dns.rdatatype.TXT)
        if answer is None:
            return set()
        return {b"".join(rdata.strings).decode("utf-8", "replace") for rdata in answer.rrset or ()}

    async def addresses(self, domain: str, target: str) -> set[str] | None:
        """The addresses of a domain; None where its name stands for `target`."""
        name = dns.name.from_text(target)
        found: set[str] = set()
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            answer = await self._ask(domain, kind)
            if answer is None:
                continue
            if answer.canonical_name == name:
                return None
            found |= {rdata.to_text() for rdata in answer.rrset or ()}
        alias = await self._ask(domain, dns.rdatatype.CNAME)
        if alias is not None and any(rdata.target == name for rdata in alias.rrset or ()):
            return None
        return found

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer | None:
        """The records of a name; None where there are none."""
        try:
            return await self._resolver.resolve(name, kind, search=False, lifetime=self._timeout_s)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise Unanswered(str(error)) from error


def _server(text: str) -> Do53Nameserver:
    """A server's address, with a port or without."""
    host, colon, port = text.rpartition(":")
    if colon and host and (":" not in host or host.startswith("[")):
        return Do53Nameserver(host.strip("[]"), int(port))
    return Do53Nameserver(text.strip("[]"), _PORT)
