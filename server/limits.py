"""How often one address may ask: a bucket of tokens for each, in bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from aiohttp import web

from server.errors import TooManyRequests

ADDRESSES_MAX = 10_000
"""Addresses remembered per limit; the one seen longest ago is forgotten first."""


class Limit:
    """So many requests in a window, of a minute mostly; the first window's may come at once."""

    def __init__(
        self, per_window: int, clock: Callable[[], float], *, window_s: float = 60
    ) -> None:
        assert per_window > 0
        self._most = float(per_window)
        self._per_s = per_window / window_s
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Count one request; raises TooManyRequests with the time until the next is allowed."""
        whole = network_of(address)
        now = self._clock()
        left, at = self._buckets.pop(whole, (self._most, now))
        left = min(self._most, left + max(0.0, now - at) * self._per_s)
        allowed = left >= 1
        self._buckets[whole] = (left - 1 if allowed else left, now)
        if len(self._buckets) > ADDRESSES_MAX:
            self._buckets.popitem(last=False)
        if not allowed:
            raise TooManyRequests((1 - left) / self._per_s)


@lru_cache(maxsize=ADDRESSES_MAX)
def network_of(address: str) -> str:
    """What counts as one address: a /64 of IPv6 is one household, and any of it can be used.

    A dual-stack socket gives IPv4 peers as ::ffff:192.0.2.1; each of those is one address.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False).network_address)
    return address


LIMITS = web.AppKey("limits", dict[str, Limit])
"""The limits by name; a route's policy says which one holds for it."""
