"""A circuit breaker for each document: one that costs too much is closed, and the others go on.

Two things count, in one bucket that empties within a minute: turns in which the document held up
the whole process for a noticeable time, and failures (a log that cannot be read, a fault of ours
over it). A document in which many people write much has many turns and no slow ones: it is never
closed for being popular. Who opens a closed one is told to come back when its time is over, and
meanwhile its text can still be read by REST. Each further time is twice as long.

What one node closes, all close: the closures stand in the database, which every node looks at every
two seconds. Where that cannot be reached, each node goes by what it knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from uuid import UUID

from server.errors import Busy
from server.tasks import Tasks
from storage.closures import BREAKER, Closure, Closures
from storage.errors import StorageError

if TYPE_CHECKING:
    from server.settings import Settings

log = logging.getLogger("plait.breaker")

WINDOW_S: Final = 60.0
"""What a document did this long ago no longer counts."""
PEACE_S: Final = 3600.0
"""After so long without being closed, a document is as good as new; also the longest closure."""
BUCKETS_MAX: Final = 10_000
"""Documents whose costs are remembered; the ones noticed first are forgotten first."""


class Closed(Busy):
    """A document that is closed for a while; open it again in `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("the document is closed for a while", retry_after_s)
        self.reason = "costly"


class _Bucket:
    """What one document has cost: seconds, less what has run out since."""

    __slots__ = ("at", "level", "times", "tripped_at")

    def __init__(self, now: float) -> None:
        self.level = 0.0
        self.at = now
        self.times = 0
        self.tripped_at = now


class Breaker:
    """All documents' buckets and closures of this process. Times are epoch seconds."""

    def __init__(
        self, settings: Settings, closures: Closures, clock: Callable[[], float] = time.time
    ) -> None:
        self.slow_s = settings.document_slow_turn_s
        """Turns of less than this do not count."""
        self.on_close: Callable[[UUID], None] = lambda _: None
        """Told of each document that is closed from now on: whoever is in it must leave."""
        self._settings = settings
        self._closures = closures
        self._clock = clock
        self._buckets: dict[UUID, _Bucket] = {}
        self._closed: dict[UUID, Closure] = {}
        self._saving = asyncio.Lock()
        self._unsaved: set[UUID] = set()
        """Closed here, and not in the database yet."""
        self._tasks = Tasks()
        self._polling: asyncio.Task[None] | None = None

    # -- costs --------------------------------------------------------------------------

    def stalled(self, document: UUID, seconds: float) -> None:
        """A document kept the whole process busy for so long."""
        self._add(document, seconds, f"it kept the server busy, the last time for {seconds:.2f} s")

    def failed(self, document: UUID, why: str) -> None:
        """A document could not be read, or a fault of ours ended its room."""
        # A little more than its share: some has run out by the time that the last of them comes.
        share = self._settings.document_slow_s_max / (self._settings.document_failures_max - 0.5)
        self._add(document, share, why)

    def level(self, document: UUID) -> float:
        """How full its bucket is: 0 to 1, where it is closed."""
        bucket = self._buckets.get(document)
        if bucket is None:
            return 0.0
        return self._left(bucket, self._clock()) / self._settings.document_slow_s_max

    def _left(self, bucket: _Bucket, now: float) -> float:
        run_out = max(0.0, now - bucket.at) * self._settings.document_slow_s_max / WINDOW_S
        return max(0.0, bucket.level - run_out)

    def _add(self, document: UUID, cost: float, why: str) -> None:
        now = self._clock()
        bucket = self._buckets.get(document)
        if bucket is None:
            if len(self._buckets) >= BUCKETS_MAX:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[document] = _Bucket(now)
        bucket.level = self._left(bucket, now) + cost
        bucket.at = now
        if bucket.level >= self._settings.document_slow_s_max and document not in self._closed:
            if now - bucket.tripped_at > PEACE_S:
                bucket.times = 0
            bucket.times += 1
            bucket.level, bucket.tripped_at = 0.0, now
            self._trip(document, bucket, why, now)

    def _trip(self, document: UUID, bucket: _Bucket, why: str, now: float) -> None:
        lasts_s = min(self._settings.document_closed_s * 2 ** (bucket.times - 1), PEACE_S)
        closure = Closure(
            document=document,
            author=BREAKER,
            reason=why,
            times=bucket.times,
            closed_at=now,
            until=now + lasts_s,
        )
        log.error("document %s is closed for %.0f s: %s", document, lasts_s, why)
        self._take(closure)
        self._unsaved.add(document)
        self._tasks.spawn(self._save_now(), "save closures")

    # -- closures -----------------------------------------------------------------------

    def check(self, document: UUID) -> None:
        """Raise Closed for a document that is closed now."""
        if not self._closed:
            return
        closure = self.closure(document)
        if closure is not None:
            left = PEACE_S if closure.until is None else closure.until - self._clock()
            raise Closed(max(1.0, left))

    def closure(self, document: UUID) -> Closure | None:
        """Why a document is closed; None where it is not."""
        closure = self._closed.get(document)
        if closure is not None and closure.until is not None and closure.until <= self._clock():
            del self._closed[document]
            return None
        return closure

    def closures(self) -> list[Closure]:
        """All that hold now, newest first."""
        held = [each for key in list(self._closed) if (each := self.closure(key)) is not None]
        return sorted(held, key=lambda each: -each.closed_at)

    async def close(self, document: UUID, author: str, reason: str, lasts_s: float | None) -> None:
        """An administrator closes a document. Raises Unavailable."""
        now = self._clock()
        closure = Closure(
            document=document,
            author=author,
            reason=reason,
            times=0,
            closed_at=now,
            until=None if lasts_s is None else now + lasts_s,
        )
        await self._closures.close(closure)
        self._take(closure)

    async def open(self, document: UUID) -> bool:
        """An administrator opens one again; whether it was closed. Raises Unavailable."""
        was_kept = await self._closures.open(document)
        self._unsaved.discard(document)
        self._buckets.pop(document, None)
        return self._closed.pop(document, None) is not None or was_kept

    def _take(self, closure: Closure) -> None:
        self._closed[closure.document] = closure
        # Not at once: it may have been found out in the middle of this document's turn.
        asyncio.get_running_loop().call_soon(self.on_close, closure.document)

    # -- other nodes --------------------------------------------------------------------

    async def start(self) -> None:
        """Take in what is closed, and go on looking."""
        await self.look()
        self._polling = asyncio.get_running_loop().create_task(self._poll(), name="closures")

    async def stop(self) -> None:
        """End it."""
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
        await self._tasks.close()

    async def look(self) -> None:
        """Take in what other nodes and administrators say. Raises Unavailable."""
        await self._save()
        known = dict(self._closed)
        found = {each.document: each for each in await self._closures.listed(self._clock())}
        for document in known.keys() - found.keys() - self._unsaved:
            # Opened elsewhere; unless it was closed here while we asked.
            if self._closed.get(document) is known[document]:
                del self._closed[document]
        for document, closure in found.items():
            mine = self._closed.get(document)
            if mine is None or mine.closed_at < closure.closed_at:
                self._take(closure)

    async def _save_now(self) -> None:
        with contextlib.suppress(StorageError):  # The next look tries again.
            await self._save()

    async def _save(self) -> None:
        # One at a time: a second saving of the same closure might come after it was opened again.
        async with self._saving:
            for document in list(self._unsaved):
                closure = self._closed.get(document)
                if closure is not None:
                    await self._closures.close(closure)
                self._unsaved.discard(document)

    async def _poll(self) -> None:
        rounds = 0
        while True:
            await asyncio.sleep(self._settings.closures_poll_s)
            try:
                await self.look()
                rounds += 1
                if rounds % 60 == 0:
                    await self._closures.sweep(self._clock() - PEACE_S)
            except StorageError:
                continue  # Each node goes by what it knows; /readyz tells of the database.
