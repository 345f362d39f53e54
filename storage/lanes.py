"""A lane commits one flight after another over its own connection, whatever the database does.

While a flight is in the air the next one forms, so commits are grouped without a timer; only where
documents come one by one do they wait a little for company. A flight ends in one of four ways: its
rows are committed; they are refused for good (a fence, a poisoned row); its documents are set aside
for the side lane (a locked head, a suspected row); or the database is away, and then the flight is
kept and tried again, in order, with back-off.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from time import monotonic
from uuid import UUID

import asyncpg

from storage.append import FENCED, FOUND, Fenced, Statements, Stored
from storage.flights import Flight, Line
from storage.link import Link
from storage.statistics import Statistics

RETRY_FIRST_S, RETRY_MAX_S = 0.05, 1.0
FULL_ROWS = 64
"""Rows for which a commit no longer waits for company."""
_TICK_S = 0.0005
_MEMORY = 8
_CROWDED = 0.25


class Verdict(Enum):
    """What an error says about the flight that met it."""

    LOCKED = auto()
    """Another transaction holds a head."""
    AGAIN = auto()
    """The database asks for the same once more (deadlock, serialization)."""
    ROW = auto()
    """One of the rows can never be stored."""
    DOCUMENT = auto()
    """What is stored of one of the documents cannot be read or written."""
    AWAY = auto()
    """The database cannot commit now, or did not say whether it did."""


def judge(error: BaseException) -> Verdict:
    """Sort an error that was the server's whole answer by what must be done about it."""
    state = (error.sqlstate or "") if isinstance(error, asyncpg.PostgresError) else ""
    if state == "55P03":
        return Verdict.LOCKED
    if state in {"40P01", "40001"}:
        return Verdict.AGAIN
    if state[:2] in {"22", "23", "54"}:
        return Verdict.ROW
    if state[:2] == "XX":
        return Verdict.DOCUMENT
    return Verdict.AWAY


