"""HTTP connections that only cost: nothing said, nothing read, or too many of one address.

aiohttp waits without end for the first request of a connection, for the rest of its head, and for a
reader that takes nothing of its answer. So each second all connections are looked at, and those
whose time is over are cut. WebSockets have left these books by then and have watches of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from server.limits import network_of
from server.pace import until_next

if TYPE_CHECKING:
    from server.hosts import Hosts
    from server.metrics import Metrics
    from server.realtime.arriving import Front
    from server.settings import Settings

log = logging.getLogger("plait.http")


class _Seen:
    """What was last seen of a connection, and since when nothing of it has changed."""

    __slots__ = ("requests", "since", "waiting")

    def __init__(self, now: float) -> None:
        self.since = now
        self.requests = 0
        self.waiting = 0


class Warden:
    """Looks at every HTTP connection of a server once in a while."""

    def __init__(self, front: Front, settings: Settings, hosts: Hosts, metrics: Metrics) -> None:
        self._front = front
        self._settings = settings
        self._hosts = hosts
        self._metrics = metrics
        self._seen: dict[Any, _Seen] = {}
        self._task: asyncio.Task[None] | None = None
        metrics.gauge("http_connections", "Open HTTP connections", lambda: len(self._open()))

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="warden")

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(until_next(self._settings.sweep_s, clock()))
            try:
                self.look(clock())
            except Exception:
                # An outermost loop: the next look must come whatever this one met.
                log.exception("HTTP connections were not looked at")

    def look(self, now: float) -> None:
        """Cut every connection whose time is over or that is one too many."""
        seen: dict[Any, _Seen] = {}
        counts: Counter[str] = Counter()
        most = self._settings.http_connections_per_address_max
        for connection in self._open():
            transport = connection.transport
            if transport is None or transport.is_closing():
                continue
            known = seen[connection] = self._seen.get(connection) or _Seen(now)
            reason = self._over(connection, transport, known, now)
            address = self._address_of(transport)
            if address is not None:
                counts[address] += 1
                if counts[address] > most:
                    reason = "http-address-full"
            if reason is not None:
                self._metrics.refuse(reason)
                transport.abort()
        self._seen = seen

    def _open(self) -> list[Any]:
        """Those that have said nothing yet, and those that are aiohttp's."""
        return [*self._front.silent, *self._front.server.connections]

    def _over(
        self,
        connection: Any,  # noqa: ANN401  aiohttp's protocol
        transport: asyncio.Transport,
        known: _Seen,
        now: float,
    ) -> str | None:
        """Why a connection is to be cut, if it is."""
        # Of aiohttp's own books, as it has no public ones: how many requests came whole, and
        # whether one is worked on.
        requests: int = connection._request_count  # noqa: SLF001
        is_waiting = connection._waiter is not None  # noqa: SLF001
        waiting = transport.get_write_buffer_size()
        if (
            requests != known.requests
            or (waiting and waiting < known.waiting)
            or (not known.waiting and waiting)
        ):
            known.since = now
        known.requests, known.waiting = requests, waiting
        quiet_s = now - known.since
        if is_waiting and not requests and quiet_s > self._settings.request_head_s:
            return "http-slow-head"
        if waiting and quiet_s > self._settings.transfer_stuck_s:
            return "http-stuck-reader"
        return None

    def _address_of(self, transport: asyncio.Transport) -> str | None:
        """What counts as the peer; None for a proxy, behind which many may be."""
        peer = transport.get_extra_info("peername")
        if not isinstance(peer, tuple) or self._hosts.is_proxy(str(peer[0])):
            return None
        return network_of(str(peer[0]))
