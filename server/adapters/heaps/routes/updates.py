"""/api/ws: the older WebSocket, on which the progress of scans is told as JSON text frames.

A listener is told of its own account's jobs and of those in workspaces that it may read; of each
job the newest word only, so that a slow reader costs nothing. What it sends is not listened to.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from aiohttp import WSCloseCode, web

from auth.principal import Role
from server.adapter import principal_of
from server.adapters.heaps import mapping_scans as mapping
from server.adapters.heaps import schema_scans as schema
from server.adapters.heaps.policy import READ
from server.adapters.heaps.routes.scans import scopes_of
from server.describe import Reply
from server.errors import Busy
from server.identify import IDENTIFY
from server.rights import RIGHTS
from server.routing import Routes
from server.scanning.desk import DESK, Desk

if TYPE_CHECKING:
    from auth.principal import Principal
    from server.notices import Notices
    from storage.jobs import Job

ROUTES = Routes("Sync and realtime")

_LISTEN = replace(READ, query_token=True)
_LOOK_S = 2.0
"""Seconds between two looks whether the listener may still listen."""
_STUCK_S = 10.0
_UNAUTHORIZED = 4401


@ROUTES.get(
    "/api/ws",
    access=_LISTEN,
    replies={101: Reply(schema.JobNotice, about="Text frames, one JobNotice each.")},
    errors=(426,),
    deprecated=True,
)
async def updates(request: web.Request) -> web.StreamResponse:
    """Hear of scans: JSON text frames, one for each piece of news.

    Deprecated by the API's page in favour of /ws, whose notices tell the same.
    """
    socket = web.WebSocketResponse(heartbeat=20, compress=False, max_msg_size=4096)
    if not socket.can_prepare(request):
        raise web.HTTPUpgradeRequired(
            text="this address speaks WebSocket", headers={"Upgrade": "websocket"}
        )
    listeners = request.app[LISTENERS]
    if len(listeners.open) >= request.app[DESK].listeners_max:
        raise Busy("too many listen")
    scopes = await scopes_of(request)
    await socket.prepare(request)
    await _Listening(request, socket, scopes).go()
    return socket


class Listeners:
    """The sockets of this process; they end before it does."""

    def __init__(self) -> None:
        self.open: set[web.WebSocketResponse] = set()

    async def close(self, app: web.Application) -> None:
        """Tell all that the server restarts."""
        del app
        for socket in list(self.open):
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(1):
                    await socket.close(code=WSCloseCode.SERVICE_RESTART, message=b"restarting")


LISTENERS = web.AppKey("scan listeners", Listeners)


def setup(app: web.Application, notices: Notices) -> None:
    """Make room for listeners, and have notices on /ws tell of jobs as well."""
    listeners = app[LISTENERS] = Listeners()
    app.on_shutdown.append(listeners.close)
    app[DESK].jobs.listen(lambda job: notices.say(job.scope, mapping.notice(job)))


class _Listening:
    """One socket from its handshake to its end."""

    def __init__(
        self, request: web.Request, socket: web.WebSocketResponse, scopes: list[str]
    ) -> None:
        self._app = request.app
        self._desk: Desk = request.app[DESK]
        self._request = request
        self._socket = socket
        self._principal: Principal = principal_of(request)
        self._scopes = scopes
        self._waiting: dict[str, Job] = {}
        self._stirred = asyncio.Event()

    async def go(self) -> None:
        self._app[LISTENERS].open.add(self._socket)
        end = self._desk.jobs.listen(self._heard)
        account = self._principal.account
        telling = asyncio.get_running_loop().create_task(self._tell_on())
        try:
            jobs = self._desk.jobs.store
            for job in await jobs.under_way(["scan"], account, self._scopes, 100):
                self._heard(job)
            async for _ in self._socket:
                pass
        finally:
            end()
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
            self._app[LISTENERS].open.discard(self._socket)

    def _heard(self, job: Job) -> None:
        """The newest word about a job replaces the one that was not said yet."""
        if job.account == self._principal.account or len(self._waiting) < 1000:
            self._waiting[job.id] = job
            self._stirred.set()

    async def _tell_on(self) -> None:
        while not self._socket.closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._stirred.wait()
            self._stirred.clear()
            if not await self._app[IDENTIFY].holds(self._principal) or self._is_expired():
                await self._socket.close(code=_UNAUTHORIZED, message=b"unauthorized")
                return
            waiting, self._waiting = self._waiting, {}
            for job in waiting.values():
                if await self._may_hear(job) and not await self._say(job):
                    return

    async def _may_hear(self, job: Job) -> bool:
        role = await self._app[RIGHTS].role_in(self._principal.account, job.scope)
        return min(role, self._principal.role_max) >= Role.VIEWER

    async def _say(self, job: Job) -> bool:
        text = msgspec.json.encode(mapping.notice(job)).decode()
        try:
            async with asyncio.timeout(_STUCK_S):
                await self._socket.send_str(text)
        except (TimeoutError, ConnectionError):
            if self._request.transport is not None:
                self._request.transport.abort()
            return False
        return True

    def _is_expired(self) -> bool:
        return self._principal.is_expired(time.time())
