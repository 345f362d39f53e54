"""What this node says, in as few frames as it fits into.

What is said in one turn of the loop leaves as one frame, and so does what is said within two
milliseconds after it: an idle node speaks at once, a busy one a few hundred times a second.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from server.nodes import words
from server.nodes.words import Present, Rows, Word

if TYPE_CHECKING:
    from crdt.claims import Claim
    from storage.bus import Bus
    from storage.documents import DocumentRecord

PACE_S = 0.002
_WORD_SPARE = 64
"""What a word takes beside the rows that are in it, at most."""
_ROW_SPARE = 8


class Speaker:
    """The frames of one node, numbered."""

    def __init__(self, bus: Bus, name: bytes) -> None:
        self.frames = self.bytes = 0
        self.spoke_at = 0.0
        self._bus = bus
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._bytes_max = bus.frame_bytes_max - words.FRAME_BYTES
        self._said: list[bytes] = []
        self._presence: dict[bytes, dict[int, Claim]] = {}
        self._number = 0
        self._is_due = False

    def say(self, word: Word) -> None:
        """Say one word, soon."""
        self._said.append(words.pack(word))
        self._speak_soon()

    def show(self, document: bytes, news: dict[int, Claim]) -> None:
        """Say who moved in a document; of each client the newest leaves."""
        self._presence.setdefault(document, {}).update(news)
        self._speak_soon()

    def rows(self, record: DocumentRecord, first: int, last: int, rows: list[bytes] | None) -> None:
        """Say that rows are stored, with their bytes where they are at hand and fit."""
        name, lineage = record.id.bytes, record.lineage
        most = self._bytes_max - _WORD_SPARE
        part: list[bytes] = []
        size = 0
        for row in rows or ():
            if len(row) + _ROW_SPARE > most:
                self.say(Rows(name, lineage, first, last, []))
                return
            if size + len(row) + _ROW_SPARE > most:
                self.say(Rows(name, lineage, first, first + len(part) - 1, part))
                first, part, size = first + len(part), [], 0
            part.append(row)
            size += len(row) + _ROW_SPARE
        self.say(Rows(name, lineage, first, last, part))

    def beat(self) -> None:
        """Say nothing, which says that this node lives."""
        self._send([])

    def speak(self) -> None:
        """Send what waits."""
        self._is_due = False
        self.spoke_at = self._loop.time()
        said, self._said = self._said, []
        presence, self._presence = self._presence, {}
        for document, claims in presence.items():
            said += self._packed(document, list(claims.values()))
        frame: list[bytes] = []
        size = 0
        for word in said:
            if frame and size + len(word) > self._bytes_max:
                self._send(frame)
                frame, size = [], 0
            frame.append(word)
            size += len(word)
        if frame:
            self._send(frame)

    def _speak_soon(self) -> None:
        if self._is_due:
            return
        self._is_due = True
        due = self.spoke_at + PACE_S
        if due <= self._loop.time():
            self._loop.call_soon(self.speak)
        else:
            self._loop.call_at(due, self.speak)

    def _packed(self, document: bytes, claims: list[Claim]) -> list[bytes]:
        """Presence in words that fit into a frame; a state too large for that stays here."""
        word = words.pack(Present(document, claims))
        if len(word) <= self._bytes_max:
            return [word]
        if len(claims) == 1:
            return []
        half = len(claims) // 2
        return [*self._packed(document, claims[:half]), *self._packed(document, claims[half:])]

    def _send(self, said: list[bytes]) -> None:
        self._number += 1
        frame = words.encode(self._name, self._number, said)
        self.frames += 1
        self.bytes += len(frame)
        self._bus.publish(frame)
