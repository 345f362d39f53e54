"""Small documents that are open, but in which nobody writes at the moment, become bytes again.

Most of what is open is read, or left open. As bytes a note takes as much memory as it has letters;
decoded, four kilobytes more. So whoever edits once, after a while in which nobody did, finds it as
bytes and leaves it so; from the second edit on it stays decoded, until all is quiet. That costs 60
microseconds when somebody begins to type.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crdt.errors import DocumentBroken

if TYPE_CHECKING:
    from server.live import LiveRoom


def roused(live: LiveRoom, now: float, doze_s: float) -> None:
    """A turn woke the document of a room: it goes back to sleep if that was the first for long."""
    before, live.written_at = live.written_at, now
    if now - before >= doze_s:
        _doze(live)


def rest(live: LiveRoom, now: float, doze_s: float) -> None:
    """Let the document of a room sleep if it was quiet for so long; called once a sweep."""
    appended = live.room.ledger.appended
    if appended != live.written:
        live.written, live.written_at = appended, now
    elif now - live.written_at >= doze_s and not live.room.document.is_asleep:
        _doze(live)
        if not live.room.document.is_asleep:
            live.written_at = math.inf  # Nor will it before somebody edits it.


def tick(live: LiveRoom) -> None:
    """Tell a room that a second is over; not one in which time alone changes nothing.

    Most rooms are such, and all of them are looked at in one turn of the loop.
    """
    room = live.room
    if room.syncs.unsettled or not (room.cursors.is_idle and room.intake.is_rested):
        live.tick()


def _doze(live: LiveRoom) -> None:
    room = live.room
    if not room.is_live or live.tracker is not None:  # A tracker hears the document that is there.
        return
    room.syncs.changed()  # What was sent lately is encoded anew for the next who asks.
    try:
        room.document.doze()
    except DocumentBroken:
        live.perform(room.reload([]))
