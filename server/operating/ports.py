"""To be reached from outside, and in the end to be left without losing anything."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from aiohttp import web

from server import operation
from server.binding import listen
from server.limits import LIMITS
from server.operating.probes import READINESS
from server.operating.warden import Warden
from server.realtime import lifecycle
from server.realtime.arriving import Front
from server.sites.serving.doorway import DOORWAY

if TYPE_CHECKING:
    from server.identity import Identity
    from server.realtime.register import Realtime
    from server.settings import Settings

log = logging.getLogger("plait")


class _Site(web.BaseSite):
    """The port of the server; whoever comes meets `front` first."""

    def __init__(self, runner: web.AppRunner, front: Front, settings: Settings) -> None:
        super().__init__(runner, backlog=4096)
        self._front = front
        self._settings = settings

    @property
    def name(self) -> str:
        """Where it is."""
        return f"http://{self._settings.host}:{self._settings.port}"

    async def start(self) -> None:
        """Take the port. Raises OSError."""
        await super().start()
        settings = self._settings
        self._server = await asyncio.get_running_loop().create_server(
            self._front,
            settings.host,
            settings.port,
            backlog=self._backlog,
            reuse_port=settings.share_port or None,
        )


async def open_ports(
    app: web.Application, realtime: Realtime, identity: Identity, stack: AsyncExitStack
) -> str:
    """Accept connections from now on, until `stack` is closed; http://HOST:PORT that is bound.

    Raises StartError.
    """
    settings = realtime.settings
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=settings.shutdown_grace_s,
        handle_signals=False,
        # Sockets have their own pings, requests their timeouts: two system calls saved each.
        tcp_keepalive=False,
        keepalive_timeout=settings.http_keepalive_s,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    assert runner.server is not None
    front = Front(
        runner.server,
        realtime,
        identity.hosts,
        app[LIMITS]["address"],
        may_claim=app[DOORWAY].may_claim,
        is_open=not settings.log_requests,
    )
    stack.callback(front.close)
    site = _Site(runner, front, settings)
    await listen(site, "host", settings.host, "port", settings.port)
    host, port = runner.addresses[0][:2]
    identity.hosts.listening_on(port)
    if settings.metrics_port is not None:
        await _listen_for_metrics(app, settings, stack)
    await identity.greet()
    warden = Warden(front, settings, identity.hosts, realtime.metrics)
    warden.start()
    stack.push_async_callback(warden.stop)
    sweeper = lifecycle.Sweeper(realtime)
    sweeper.start()
    stack.push_async_callback(sweeper.stop)
    stack.push_async_callback(lifecycle.drain, realtime, settings.shutdown_grace_s)
    stack.push_async_callback(site.stop)
    stack.push_async_callback(_turn_away, app, settings.shutdown_delay_s)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _turn_away(app: web.Application, delay_s: float) -> None:
    """Say that nobody new should come, and give those who ask for that time to hear it."""
    app[READINESS].draining = True
    if delay_s:
        log.info("not ready any more; connections are taken for %.0f s", delay_s)
        await asyncio.sleep(delay_s)


async def _listen_for_metrics(
    app: web.Application, settings: Settings, stack: AsyncExitStack
) -> None:
    """/metrics alone, without a token, where the operator says."""
    runner = await operation.apart(app)
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, settings.metrics_host, settings.metrics_port)
    place = settings.metrics_host, "metrics_port", settings.metrics_port
    await listen(site, "metrics_host", *place)
    host, port = runner.addresses[0][:2]
    log.info("metrics at http://%s:%s/metrics", host, port)
