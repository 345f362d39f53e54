"""The server as its administrators watch it: counters, the time of commits, slow readers, jobs.

Rates are for the reader to make: every counter only grows, and comes with the time of the reply.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from server import __version__
from server.adapter import ADMINISTRATOR, Routes
from server.http import reply
from server.inspecting.inspector import NODE
from server.metrics import METRICS
from server.realtime.register import REALTIME
from storage.jobs import Job, Jobs
from storage.statistics import LATENCY_BOUNDS_S
from storage.totals import Totals, totals

if TYPE_CHECKING:
    from storage.pool import Pool

ROUTES = Routes(section="Overview")

SHOWN_MAX = 100
TOTALS_S = 15.0
"""Seconds for which the totals of the store are not counted again."""


class Commits(msgspec.Struct, kw_only=True):
    """Commits of the update log since the start, by the time that they took."""

    bounds_s: list[float]
    """Upper bounds of the first buckets; the last bucket has the rest."""
    counts: list[int]
    seconds: float
    """Of all together."""


class Slow(msgspec.Struct, kw_only=True):
    """A connection whose reader does not keep up."""

    remote: str
    dialect: str
    connected_s: float
    waiting_bytes: int


class JobShown(msgspec.Struct, kw_only=True):
    """A job that waits or is worked on."""

    id: str
    kind: str
    state: str
    account: str
    target: str
    counts: dict[str, int]
    created_at: str


class Overview(msgspec.Struct, kw_only=True):
    """Reply of GET /api/admin/overview."""

    success: bool
    node: str
    """Which process answered; counters, connections and slow readers are its own."""
    version: str
    at: float
    """Epoch seconds."""
    counters: dict[str, Any]
    """As `diagnostics.realtime` of /api/health."""
    commits: Commits | None
    slow: list[Slow]
    jobs: list[JobShown]
    storage: Totals
    """Of the whole store, counted in the last seconds."""


class Watching:
    """What the overview asks the store, and its last totals."""

    def __init__(self, pool: Pool) -> None:
        self.jobs = Jobs(pool)
        self._pool = pool
        self._counted: tuple[float, Totals] | None = None

    async def totals(self, now: float) -> Totals:
        """The totals, not older than some seconds. Raises Unavailable."""
        if self._counted is None or now - self._counted[0] > TOTALS_S:
            self._counted = now, await totals(self._pool)
        return self._counted[1]


WATCHING = web.AppKey("watching", Watching)


@ROUTES.get("/api/admin/overview", access=ADMINISTRATOR, reply=Overview)
async def overview(request: web.Request) -> web.Response:
    """What this node does now, and what is stored in all."""
    metrics, watching, now = request.app[METRICS], request.app[WATCHING], time.monotonic()
    flusher = metrics.flusher
    stats = None if flusher is None else flusher.statistics
    told = Overview(
        success=True,
        node=NODE,
        version=__version__,
        at=time.time(),
        counters=metrics.snapshot(),
        commits=None
        if stats is None
        else Commits(
            bounds_s=list(LATENCY_BOUNDS_S),
            counts=list(stats.latency_buckets),
            seconds=stats.latency_s,
        ),
        slow=_slow(request.app, now),
        jobs=[_job(job) for job in await watching.jobs.all_under_way(SHOWN_MAX)],
        storage=await watching.totals(now),
    )
    return reply(told, headers={"Cache-Control": "no-store"})


def _slow(app: web.Application, now: float) -> list[Slow]:
    """Connections with a full outbox, the fullest first."""
    realtime = app[REALTIME]
    found = [
        Slow(
            remote=str(connection.remote),
            dialect=getattr(connection, "dialect", ""),
            connected_s=round(now - connection.opened_at, 3),
            waiting_bytes=connection.outbox.depth,
        )
        for connection in realtime.connections
        if connection.outbox.blocked
    ]
    return sorted(found, key=lambda one: -one.waiting_bytes)[:SHOWN_MAX]


def _job(job: Job) -> JobShown:
    return JobShown(
        id=job.id,
        kind=job.kind,
        state=job.state,
        account=job.account,
        target=job.target,
        counts=job.counts,
        created_at=job.created_at.isoformat(),
    )
