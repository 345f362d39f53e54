"""What waits to be written: one write per connection and turn of the event loop.

`Turns` is the heart-beat of the realtime side. Everything that arrives in one turn of the
loop marks its room dirty; one `call_soon` then lets each dirty room handle its whole inbox and
writes to each connection once. An idle room costs nothing, a busy one is batched for free.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

log = logging.getLogger("plait.realtime")


_LATE_S = 0.002
"""How long an acknowledgement waits, under load, for a frame to leave with."""


_TICK_S = 0.001


class DirtyRoom(Protocol):
    """What `Turns` must know of a room."""

    not_before: float
    """Loop time before which its next turn waits for company; 0: it need not."""

    def turn(self, now: float) -> None:
        """Handle everything that arrived since the last turn."""

    def failed(self) -> None:
        """The turn raised: give the room up without hurting any other."""


class Outbox:
    """Frames for one connection, in order, within a bound.

    `blocked` is set while the transport holds more than its high-water mark: nobody then queues
    shared frames here (the session falls behind and later gets one difference), only answers that
    the peer itself asked for.
    """

    __slots__ = (
        "blocked",
        "blocked_at",
        "bytes_max",
        "dirty",
        "frames",
        "late",
        "sent_at",
        "transport",
        "waiting",
    )

    def __init__(self, transport: asyncio.Transport, bytes_max: int, now: float) -> None:
        self.transport = transport
        self.bytes_max = bytes_max
        self.frames: list[bytes] = []
        self.dirty = False
        self.late = False
        self.blocked = False
        self.blocked_at = 0.0
        """Since when the peer has taken nothing."""
        self.waiting = 0
        """Bytes that waited for it when that was last looked at."""
        self.sent_at = now

    @property
    def depth(self) -> int:
        """Bytes that wait: for the end of this turn, and for the peer."""
        return sum(map(len, self.frames)) + self.transport.get_write_buffer_size()

    def is_stuck(self, now: float, stuck_s: float) -> bool:
        """Whether the peer has taken nothing for so long; a slow line that moves is not stuck."""
        if not self.blocked:
            return False
        waiting = self.transport.get_write_buffer_size()
        if waiting < self.waiting:
            self.blocked_at = now
        self.waiting = waiting
        return now - self.blocked_at > stuck_s

    def flush(self, now: float) -> int:
        """Write what waits in one call; returns its bytes. A reader over its bound is cut off."""
        self.dirty = False
        frames = self.frames
        if not frames:
            return 0
        if self.transport.is_closing():
            # uvloop raises for a closed transport, and we are told of its end only later.
            frames.clear()
            return 0
        if self.blocked:
            if sum(map(len, frames)) > self.bytes_max:
                self.transport.abort()
                self.frames = []
            return 0
        self.sent_at = now
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        frames.clear()
        self.transport.write(data)
        return len(data)


class Turns:
    """Runs every dirty room once per turn of the loop, then flushes every dirty outbox."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rooms: list[DirtyRoom] = []
        self.touched: list[Outbox] = []
        """Outboxes with frames to flush; who adds one that was not `dirty` marks it so, and calls
        `flush_later` after the last."""
        self._scheduled = False
        self._late: list[Outbox] = []
        self.hurried = True
        """Acknowledgements leave at once. Not while so much waits for the store that a frame to
        leave with will come anyway: a write of its own costs more than all else of an answer."""
        self.bytes_out = 0
        self.writes = 0

    def clock(self) -> float:
        """Loop time in seconds."""
        return self._loop.time()

    def room(self, room: DirtyRoom) -> None:
        """A room has something in its inbox (called once per room and turn)."""
        self._rooms.append(room)
        self.flush_later()

    def wait(self, room: DirtyRoom) -> bool:
        """Hand the room its turn when its pause is over; False if that is past already."""
        until = room.not_before
        if until - self._loop.time() < _TICK_S / 2:
            return False
        # uvloop counts milliseconds: anything shorter would come at once.
        self._loop.call_at(max(until, self._loop.time() + _TICK_S), self._wake, room, until)
        return True

    def _wake(self, room: DirtyRoom, until: float) -> None:
        """A pause is over; nothing, if its room had enough to do before and paces anew since."""
        if room.not_before == until:
            self.room(room)

    def queue(self, outbox: Outbox, frame: bytes) -> None:
        """Put a frame behind what waits for this connection."""
        outbox.frames.append(frame)
        if not outbox.dirty:
            outbox.dirty = True
            self.touched.append(outbox)
            self.flush_later()

    def answer(self, outbox: Outbox, frame: bytes) -> None:
        """Queue an acknowledgement: like `queue`, but under load it may wait 2 ms for company."""
        outbox.frames.append(frame)
        if outbox.dirty or outbox.late:
            return
        if self.hurried:
            outbox.dirty = True
            self.touched.append(outbox)
            self.flush_later()
        else:
            outbox.late = True
            if not self._late:
                self._loop.call_later(_LATE_S, self._run_late)
            self._late.append(outbox)

    def _run_late(self) -> None:
        outboxes, self._late = self._late, []
        for outbox in outboxes:
            outbox.late = False
            if outbox.frames:
                self.touch(outbox)

    def touch(self, outbox: Outbox) -> None:
        """An outbox has frames that were put there directly, or can take frames again."""
        if not outbox.dirty:
            outbox.dirty = True
            self.touched.append(outbox)
            self.flush_later()

    def flush_later(self) -> None:
        """Let this turn end with a flush."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        now = self._loop.time()
        rooms, self._rooms = self._rooms, []
        for room in rooms:
            try:
                room.turn(now)
            except Exception:
                # The outermost loop: a fault in one room must not stop the others.
                log.exception("a room failed and is given up")
                room.failed()
        outboxes, self.touched = self.touched, []
        self._scheduled = False
        if self._rooms:
            self.flush_later()
        total = 0
        for outbox in outboxes:
            try:
                total += outbox.flush(now)
            except (OSError, RuntimeError):
                # One socket's end must not keep the others from being written to.
                outbox.transport.abort()
        self.bytes_out += total
        self.writes += len(outboxes)
