"""The flusher: appends of a whole process, committed in groups and acknowledged in order.

`append` only queues. Three lanes commit, each over a connection of its own: the fast lane takes
what fits into small commits, the large lane takes big pushes so that they delay nobody, and the
side lane takes one document at a time: those whose head is locked and those with a row that the
database refuses. A document is in one lane at a time, and its rows are never in two commits at
once, so its order holds whatever happens.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Sequence
from time import monotonic
from typing import Any
from uuid import UUID

from storage.append import Done, Entry, Fenced, Row, Stored, statements
from storage.flights import Line
from storage.lanes import Lane, Terms, Unsaved
from storage.link import Link
from storage.statistics import Statistics

__all__ = ["Done", "Fenced", "Flusher", "Row", "Statistics", "Stored"]

FAST_ROWS_MAX, FAST_BYTES_MAX = 512, 1 << 20
LARGE_ENTRY_ROWS, LARGE_ENTRY_BYTES = 128, 128 << 10
"""An append above one of these sends its document through the large lane."""
LARGE_ROWS_MAX, LARGE_BYTES_MAX = 4096, 8 << 20
LOCK_MS, SIDE_LOCK_MS = 50, 200
APART_S = 0.008
WATCH_S_MAX = 1.0


class Flusher:
    """Group commit without a timer for all documents of this process.

    Bounds on what may be unsaved are the caller's: it reads `unsaved_bytes` and `unsaved_rows` and
    stops reading from writers. Everything runs on one event loop.
    """

    def __init__(
        self,
        dsn: str,
        *,
        compact_rows: int = 2000,
        compact_bytes: int = 2 << 20,
        connect_s_max: float = 5.0,
        answer_s_max: float = 5.0,
        stalled_s: float = 1.0,
        rows_max: int = FAST_ROWS_MAX,
        bytes_max: int = FAST_BYTES_MAX,
        lock_ms: int = LOCK_MS,
        apart_s: float = APART_S,
    ) -> None:
        """Make one; `start` starts it.

        `rows_max`, `bytes_max`: what a commit of the fast lane takes; `lock_ms`: how long it waits
        for one document's head before it goes on without that document; `apart_s`: how far apart
        commits begin while many write, since one costs a millisecond whatever is in it;
        `answer_s_max`: how long a commit may take before its connection is given up;
        `stalled_s`: how long before `failing` says so.
        """
        self.statistics = Statistics()
        self._unsaved = Unsaved()
        self._lines: dict[UUID, Line] = {}
        self._answer_s_max, self._stalled_s = answer_s_max, stalled_s
        self._tasks: list[asyncio.Task[None]] = []
        self._empty: asyncio.Event | None = None
        terms = Terms(
            statements=statements(compact_rows, compact_bytes),
            writer=secrets.randbits(62),
            batches=itertools.count(1),
            statistics=self.statistics,
            unsaved=self._unsaved,
            apart_s=apart_s,
            landed=self._landed,
            set_aside=self._set_aside,
        )

        def link(name: str, wait_ms: int) -> Link:
            return Link(dsn, name=name, lock_ms=wait_ms, connect_s_max=connect_s_max)

        self._fast = Lane(link("fast", lock_ms), terms, rows_max=rows_max, bytes_max=bytes_max)
        self._large = Lane(
            link("large", lock_ms), terms, rows_max=LARGE_ROWS_MAX, bytes_max=LARGE_BYTES_MAX
        )
        self._side = Lane(
            link("side", SIDE_LOCK_MS),
            terms,
            rows_max=LARGE_ROWS_MAX,
            bytes_max=LARGE_BYTES_MAX,
            alone=True,
        )
        self._lanes = (self._fast, self._large, self._side)

    def tables(self) -> list[dict[Any, Any]]:
        """What grows with the number of documents that are written to."""
        return [self._lines]

    def append(self, document: UUID, lineage: int, rows: Sequence[Row], done: Done) -> None:
        """Queue rows of one document; `done` is called on the loop once they are settled.

        Rows of one document are committed and told in the order of the calls, all rows of a call
        in one commit. `rows` must not be empty and must not be changed afterwards.
        """
        size = 0
        for row in rows:
            size += len(row.data)
        unsaved = self._unsaved
        unsaved.bytes += size
        unsaved.rows += len(rows)
        line = self._lines.get(document)
        if line is None:
            line = self._lines[document] = Line(document, self._fast)
            line.entries.append(Entry(lineage, rows, done, size, monotonic()))
            if size > LARGE_ENTRY_BYTES or len(rows) > LARGE_ENTRY_ROWS:
                line.lane = self._large
                self._large.offer(line)
            else:
                self._fast.offer(line)
            return
        line.entries.append(Entry(lineage, rows, done, size, monotonic()))
        if line.lane is self._fast and (size > LARGE_ENTRY_BYTES or len(rows) > LARGE_ENTRY_ROWS):
            line.lane = self._large
            if not line.aloft:
                self._large.offer(line)

    @property
    def unsaved_rows(self) -> int:
        """Rows that are appended and neither committed nor refused."""
        return self._unsaved.rows

    @property
    def unsaved_bytes(self) -> int:
        """Their bytes."""
        return self._unsaved.bytes

    @property
    def failing(self) -> str | None:
        """Why nothing is committed at the moment; None while all is well."""
        now = monotonic()
        for lane in self._lanes:
            if lane.failing is not None:
                return lane.failing
            asked_at = lane.link.asked_at
            if asked_at is not None and now - asked_at > self._stalled_s:
                return f"no answer from the database for {now - asked_at:.1f} s"
        return None

    @property
    def is_running(self) -> bool:
        """Whether every lane works; one that ended by a fault of ours never comes back."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    @property
    def aside(self) -> int:
        """Documents that go on alone because their head is locked or a row is suspected."""
        return sum(line.lane is self._side for line in self._lines.values())

    def oldest_age(self, now: float | None = None) -> float:
        """Seconds for which the oldest unsaved row has waited; `now` by `time.monotonic()`."""
        entries = [line.entries[0] for line in self._lines.values() if line.entries]
        for lane in self._lanes:
            if lane.flight is not None:
                entries += [line.aloft[0] for line in lane.flight.lines if line.aloft]
        if not entries:
            return 0.0
        return (monotonic() if now is None else now) - min(entry.since for entry in entries)

    async def start(self) -> None:
        """Start the lanes; each connects when it has something to commit."""
        assert not self._tasks
        self._empty = asyncio.Event()
        self._tasks = [asyncio.create_task(lane.run()) for lane in self._lanes]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is unsaved. Whether that was reached in time."""
        assert self._empty is not None
        if not self._lines:
            return True
        self._empty.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Stop; what is still unsaved is never told of, and so never acknowledged."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in self._lanes:
            await lane.link.close()

    def _landed(self, line: Line) -> None:
        if not line.entries:
            del self._lines[line.document]
            if not self._lines and self._empty is not None:
                self._empty.set()
            return
        lane = self._fast
        if line.suspects:
            lane = self._side
        elif line.lane is not self._fast and any(
            entry.size > LARGE_ENTRY_BYTES or len(entry.rows) > LARGE_ENTRY_ROWS
            for entry in line.entries
        ):
            lane = self._large
        line.lane = lane
        lane.offer(line)

    def _set_aside(self, line: Line) -> None:
        line.lane = self._side
        self._side.offer(line)

    async def _watch(self) -> None:
        """Give up a connection whose server owes an answer for too long."""
        pause = min(WATCH_S_MAX, self._answer_s_max / 2)
        clock = asyncio.get_running_loop().time
        while True:
            # On the second, as others who look now and then: each time the process wakes costs.
            await asyncio.sleep(pause - clock() % pause)
            now = monotonic()
            for lane in self._lanes:
                asked_at = lane.link.asked_at
                if asked_at is not None and now - asked_at > self._answer_s_max:
                    lane.give_up(f"no answer from the database for {now - asked_at:.1f} s")
