"""Work that would stop the event loop, in a helper process.

pycrdt holds the interpreter's lock for a whole call, so a thread would not help; and an update
that is meant to kill the decoder then kills the helper and nothing else. One process by default
(one core is the loop's) and one for the background, each started at its first use.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import resource
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from crdt import structure
from crdt.bounds import Bounds
from crdt.errors import UpdateError
from server import heap
from server.errors import Busy
from storage import apart
from storage.compaction import compact

if TYPE_CHECKING:
    from uuid import UUID

    from storage.compaction import Compacted

log = logging.getLogger("plait.workers")

T = TypeVar("T")
_BACKGROUND_NICE = 10
_THREAD_BYTES = 256 * 1024


class WorkerDied(Busy):
    """The helper process died over this piece of work, or was stopped for taking too long."""


def _prepare(memory_bytes: int, nice: int) -> None:
    """In the helper: bound its memory, let interrupts be the parent's business, end with it."""
    import signal  # noqa: PLC0415 - only the helper needs it

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    os.nice(nice)
    threading.stack_size(_THREAD_BYTES)  # The default is the stack that pycrdt may need.
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed says nothing, and the helper would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class Workers:
    """Runs functions of modules in helper processes: `await workers.run(function, *arguments)`.

    What somebody waits for and what nobody waits for (`in_background`) have helpers of their own,
    so that a compaction holds up no editor. Each helper is one process that does one thing at a
    time: when it dies it is known over what.
    """

    def __init__(
        self, *, processes: int, memory_bytes: int, timeout_s: float, dsn: str = ""
    ) -> None:
        """`dsn`: the database, for work that helpers do at the store by themselves."""
        self._timeout_s = timeout_s
        self._dsn = dsn
        self._front = _Helpers(processes, partial(_prepare, memory_bytes, 0))
        self._back = _Helpers(1, partial(_prepare, memory_bytes, _BACKGROUND_NICE))

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """The function's result; raises what it raised, or WorkerDied."""
        return await self._run(self._front, function, *arguments)

    async def in_background(self, function: Callable[..., T], *arguments: object) -> T:
        """Like `run`, for work that nobody waits for; other processes go before it."""
        return await self._run(self._back, function, *arguments)

    async def over(
        self, document: UUID, function: Callable[..., T], *arguments: object
    ) -> tuple[T, int]:
        """`function(rows, *arguments)` of a document as it is stored, and its last row.

        What is stored does not come into this process. Raises Unavailable, LogBroken and
        UnknownDocument, too.
        """
        return await self.run(apart.run, self._dsn, apart.over, document, function, *arguments)

    async def compact(self, document: UUID, keep_all_s: float) -> Compacted | None:
        """`storage.compaction.Compactor.compact`, in the background and in that process whole."""
        return await self.in_background(apart.run, self._dsn, compact, document, keep_all_s)

    async def _run(self, helpers: _Helpers, function: Callable[..., T], *arguments: object) -> T:
        async with helpers.one() as helper:
            try:
                return await helper.do(function, arguments, self._timeout_s)
            except BrokenProcessPool:
                # It may have been killed from outside, or for memory that others took: once more.
                log.warning("a helper process died; its work is tried once more")
            try:
                return await helper.do(function, arguments, self._timeout_s)
            except BrokenProcessPool as error:
                raise WorkerDied("a helper process died twice over the same work") from error

    async def check(self, update: bytes, bounds: Bounds) -> None:
        """`structure.check` in a helper: an update that is made to kill the decoder kills that.

        Raises UpdateError, or Busy where no helper can be started: then it was not looked at.
        """
        try:
            reason = await self.run(_verdict, update, bounds)
        except WorkerDied:
            reason = "malformed"
        if reason is not None:
            raise UpdateError(reason)

    def close(self) -> None:
        """Stop the helpers."""
        for helpers in (self._front, self._back):
            helpers.close()


class _Helpers:
    """Some helpers of one kind, and the work that waits for one of them to be free.

    It waits here and not in the helper, where its time would run while other work is done.
    """

    def __init__(self, count: int, prepare: Callable[[], None]) -> None:
        self._all = [_Helper(prepare) for _ in range(count)]
        self._idle = list(self._all)
        self._free = asyncio.Semaphore(count)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[_Helper]:
        """A helper of one's own; the one that worked last, so that few are ever started."""
        async with self._free:
            helper = self._idle.pop()
            try:
                yield helper
            finally:
                self._idle.append(helper)

    def close(self) -> None:
        """Stop all of them."""
        for helper in self._all:
            helper.stop()


class _Helper:
    """One helper process: started at its first use, replaced when it dies or is stuck."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        self._prepare = prepare
        self._pool: ProcessPoolExecutor | None = None

    async def do(self, function: Callable[..., T], arguments: Sequence[object], most_s: float) -> T:
        """Run it there. Raises BrokenProcessPool if the process died, WorkerDied, Busy."""
        try:
            async with asyncio.timeout(most_s):
                return await self._submit(partial(_then_trim, function, *arguments))
        except BrokenProcessPool:
            self.stop()
            raise
        except TimeoutError as error:
            log.warning("a helper process took too long and is replaced")
            self.stop()
            raise WorkerDied("a helper process took too long") from error
        except asyncio.CancelledError:
            self.stop()  # Whoever is next must not wait for work that nobody wants any more.
            raise
        except MemoryError as error:
            raise WorkerDied("a helper process ran out of memory") from error

    def _submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Hand work over. Raises Busy where the machine lets us start no process."""
        try:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    1, mp_context=multiprocessing.get_context("spawn"), initializer=self._prepare
                )
            return asyncio.get_running_loop().run_in_executor(self._pool, work)
        except (OSError, RuntimeError) as error:
            if isinstance(error, BrokenProcessPool):
                raise
            self.stop()
            raise Busy("no helper process can be started") from error

    def stop(self) -> None:
        """End the process; the next piece of work starts another."""
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


def _then_trim(function: Callable[..., T], *arguments: object) -> T:
    """In the helper: it does not go on weighing what its largest document weighed."""
    try:
        return function(*arguments)
    finally:
        heap.trim()


def _verdict(update: bytes, bounds: Bounds) -> str | None:
    """In a helper process: why an update is refused, or None."""
    try:
        structure.check(update, bounds)
    except UpdateError as error:
        return error.reason
    return None
