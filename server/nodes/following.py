"""One room's place in the log, when others write it too: rows are taken in order, without a gap.

A room hears of rows twice over: its own when they are committed, those of other nodes from the bus,
and the two are in no order. What comes early waits a moment for what is before it; after that, or
where the bus brought no bytes, the log is read. So whatever the bus loses costs a read.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from crdt.events import Remote
from crdt.room import Phase
from storage.errors import LogBroken, StorageError

if TYPE_CHECKING:
    from server.live import LiveRoom
    from server.nodes.exchange import Nodes
    from storage.log import Stored

log = logging.getLogger("plait.nodes")

PATIENCE_S = 0.05
"""How long a gap is waited for before the log is read."""
EARLY_ROWS_MAX, EARLY_BYTES_MAX = 4096, 4 << 20
"""Rows of other nodes that may wait behind a gap; with more of them the log is read at once."""


class Following:
    """The rows of one room's document, by sequence, from wherever they come."""

    __slots__ = ("_bytes", "_early", "_live", "_nodes", "_reading", "_timer")

    def __init__(self, nodes: Nodes, live: LiveRoom) -> None:
        self._nodes = nodes
        self._live = live
        self._early: dict[int, bytes | None] = {}
        """By sequence: rows behind a gap; None where they are our own and applied already."""
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._reading = False

    # -- what is heard ------------------------------------------------------------------

    def stored(self, batch: int, outcome: Stored) -> None:
        """A batch of this room is committed: tell the others, and count on."""
        live = self._live
        mine = live.room.ledger.in_flight.get(batch)
        rows = None if mine is None else [update for _, update in mine]
        self._nodes.speaker.rows(live.record, outcome.first, outcome.last, rows)
        if live.room.phase is Phase.OVER:
            self._nodes.documents.late(live, outcome)
            return
        self._take(outcome.first, [None] * (outcome.last - outcome.first + 1))

    def heard(self, first: int, last: int, rows: list[bytes]) -> None:
        """Another node committed rows; none where it sent no bytes."""
        live = self._live
        if last <= live.head:
            return
        live.expected = max(live.expected, last)
        if not live.is_live:
            return  # It is read with the rest, or right after it.
        if rows:
            self._take(first, rows)
        else:
            self.catch_up(last)

    def _take(self, first: int, rows: list[bytes] | list[None]) -> None:
        """Take a run of rows; it may begin behind a gap, or overlap with what is known."""
        live = self._live
        if first == live.head + 1 and not self._early:
            if rows[0] is None:  # Our own, in their turn: how it is nearly always.
                live.advance(first + len(rows) - 1)
            else:
                self._apply(first + len(rows) - 1, rows)
            return
        for sequence, row in enumerate(rows, first):
            self._put(sequence, row)
        self._go_on()
        if self._early:
            self._wait()

    def _put(self, sequence: int, row: bytes | None) -> None:
        """Keep a row until its turn; what is known to be our own stays so."""
        if sequence <= self._live.head or (sequence in self._early and row is not None):
            return
        self._bytes += len(row or b"") - len(self._early.get(sequence) or b"")
        self._early[sequence] = row

    def loaded(self) -> None:
        """The room was read up to its head: what is before that waits no more."""
        for sequence in [one for one in self._early if one <= self._live.head]:
            self._bytes -= len(self._early.pop(sequence) or b"")
        self._go_on()
        self.catch_up(self._live.expected)

    def _go_on(self) -> None:
        """Take what waited and has its turn now."""
        live, early = self._live, self._early
        head, news = live.head, []
        while (head + 1) in early:
            head += 1
            row = early.pop(head)
            if row:  # Neither our own nor in quarantine.
                self._bytes -= len(row)
                news.append(row)
        if head > live.head:
            self._apply(head, news)
        if not early and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _apply(self, head: int, rows: list[bytes]) -> None:
        """The room has seen the log up to `head` with these rows of others."""
        live = self._live
        live.advance(head)
        if rows:
            live.tell(Remote(rows))

    # -- what is read -------------------------------------------------------------------

    def _wait(self) -> None:
        self._live.expected = max(self._live.expected, *self._early)
        if len(self._early) > EARLY_ROWS_MAX or self._bytes > EARLY_BYTES_MAX:
            self.catch_up(self._live.expected)
        elif self._timer is None and not self._reading:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._impatient)

    def _impatient(self) -> None:
        self._timer = None
        if self._early:
            self.catch_up(self._live.expected)

    def catch_up(self, last: int) -> None:
        """The log has rows up to `last`: read those that this room has not seen."""
        live = self._live
        live.expected = max(live.expected, last)
        if not self._reading and live.is_live and live.head < live.expected:
            self._reading = True
            self._nodes.tasks.spawn(self._read_on(), f"catch up {live.record.id}")

    async def caught_up(self, last: int) -> None:
        """Be at `last` before going on. Raises Unavailable."""
        await self._read(last)

    async def _read_on(self) -> None:
        try:
            await self._read(self._live.expected)
        except StorageError as error:
            log.warning("document %s catches up later: %s", self._live.record.id, error)
            self._nodes.checking.ask()
        finally:
            self._reading = False
        if self._early:
            self._wait()
        elif self._live.is_live and self._live.head < self._live.expected:
            self._nodes.checking.ask()  # Told of while the document was read whole.

    async def _read(self, last: int) -> None:
        live = self._live
        documents = self._nodes.documents
        while live.head < last and live.is_live and documents.is_current(live):
            self._nodes.reads += 1
            try:
                rows = await documents.store.rows_after(live.record.id, live.head)
            except LogBroken:
                await self._read_whole()
                return
            if not rows:
                await self._read_whole()
                return
            for row in rows:
                self._put(row.sequence, row.data)
            if live.is_live and documents.is_current(live):
                self._go_on()
            last = max(last, live.expected)

    async def _read_whole(self) -> None:
        """The next rows are only in a snapshot by now: everybody is given what that brings."""
        live = self._live
        loaded = await self._nodes.documents.store.load(live.record.id)
        if not live.is_live or loaded.head <= live.head:
            return
        rows = [row.data for row in loaded.rows]
        if loaded.snapshot is not None:
            rows.insert(0, loaded.snapshot)
        self._apply(loaded.head, rows)
        self.loaded()
