"""Who works on what: jobs begun, aborted, taken over after a crash, and told of while they run.

A node claims jobs from the database and says every few seconds that it lives; the jobs of one that
fell silent go to the next who asks. Progress is told to listeners on this node at once, and of jobs
on other nodes once a second, or a few where there are none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from crdt.ids import make_ulid
from server.errors import ApiError
from server.pace import until_next
from storage.errors import StorageError
from storage.jobs import OPEN, Job, NewJob
from storage.jobs import Jobs as Store

if TYPE_CHECKING:
    from storage.pool import Pool

log = logging.getLogger("plait.jobs")

LOOK_S, LOOK_S_MAX = 1.0, 4.0
"""Seconds between two looks for jobs of other nodes; the second while there are none."""
BEAT_S = 1.0
SILENT_S = 8.0
"""A node that said nothing for so long has lost its jobs."""
KEPT_S = 7 * 86_400.0
"""Seconds for which it is known how a job ended."""
TOLD_S = 0.2
"""Seconds between two words of progress of one job."""


class Aborted(Exception):
    """Somebody asked for the end of this job, or it is another node's by now."""


class JobFailed(Exception):
    """A job cannot go on; the message is for whoever began it."""


class Run:
    """A job that runs here: what it counts, and whether it is still wanted."""

    def __init__(self, job: Job, tell: Callable[[Job], None]) -> None:
        self.job = job
        self.counts: Counter[str] = Counter()
        self.trouble = ""
        """What went wrong with a part of it; it goes on with the rest."""
        self.is_over = False
        self._tell = tell
        self._told_at = 0.0

    def check(self) -> None:
        """Raise Aborted where the job is to end."""
        if self.is_over:
            raise Aborted

    def progress(self) -> None:
        """Tell listeners what was counted, now and then. Raises Aborted."""
        self.check()
        now = time.monotonic()
        if now - self._told_at >= TOLD_S:
            self._told_at = now
            self._tell(self.now())

    def now(self) -> Job:
        """The job with what was counted."""
        return msgspec.structs.replace(self.job, counts=dict(self.counts))


Work = Callable[[Run], Awaitable[None]]
Listener = Callable[[Job], None]


