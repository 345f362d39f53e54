"""One update of a batch on its way into its room and the store, and what becomes of it.

Most rooms that a batch meets have nobody in them: devices push what they made offline. Such a room
takes its update without a turn (`crdt.alone`), and the row goes to the flusher as a turn's would.
All others are given theirs as a caller's push.
"""

from __future__ import annotations

import asyncio
import logging
import time
from time import perf_counter
from typing import TYPE_CHECKING, Final

from crdt.alone import WAITS, WHOLE_TURN, broke, is_ready, looked_after, take
from crdt.errors import DocumentBroken
from crdt.events import CHECKED, PUSH, Item
from server.backlog import ROW_BYTES
from server.caller import refusal
from server.member import Member
from storage.log import Fenced, Row, Stored

if TYPE_CHECKING:
    from server.documents import Documents
    from server.live import LiveRoom

log = logging.getLogger("plait.batches")

_KIND: Final = PUSH | CHECKED


class Tally:
    """Counts the pieces of a batch whose outcome is open."""

    def __init__(self, count: int) -> None:
        self._open = count
        self.none_left = asyncio.Event()
        if not count:
            self.none_left.set()

    def one_less(self) -> None:
        """Another piece is settled."""
        self._open -= 1
        if not self._open:
            self.none_left.set()


class Outcome:
    """What became of an offer."""

    __slots__ = ("_batch", "_live", "_size", "_tally", "changed", "error", "is_done")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.is_done = False
        self.error: Exception | None = None
        """UpdateError (refused), Forbidden (the document is gone), Busy (send it again), or None.
        """
        self.changed = True
        """Whether it brought anything, as far as that is known."""
        self._live: LiveRoom | None = None
        self._batch = self._size = 0

    def settle(self, error: Exception | None) -> None:
        """It is known."""
        if not self.is_done:
            self.is_done = True
            self.error = error
            self._tally.one_less()

    def flies(self, live: LiveRoom, batch: int, size: int) -> None:
        """It hangs on the commit of this batch of a room, of so many bytes in memory."""
        self._live, self._batch, self._size = live, batch, size

    def landed(self, outcome: Stored | Fenced) -> None:
        """The batch is committed, or refused for good: the room hears of it first."""
        live = self._live
        assert live is not None
        live.settled(self._batch, self._size, outcome)
        self.settle(refusal(outcome.reason) if isinstance(outcome, Fenced) else None)


class Piece(Member):
    """One update as a caller's push: what its room says of it."""

    __slots__ = ("outcome", "reason")

    def __init__(self, account: str, device: str | None, outcome: Outcome) -> None:
        super().__init__(account, can_write=True, greets=False, outbox=None, device=device)
        self.outcome = outcome
        self.reason = "refused"

    def acknowledged(self, body: bytes, *, ok: bool) -> None:
        """Committed, or refused."""
        del body
        self.outcome.settle(None if ok else refusal(self.reason))

    def refused(self, reason: str) -> None:
        """Remember why."""
        self.reason = reason

    def dismissed(self, reason: str) -> None:
        """The room ended before the commit."""
        self.outcome.settle(refusal(reason))


class Bringer(Member):
    """Who brings the updates of one request: the author of all that rooms take alone."""

    __slots__ = ("_at", "_documents", "taken")

    def __init__(self, documents: Documents, account: str, device: str | None) -> None:
        super().__init__(account, can_write=True, greets=False, outbox=None, device=device)
        self._documents = documents
        self._at = time.time()
        self.taken = 0
        """Updates that rooms took alone and that wait for their commits."""

    def give(self, live: LiveRoom, update: bytes, outcome: Outcome) -> Piece | None:
        """Let a room take an update; who waits for its answer, where not the outcome itself does.

        A fault in it costs this room only.
        """
        try:
            if live.inbox or live.room.sessions or not live.room.is_live:
                return self._turned(live, update, outcome)
            return self._alone(live, update, outcome)
        except Exception:
            # The outermost loop of this room: a fault in it is not the other documents'.
            log.exception("a room failed and is given up")
            live.failed()
            outcome.settle(refusal("internal"))
            return None

    def _alone(self, live: LiveRoom, update: bytes, outcome: Outcome) -> Piece | None:
        room, started = live.room, perf_counter()
        is_suspect = False
        try:
            if not is_ready(room, update):
                return self._turned(live, update, outcome)
            is_suspect = True
            batch = take(room, (self, _KIND, update, b""))
        except DocumentBroken as broken:
            piece, item = self._piece(live, update, outcome)
            suspects = [item] if is_suspect else []
            live.perform(broke(room, item, suspects, broken, self._documents.turns.clock()))
            return piece
        if batch == WHOLE_TURN:
            return self._turned(live, update, outcome)
        if batch == WAITS:
            piece, item = self._piece(live, update, outcome)
            live.perform(looked_after(room, item, self._documents.turns.clock()))
            return piece
        self._store(live, update, outcome, batch)
        live.took(perf_counter() - started)
        return None

    def _store(self, live: LiveRoom, update: bytes, outcome: Outcome, batch: int) -> None:
        """Give the row to the flusher, as `sharing.store` does for a turn."""
        documents, record = self._documents, live.record
        size = ROW_BYTES + len(update)
        outcome.flies(live, batch, size)
        live.unsaved_bytes += size
        self.taken += 1
        rows = [Row(update, self.account, self.device, self._at)]
        documents.flusher.append(record.id, record.lineage, rows, outcome.landed)
        documents.backlog.grew(live)

    def _turned(self, live: LiveRoom, update: bytes, outcome: Outcome) -> Piece:
        """As a caller's push, in a turn of the room's own: at once, not when the loop's ends."""
        piece, item = self._piece(live, update, outcome)
        live.inbox.append(item)
        ledger = live.room.ledger
        before = ledger.appended
        live.turn(self._documents.turns.clock())
        outcome.changed = not live.is_live or ledger.appended > before
        return piece

    def _piece(self, live: LiveRoom, update: bytes, outcome: Outcome) -> tuple[Piece, Item]:
        piece = Piece(self.account, self.device, outcome)
        live.await_commit(piece, on=True)
        return piece, (piece, _KIND, update, b"")
