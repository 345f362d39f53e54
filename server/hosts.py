"""Under which names this server is reached, and from where a request really comes.

Links are made from the settings, never from a request's `Host`, and a request for a host that is
not ours is refused: without that, a page on the web could have its own name point to a server on
the reader's machine and speak to it (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import web

from server.errors import WrongHost
from server.settings import Settings

_FORWARDED = (
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
    "Via",
)


class Hosts:
    """The hosts of one server, its public URL and the proxies that it believes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._trusted = [
            ipaddress.ip_network(text, strict=False) for text in settings.trusted_proxies
        ]
        self._names = {"localhost", settings.host.lower()}
        self.public_url = ""
        """Where the world reaches this server, without a slash at the end."""
        self.sites_url = ""
        """Where it reaches published sites: another origin, likewise."""
        self.listening_on(settings.port)

    def listening_on(self, port: int) -> None:
        """Tell which port was bound, where the settings left that to the system."""
        host = self._settings.host
        if host in {"0.0.0.0", "::", ""}:  # noqa: S104 (compared, not bound)
            host = "localhost"
        shown = f"[{host}]" if ":" in host else host
        self.public_url = (self._settings.public_url or f"http://{shown}:{port}").rstrip("/")
        self._names.add((urlsplit(self.public_url).hostname or "").lower())
        sites = self._settings.sites_url or f"http://sites.localhost:{port}"
        self.sites_url = sites.rstrip("/")

    def also(self, names: Iterable[str]) -> None:
        """Further hosts that answer: published sites, verified domains."""
        self._names.update(name.lower() for name in names)

    @property
    def origin(self) -> str:
        """The public URL as browsers write it into `Origin`: scheme, host and unusual port."""
        parts = urlsplit(self.public_url)
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = "" if parts.port in {None, usual} else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}"

    @property
    def websocket_url(self) -> str:
        """The public URL with the scheme of WebSockets."""
        return "ws" + self.public_url.removeprefix("http")

    def check(self, request: web.Request) -> None:
        """Raise WrongHost unless the request is for one of our hosts."""
        if not self.is_ours(request):
            raise WrongHost

    def is_ours(self, request: web.Request) -> bool:
        """Whether a request is for one of our hosts; published sites answer at others."""
        name = host_name(request.headers.get("Host", ""))
        if self.is_known(name):
            return True
        return _address(name) is not None and name == _bound_address(request)

    def is_known(self, name: str) -> bool:
        """Whether a name is one of ours wherever the server is bound."""
        if name in self._names:
            return True
        address = _address(name)
        return address is not None and address.is_loopback

    def remote(self, request: web.BaseRequest) -> str:
        """The address of the client, through as many trusted proxies as there are."""
        return self.remote_of(_peer_address(request), request.headers.getall("X-Forwarded-For", []))

    def remote_of(self, peer: str, given: Iterable[str]) -> str:
        """The same of a peer and what it forwarded."""
        hops = [hop.strip() for header in given for hop in header.split(",")]
        while hops and self._is_trusted(peer):
            hop = _address(hops.pop().strip("[]"))
            if hop is None:
                break
            peer = str(hop)
        return peer

    def is_local(self, request: web.Request) -> bool:
        """Whether the request came straight from this machine, to a server for this machine only.

        Anything that was forwarded is not local, whoever forwarded it.
        """
        address = _address(_peer_address(request))
        return (
            self._settings.is_loopback()
            and address is not None
            and address.is_loopback
            and not any(name in request.headers for name in _FORWARDED)
        )

    def is_proxy(self, peer: str) -> bool:
        """Whether an address is a proxy that the settings name."""
        return self._is_trusted(peer)

    def _is_trusted(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._trusted)


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


@lru_cache(maxsize=10_000)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # On a dual-stack socket IPv4 peers appear as ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address


def _peer_address(request: web.BaseRequest) -> str:
    peer = request.get_extra_info("peername")
    # A unix socket has no address; whoever may open it is as good as local, but not loopback.
    return str(peer[0]) if isinstance(peer, tuple) else ""


def _bound_address(request: web.Request) -> str:
    bound = request.get_extra_info("sockname")
    address = _address(str(bound[0])) if isinstance(bound, tuple) else None
    return str(address)


HOSTS = web.AppKey("hosts", Hosts)

OF_SITES = web.RequestKey("of published sites", bool)
"""Set where a request is for published sites: no route of ours has a say in its answer."""
