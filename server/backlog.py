"""What is not stored yet, in bytes, and whom that stops: writers wait first, then they are cut.

Above the soft bound of a room or of the process its writers are not read; above the hard one they
are closed with 1013. What waits for a document that is still loading counts too. And it is seen
here whose log is so long that a snapshot should be made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from server.live import LiveRoom
    from server.settings import Settings
    from storage.log import Flusher

QUIET_SHARE: Final = 8
"""A snapshot of a quiet document is made once an eighth of it is new: each takes time by its size,
and so what is written costs the same in a document of any size."""
BYTES_FOR_A_ROW: Final = 1024
"""Bytes of a document for which it must have one row more when its last session leaves."""
ROW_BYTES: Final = 512
"""What an unsaved update takes in memory beside its bytes: a keystroke has 20 bytes."""


class Backlog:
    """Counts for all rooms of a process."""

    def __init__(self, settings: Settings, flusher: Flusher) -> None:
        self._settings = settings
        self._flusher = flusher
        self._loading: set[LiveRoom] = set()

    @property
    def bytes(self) -> int:
        """Memory that updates of all rooms take until they are committed."""
        flusher = self._flusher
        unsaved = flusher.unsaved_bytes + ROW_BYTES * flusher.unsaved_rows
        if self._loading:
            unsaved += sum(live.room.waiting.bytes for live in self._loading)
        return unsaved

    def grew(self, live: LiveRoom) -> None:
        """A room appended something, or keeps it until it is loaded: see whether it is too much."""
        settings = self._settings
        if live.room.waiting:
            self._loading.add(live)
        mine, all_ = _bytes(live), self.bytes
        if mine <= settings.unsaved_bytes_room_soft and all_ <= settings.unsaved_bytes_process_soft:
            return
        if mine > settings.unsaved_bytes_room_max or all_ > settings.unsaved_bytes_process_max:
            for member in live.members():
                member.dismissed("overloaded")
        if not live.held:
            live.held = True
            for member in live.members():
                member.hold(live, on=True)

    def shrank(self, live: LiveRoom) -> None:
        """A room's batch was stored, or what waited for its load was handled, or the room ended."""
        if not live.room.waiting:
            self._loading.discard(live)
        if live.held and _bytes(live) < self._settings.unsaved_bytes_room_soft // 2:
            live.held = False
            for member in live.members():
                member.hold(live, on=False)

    def is_long(self, live: LiveRoom) -> bool:
        """Whether a snapshot is due, asked each second: the log is long, and nobody edits now.

        Whoever opens the document next, after a restart, is sent the snapshot without decoding it.
        """
        seen, live.seen_bytes = live.seen_bytes, live.tail_bytes
        most = max(self._settings.compact_quiet_bytes, live.whole_bytes // QUIET_SHARE)
        if seen != live.tail_bytes or seen < most:
            return False
        self.compacted(live)
        return True

    @staticmethod
    def compacted(live: LiveRoom) -> None:
        """A snapshot of it is being made."""
        live.whole_bytes += live.tail_bytes
        live.tail_rows = live.tail_bytes = 0

    def is_worth(self, live: LiveRoom) -> bool:
        """Whether a snapshot is due of a document that everybody has left."""
        rows = self._settings.compact_idle_rows
        return live.tail_rows >= max(rows, live.whole_bytes // BYTES_FOR_A_ROW)


def _bytes(live: LiveRoom) -> int:
    return live.unsaved_bytes + live.room.waiting.bytes