class Jobs:
    """The jobs of this node, and the way to all of them."""

    def __init__(
        self, pool: Pool, *, at_once: int, per_account_max: int, machine: str | None = None
    ) -> None:
        self.store = Store(pool)
        self.machine = machine
        """Where this node is: it takes jobs that belong there, and those that belong nowhere."""
        self._node = secrets.token_hex(8)
        self._at_once = at_once
        self._per_account_max = per_account_max
        self._kinds: dict[str, Work] = {}
        self._ends: list[Listener] = []
        self._runs: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._listeners: dict[object, Listener] = {}
        self._stirred = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    def kind(self, name: str, work: Work) -> None:
        """Say how jobs of a kind are done."""
        self._kinds[name] = work

    def start(self) -> None:
        """Begin to take jobs."""
        loop = asyncio.get_running_loop()
        self._loops = [
            loop.create_task(self._take_on(), name="take jobs"),
            loop.create_task(self._beat_on(), name="jobs' heartbeat"),
            loop.create_task(self._hear_on(), name="hear of other nodes' jobs"),
        ]

    async def stop(self) -> None:
        """Stop working; what is under way goes on where somebody takes it, here or elsewhere."""
        for task in [*self._loops, *self._tasks.values()]:
            task.cancel()
        await asyncio.gather(*self._loops, *self._tasks.values(), return_exceptions=True)
        with contextlib.suppress(StorageError):
            await self.store.release(self._node)

    # -- asking -------------------------------------------------------------------------

    async def ask(
        self,
        kind: str,
        account: str,
        scope: str,
        target: str,
        *,
        is_here: bool = False,
        **options: Any,  # noqa: ANN401
    ) -> tuple[Job, bool]:
        """Have a job done, on this machine if it `is_here`; whether it is new. May be a 429."""
        if await self.store.count(account) >= self._per_account_max:
            known = await self.store.running(kind, target)
            if known is None:
                raise ApiError(429, "too_many_jobs", "as many jobs are under way as may be")
            return known, False
        new = NewJob(
            id=make_ulid(int(time.time() * 1000), secrets.token_bytes(10)),
            kind=kind,
            account=account,
            scope=scope,
            target=target,
            options=options,
            machine=self.machine if is_here else None,
        )
        job, is_new = await self.store.add(new)
        if is_new:
            self._tell(job)
            self._stirred.set()
        return job, is_new

    async def abort(self, job: str) -> Job | None:
        """End a job soon; None where it is over."""
        found = await self.store.abort(job)
        if found is not None:
            if job in self._runs:
                self._runs[job].is_over = True
            if found.state == "aborted":
                self._tell(found)
        return found

    async def ended(self, job: str) -> Job | None:
        """Wait for a job's end, wherever it runs; the job then, None where it is not known."""
        over = asyncio.Event()
        end = self.listen(lambda told: over.set() if told.id == job and not is_open(told) else None)
        try:
            while (known := await self.store.get(job)) is not None and is_open(known):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await over.wait()
        finally:
            end()
        return known

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be told of every job's progress, here and elsewhere; ends by calling the answer."""
        key = object()
        self._listeners[key] = listener

        def end() -> None:
            self._listeners.pop(key, None)

        return end

    # -- working ------------------------------------------------------------------------

    async def _take_on(self) -> None:
        pause = LOOK_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stirred.wait()
            self._stirred.clear()
            room = self._at_once - len(self._tasks)
            if room <= 0:
                continue
            try:
                found = await self.store.claim(self._node, SILENT_S, room, self.machine)
                pause = LOOK_S if found else min(2 * pause, LOOK_S_MAX)
                for job in found:
                    self._begin(job)
            except StorageError as error:
                log.warning("jobs wait: %s", error)
            except Exception:
                # An outermost loop: the next look must come whatever this one met.
                log.exception("jobs could not be taken")

    def _begin(self, job: Job) -> None:
        run = self._runs[job.id] = Run(job, self._tell)
        run.is_over = job.abort_asked
        task = asyncio.get_running_loop().create_task(self._run(run), name=f"job {job.id}")
        self._tasks[job.id] = task

    async def _run(self, run: Run) -> None:
        job, state, error = run.job, "completed", ""
        try:
            self._tell(job)
            run.check()
            await self._kinds[job.kind](run)
        except Aborted:
            state = "aborted"
        except JobFailed as failed:
            state, error = "failed", str(failed)
        except StorageError as failed:
            state, error = "failed", f"not available: {failed}"
        except Exception:
            # An outermost loop: a fault in one job is that job's end.
            log.exception("job %s (%s) failed", job.id, job.kind)
            state, error = "failed", "this is a fault of the server"
        finally:
            self._runs.pop(job.id, None)
            self._tasks.pop(job.id, None)
            self._stirred.set()
        await self._end(run, state, error or run.trouble)

    async def _end(self, run: Run, state: str, error: str) -> None:
        for attempt in range(5):
            try:
                ended = await self.store.end(run.job.id, self._node, state, run.counts, error)
            except StorageError:
                await asyncio.sleep(attempt)
                continue
            if ended is not None:
                self._tell(ended)
            return

    async def _beat_on(self) -> None:
        forgotten_at = 0.0
        while True:
            await asyncio.sleep(until_next(BEAT_S, asyncio.get_running_loop().time()))
            try:
                for run in list(self._runs.values()):
                    wanted = await self.store.beat(run.job.id, self._node, run.counts)
                    # None: ended just now, or taken over by a node that thought us dead.
                    run.is_over = run.is_over or wanted is not False
                if time.monotonic() - forgotten_at > 3600:
                    forgotten_at = time.monotonic()
                    await self.store.forget(datetime.now(UTC) - timedelta(seconds=KEPT_S))
            except StorageError as error:
                log.warning("jobs' heartbeat is late: %s", error)
            except Exception:
                log.exception("jobs' heartbeat failed")

    # -- telling ------------------------------------------------------------------------

    def _tell(self, job: Job) -> None:
        for listener in list(self._listeners.values()):
            listener(job)

    async def _hear_on(self) -> None:
        """Tell of jobs on other nodes."""
        heard, pause = datetime.now(UTC), 1.5 * LOOK_S
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_S_MAX)
            try:
                for job in await self.store.since(heard):
                    heard = max(heard, job.beat_at)
                    pause = LOOK_S
                    if job.node != self._node:
                        self._tell(job)
            except StorageError:
                continue
            except Exception:
                log.exception("jobs of other nodes were not heard")


def is_open(job: Job) -> bool:
    """Whether a job waits or runs."""
    return job.state in OPEN
