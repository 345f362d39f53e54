"""Work that would stop the event loop, in a helper process.

pycrdt holds the interpreter's lock for a whole call, so a thread would not help; and an update
that is meant to kill the decoder then kills the helper and nothing else. One process by default
(one core is the loop's), started at the first use, replaced when it dies.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from crdt import structure
from crdt.bounds import Bounds
from crdt.errors import UpdateError
from server.errors import Busy

log = logging.getLogger("plait.workers")

T = TypeVar("T")


class WorkerDied(Busy):
    """The helper process died over this piece of work, or was stopped for taking too long."""


def _prepare(memory_bytes: int) -> None:
    """In the helper: bound its memory and let interrupts be the parent's business."""
    import signal  # noqa: PLC0415 - only the helper needs it

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


class Workers:
    """Runs functions of modules in helper processes: `await workers.run(function, *arguments)`."""

    def __init__(self, *, processes: int, memory_bytes: int, timeout_s: float) -> None:
        self._processes = processes
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._pool: ProcessPoolExecutor | None = None
        self._free = asyncio.Semaphore(processes)
        """Work waits here, not in the pool: there its time would run while other work is done,
        and it would die with a helper that somebody else's update killed."""

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """The function's result; raises what it raised, or WorkerDied."""
        async with self._free:
            return await self._run(function, *arguments)

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        pool = self._pool
        if pool is None:
            pool = self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_prepare,
                initargs=(self._memory_bytes,),
            )
        try:
            async with asyncio.timeout(self._timeout_s):
                return await loop.run_in_executor(pool, function, *arguments)
        except BrokenProcessPool as error:
            self._replace(pool)
            raise WorkerDied("a helper process died") from error
        except TimeoutError as error:
            self._replace(pool)
            raise WorkerDied("a helper process took too long") from error
        except MemoryError as error:
            raise WorkerDied("a helper process ran out of memory") from error

    async def check(self, update: bytes, bounds: Bounds) -> None:
        """`structure.check` in a helper: an update that is made to kill the decoder kills that.

        Raises UpdateError.
        """
        try:
            reason = await self.run(_verdict, update, bounds)
        except WorkerDied:
            reason = "malformed"
        if reason is not None:
            raise UpdateError(reason)

    def _replace(self, pool: ProcessPoolExecutor) -> None:
        """Forget a pool whose process is dead or stuck; the next run starts another."""
        log.warning("a helper process is replaced")
        if self._pool is pool:
            self._pool = None
        _stop(pool)

    def close(self) -> None:
        """Stop the helpers."""
        if self._pool is not None:
            _stop(self._pool)
            self._pool = None


def _stop(pool: ProcessPoolExecutor) -> None:
    # The executor has no public way to stop a stuck process before Python 3.14.
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join(timeout=1)


def _verdict(update: bytes, bounds: Bounds) -> str | None:
    """In a helper process: why an update is refused, or None."""
    try:
        structure.check(update, bounds)
    except UpdateError as error:
        return error.reason
    return None
