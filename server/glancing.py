"""A look at a document in memory that counts once everything in it is committed.

A document may hold rows that are still on their way to the store. What is read from it then stands
as of the sequence that its room had reached when the commit of all of them was known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from crdt.events import EDIT
from server.batches import turn_now
from server.bringing import Tally
from server.member import Member
from server.reading import is_committed

if TYPE_CHECKING:
    from server.live import LiveRoom

log = logging.getLogger("plait.feed")


class Glance(Member):
    """A look at a document in memory, and the commit on which it waits."""

    __slots__ = ("is_over", "live_room", "sequence", "tally")

    def __init__(self, live_room: LiveRoom) -> None:
        super().__init__("", can_write=False, greets=False, outbox=None)
        self.live_room = live_room
        self.sequence = -1
        """The last row of which what was seen speaks; -1 where that was never known."""
        self.is_over = False
        self.tally: Tally | None = None

    def begin(self, clock: Callable[[], float]) -> None:
        """Ask the room to say when all that it holds is stored; look at once after that."""
        live = self.live_room
        if is_committed(live):
            self.over(live.head)
        else:
            live.await_commit(self, on=True)
            live.put(self, EDIT, _nothing, b"")
            turn_now(live, clock())

    def acknowledged(self, body: bytes, *, ok: bool) -> None:
        """All that the document held when it was looked at is stored, up to the room's head."""
        del body
        self.over(self.live_room.head if ok else -1)

    def refused(self, reason: str) -> None:
        """The document broke; it is read from the store."""

    def dismissed(self, reason: str) -> None:
        """The room ended; the document is read from the store."""
        del reason
        self.over(-1)

    def over(self, sequence: int) -> None:
        """What was seen holds up to this row of the log."""
        if not self.is_over:
            self.is_over, self.sequence = True, sequence
            self.live_room.await_commit(self, on=False)
            if self.tally is not None:
                self.tally.one_less()


async def committed(glances: Sequence[Glance], timeout_s: float) -> None:
    """Wait until each is over, or the time is: those that are not have no sequence."""
    waiting = [glance for glance in glances if not glance.is_over]
    tally = Tally(len(waiting))
    for glance in waiting:
        glance.tally = tally
    try:
        async with asyncio.timeout(timeout_s):
            await tally.none_left.wait()
    except TimeoutError:
        log.warning("changes wait for commits that do not come")
    finally:
        for glance in waiting:  # Those that are over have left.
            glance.live_room.await_commit(glance, on=False)


def _nothing(document: object) -> None:
    """A change that changes nothing: it is answered when everything before it is stored."""