class Unsaved:
    """How much waits for a commit, over all lanes."""

    __slots__ = ("bytes", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What all lanes of one flusher share."""

    statements: Statements
    writer: int
    """Random, so that our own rows are recognised in the log."""
    batches: Iterator[int]
    statistics: Statistics
    unsaved: Unsaved
    apart_s: float
    landed: Callable[[Line], None]
    """Nothing of the line is aloft any more: queue what is left of it, or forget it."""
    set_aside: Callable[[Line], None]
    """A line must go on alone, in the side lane."""


class Lane:
    """Lines that wait, the flight in the air, and the connection it flies on."""

    def __init__(
        self, link: Link, terms: Terms, *, rows_max: int, bytes_max: int, alone: bool = False
    ) -> None:
        self.link = link
        self.ready: deque[Line] = deque()
        self.flight: Flight | None = None
        self.failing: str | None = None
        """The last error of infrastructure; None after the next success."""
        self._terms = terms
        self._rows_max, self._bytes_max = rows_max, bytes_max
        self._alone = alone
        """One document a commit; this is the side lane."""
        self._idle: asyncio.Future[None] | None = None
        self._company = 0.0
        """Which part of the last flights held several documents, or met others when they landed."""

    def offer(self, line: Line) -> None:
        """Queue a line; an idle lane wakes in the next turn of the loop."""
        self.ready.append(line)
        idle = self._idle
        if idle is not None:
            self._idle = None
            if not idle.done():
                idle.set_result(None)

    async def run(self) -> None:
        """Commit for ever; the task of this lane."""
        loop = asyncio.get_running_loop()
        began = 0.0
        while True:
            if not self.ready:
                self._idle = idle = loop.create_future()
                await idle
            rest = began + self._terms.apart_s - loop.time()
            few = self._terms.unsaved.rows < FULL_ROWS
            if rest > _TICK_S and few and self._company > _CROWDED:
                self._terms.statistics.rests += 1
                await asyncio.sleep(rest)
            self.flight = self._form()
            if self.flight is None:
                continue
            began = loop.time()
            await self._fly(self.flight)  # (held nowhere else: its rows go when it has landed)
            self.flight = None

    def give_up(self, reason: str) -> None:
        """Drop the connection because the server owes an answer for too long."""
        self.failing = reason
        self.link.give_up(orphan=self.flight is not None and self.flight.doubtful is not None)

    def _form(self) -> Flight | None:
        ready, rows_max, bytes_max = self.ready, self._rows_max, self._bytes_max
        flight: Flight | None = None
        later: list[Line] = []
        while ready:
            line = ready.popleft()
            # A line that changed lanes, or that stands here twice, is passed over.
            if line.lane is not self or line.aloft or not line.entries:
                continue
            if flight is None:
                flight = Flight(line.entries[0].lineage)
            if flight.take(line, rows_max, bytes_max):
                if self._alone:
                    break
                continue
            later.append(line)
            if line.entries[0].lineage == flight.lineage:
                break  # The flight is full; lines of another lineage wait for the next one.
        ready.extendleft(reversed(later))
        return flight

    async def _fly(self, flight: Flight) -> None:
        """Try until every line of the flight has ended in one of the four ways."""
        delay = RETRY_FIRST_S
        while flight.lines:
            try:
                await self._attempt(flight)
            except Exception as error:  # noqa: BLE001 - the outermost loop: a lane never dies
                if not self._take_error(flight, error):
                    await asyncio.sleep(delay)
                    delay = min(2 * delay, RETRY_MAX_S)
            else:
                self.failing = None

    async def _attempt(self, flight: Flight) -> None:
        terms = self._terms
        if flight.doubtful is not None:
            await self._recognise(flight, flight.doubtful)
            if not flight.lines:
                return
        batch = next(terms.batches)
        text, arguments = flight.request(terms.statements, terms.writer, batch)
        started = monotonic()
        flight.doubtful = batch
        records = await self.link.ask(text, *arguments)
        flight.doubtful = None
        terms.statistics.committed(len(flight.rows), flight.bytes, monotonic() - started)
        lines = flight.lines
        company = not self._alone and bool(len(lines) > 1 or self.ready or lines[0].entries)
        self._company += (company - self._company) / _MEMORY
        if not records and len(lines) == 1:
            records = await self.link.ask_once(FENCED, lines[0].document)
        flight.lines = []
        if len(records) < len(lines):
            landed = {record[0] for record in records}
            self._isolate([line for place, line in enumerate(lines, 1) if place not in landed])
        for place, base, rights_version, compact, deleted in records:
            if base is None:
                self._refuse(lines[place - 1], "deleted" if deleted else "lineage")
            else:
                self._acknowledge(lines[place - 1], base, rights_version, compact=compact)

    def _acknowledge(self, line: Line, base: int, rights_version: int, *, compact: bool) -> None:
        entries, line.aloft = line.aloft, []
        unsaved = self._terms.unsaved
        unsaved.rows -= line.rows
        unsaved.bytes -= line.size
        if line.suspects:
            line.suspects -= 1
        for entry in entries:
            last = base + len(entry.rows)
            try:
                entry.done(Stored(base + 1, last, rights_version, compact))
            except Exception as error:  # noqa: BLE001 - one caller's fault is not the others'
                _report(error)
            base = last
        self._terms.landed(line)

    def _refuse(self, line: Line, reason: str) -> None:
        entries, line.aloft = line.aloft, []
        unsaved = self._terms.unsaved
        unsaved.rows -= line.rows
        unsaved.bytes -= line.size
        self._terms.statistics.fenced_rows += line.rows
        fenced = Fenced(reason)
        for entry in entries:
            try:
                entry.done(fenced)
            except Exception as error:  # noqa: BLE001 - one caller's fault is not the others'
                _report(error)
        self._terms.landed(line)

    async def _recognise(self, flight: Flight, batch: int) -> None:
        """Acknowledge what an attempt of unknown outcome did commit, and keep the rest.

        What it did not commit it either fenced, and then it will be fenced again, or lost whole.
        """
        await self.link.end_orphans()
        documents: list[UUID] = [line.document for line in flight.lines]
        records = await self.link.ask_once(FOUND, documents, self._terms.writer, batch)
        flight.doubtful = None
        found = {record[0]: record for record in records}
        lines = flight.lines
        flight.keep([line for line in lines if line.document not in found])
        for line in lines:
            record = found.get(line.document)
            if record is not None:
                self._terms.statistics.recognised_rows += line.rows
                self._acknowledge(line, record[1], record[2], compact=False)

    def _take_error(self, flight: Flight, error: Exception) -> bool:
        """Do what the error asks for. Whether to go on at once."""
        statistics = self._terms.statistics
        statistics.retries += 1
        answered = isinstance(error, asyncpg.PostgresError) and self.link.alive
        if answered:
            flight.doubtful = None  # The server itself says that nothing was stored.
        verdict = Verdict.AWAY if flight.doubtful is not None else judge(error)
        if verdict in {Verdict.AWAY, Verdict.DOCUMENT}:
            self.failing = f"{type(error).__name__}: {error}"
        if verdict is Verdict.AWAY:
            flight.free = False
            if not answered:
                self.link.give_up(orphan=flight.doubtful is not None)
            return False
        if verdict is Verdict.LOCKED:
            statistics.lock_waits += 1
            if len(flight.lines) > 1 and not flight.free:
                flight.free = True
                return True
        if verdict is not Verdict.AGAIN:
            lines, flight.lines = flight.lines, []
            self._isolate(lines, suspected=verdict is Verdict.ROW)
        return verdict is not Verdict.DOCUMENT

    def _isolate(self, lines: list[Line], *, suspected: bool = False) -> None:
        """Let each document go on alone, and if a row is to blame, find it."""
        for line in lines:
            if suspected and self._alone and len(line.aloft) == 1:
                # This is the row. What is queued behind it may build on it.
                line.put_back()
                line.aloft, line.entries = line.entries, []
                line.rows = sum(len(entry.rows) for entry in line.aloft)
                line.size = sum(entry.size for entry in line.aloft)
                line.suspects = 0
                self._refuse(line, "poisoned")
                continue
            if suspected:
                line.suspects = len(line.aloft)
            line.put_back()
            self._terms.set_aside(line)


def _report(error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": "what waited for a commit failed", "exception": error}
    )
