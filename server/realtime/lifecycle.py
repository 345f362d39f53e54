"""The realtime side over time: the sweep of all deadlines, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from server import heap
from server.pace import until_next
from server.realtime import crowding
from server.realtime.codes import RESTART
from server.realtime.connection import LOOK_EVERY

if TYPE_CHECKING:
    from server.metrics import Metrics
    from server.realtime.connection import Connection
    from server.realtime.register import Realtime

log = logging.getLogger("plait.realtime")


def show_in(realtime: Realtime, metrics: Metrics) -> None:
    """Have the sockets' numbers read when somebody asks for metrics."""
    connections, turns = realtime.connections, realtime.turns
    metrics.counter("bytes_out", "Bytes written to sockets", lambda: turns.bytes_out)
    metrics.counter("writes", "Writes to sockets", lambda: turns.writes)
    metrics.gauge("tasks", "Tasks of the event loop", lambda: len(asyncio.all_tasks()))
    metrics.gauge("connections_open", "Open sockets", lambda: len(connections))
    metrics.gauge(
        "connections_blocked",
        "Sockets whose reader is slow",
        lambda: sum(each.outbox.blocked for each in connections),
    )
    metrics.gauge(
        "outbox_bytes",
        "Bytes that wait for slow readers",
        lambda: sum(each.outbox.depth for each in connections),
    )


class Sweeper:
    """One timer for all rooms and connections, instead of one timer each."""

    def __init__(self, realtime: Realtime) -> None:
        self._realtime = realtime
        self._task: asyncio.Task[None] | None = None
        self._round = 0
        self._tidy = heap.Tidy(self._tables)

    def start(self) -> None:
        """Begin to sweep."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(until_next(self._realtime.settings.sweep_s, clock()))
            try:
                self.sweep()
                await self._tidy.look(self._held())
            except Exception:
                # An outermost loop: the next sweep must come whatever this one met.
                log.exception("a sweep failed")

    def _held(self) -> int:
        """How much of what takes memory there is."""
        realtime = self._realtime
        return len(realtime.connections) + len(realtime.documents.rooms())

    def _tables(self) -> list[dict[Any, Any] | set[Any]]:
        """What grows with them."""
        return [self._realtime.connections, *self._realtime.documents.tables()]

    def sweep(self) -> None:
        """Look at every deadline that may be over."""
        realtime = self._realtime
        now = realtime.turns.clock()
        realtime.documents.sweep(now)
        realtime.documents.guard.sweep()
        crowding.relieve(realtime)
        self._round = (self._round + 1) % LOOK_EVERY
        for connection in list(realtime.connections):
            if connection.outbox.blocked or id(connection) // 64 % LOOK_EVERY == self._round:
                connection.check_alive(now)


async def drain(realtime: Realtime, grace_s: float) -> None:
    """No new joins; commits flushed; sockets closed with 1012, spread over the grace period.

    Clients that were told 1012 come back by themselves; spreading them keeps the next process
    from meeting all of them in one second.
    """
    realtime.draining = True
    flusher = realtime.documents.flusher
    await flusher.drain(max(grace_s, 1.0))
    connections = list(realtime.connections)
    pause = min(grace_s / max(len(connections), 1), 0.05)
    for number, connection in enumerate(connections):
        connection.close(RESTART, "restarting")
        if number % 20 == 19:
            await asyncio.sleep(pause * 20)
    await _gone(connections)
    await flusher.drain(max(grace_s, 1.0))


async def _gone(connections: list[Connection]) -> None:
    """Wait a moment for the peers' own close frames, then cut what is left."""
    for _ in range(20):
        if all(connection.transport.is_closing() for connection in connections):
            await asyncio.sleep(0)
            break
        await asyncio.sleep(0.05)
    for connection in connections:
        if connection in connection.realtime.connections:
            connection.transport.abort()
    await asyncio.sleep(0)
