"""Looks after the server processes of one machine: they serve, it only starts, watches and stops.

SIGTERM and SIGINT stop all of them, each draining its own connections; SIGHUP starts them anew, one
after the other, so that there is always somebody who serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from server.binding import StartError
from server.supervising.port import Reserved
from server.supervising.worker import Worker
from storage.cluster import EmbeddedError
from storage.postgres import Embedded

if TYPE_CHECKING:
    from server.settings import Settings

log = logging.getLogger("plait.supervisor")

PAUSE_S, PAUSE_S_MAX = 0.1, 5.0
STEADY_S = 10.0
"""A worker that lived this long did start well: it is started again at once."""
SPARE_CONNECTIONS = 20
"""Of the embedded database: its own, and an administrator's."""


class Supervisor:
    """As one server: `await start()`, read `address`, `await stop()`."""

    def __init__(self, settings: Settings, arguments: Sequence[str]) -> None:
        self._settings = settings
        self._arguments = list(arguments)
        self._embedded: Embedded | None = None
        self._port: Reserved | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._restarting: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.workers: list[Worker] = []

    @property
    def address(self) -> str:
        """http://HOST:PORT of all."""
        assert self._port is not None
        host = self._settings.host
        return (
            f"http://[{host}]:{self._port.number}"
            if ":" in host
            else (f"http://{host}:{self._port.number}")
        )

    async def start(self) -> None:
        """Start the database where it is ours, and all workers; returns once all are ready.

        Raises StartError; a worker that cannot start is one.
        """
        settings = self._settings
        self._port = Reserved(settings.host, settings.port)
        dsn = settings.database_url or await self._database()
        for number in range(settings.workers):
            self.workers.append(Worker(number, self._own(number), {"PLAIT_DATABASE_URL": dsn}))
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.restart)
        first, *others = self.workers
        # The first alone: it migrates the database and makes the keys.
        await self._begin(loop.create_task(self._keep(first), name="worker 0"), first)
        self._tasks += [
            loop.create_task(self._keep(worker), name=f"worker {worker.number}")
            for worker in others
        ]
        for task, worker in zip(self._tasks[1:], others, strict=True):
            await self._ready(task, worker)

    async def _begin(self, task: asyncio.Task[None], worker: Worker) -> None:
        self._tasks.append(task)
        await self._ready(task, worker)

    @staticmethod
    async def _ready(task: asyncio.Task[None], worker: Worker) -> None:
        ready = asyncio.ensure_future(worker.ready.wait())
        await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            await task

    def _own(self, number: int) -> list[str]:
        """What a worker is told beside what this process was told; the last word counts."""
        settings = self._settings
        assert self._port is not None
        own = ["--workers", "1", "--port", str(self._port.number), "--share-port", "true"]
        own += ["--bus", settings.bus or "notify"]
        if settings.metrics_port:
            own += ["--metrics-port", str(settings.metrics_port + number)]
        return [*self._arguments, *own]

    async def _database(self) -> str:
        settings = self._settings
        each = settings.database_connections_max + 8
        connections = SPARE_CONNECTIONS + settings.workers * each
        embedded = self._embedded = Embedded(
            Path(settings.data), options={"max_connections": str(connections)}
        )
        try:
            await embedded.start()
        except EmbeddedError as error:
            raise StartError(str(error)) from error
        return embedded.dsn

    # -- while it runs ------------------------------------------------------------------

    def restart(self) -> None:
        """Start the workers anew, one after the other."""
        if self._restarting is None or self._restarting.done():
            self._restarting = asyncio.get_running_loop().create_task(self._restart())

    async def _restart(self) -> None:
        for worker in self.workers:
            log.info("worker %d is started anew", worker.number)
            worker.ready.clear()
            worker.tell(signal.SIGTERM)
            await worker.ready.wait()

    async def _keep(self, worker: Worker) -> None:
        """Start it again whenever it ends, until told to stop."""
        pause_s = PAUSE_S
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            code = await worker.run()
            if self._stopping.is_set():
                return
            if not worker.has_served:
                raise EmbeddedError("a worker could not start; it says why above")
            lived_s = loop.time() - started
            pause_s = PAUSE_S if lived_s > STEADY_S else min(2 * pause_s, PAUSE_S_MAX)
            if code:
                log.error("worker %d ended (%d) after %.1f s", worker.number, code, lived_s)
                await asyncio.sleep(pause_s)

    async def stop(self) -> None:
        """All workers drain and end; then the database."""
        self._stopping.set()
        if self._restarting is not None:
            self._restarting.cancel()
        for worker in self.workers:
            worker.tell(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(4 * self._settings.shutdown_grace_s + 30):
                await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self.workers:
            worker.tell(signal.SIGKILL)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._embedded is not None:
            await self._embedded.stop()
        if self._port is not None:
            self._port.close()
