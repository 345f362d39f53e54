"""The pretend bus between nodes: frames in each sender's order, late, and some of them lost.

What nodes say and how they take it is what `server/nodes` does, on a clock of the world's own:
rows are taken in order and gaps are read from the store, a frame that is missing makes a node look
at the log and ask who is there, and whoever is not said again then is not there.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from crdt import wire
from crdt.awareness import encode
from crdt.claims import Claim
from crdt.events import Remote
from crdt.room import Phase
from server.nodes import words
from server.nodes.words import Present, Remind, Rows, WhoIsHere, Word

if TYPE_CHECKING:
    from tests.simulation.node import LiveRoom, Node
    from tests.simulation.world import World

ANSWER_S = 2.0


class Bus:
    """All frames that are on their way, by sender and receiver."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.ways: dict[tuple[int, int], deque[bytes]] = {}
        self.lives = 0
        """How often a node was started: each life is another node to the others."""

    def publish(self, sender: Node, frame: bytes) -> None:
        """Put a frame on its way to all others."""
        for node in self._world.nodes:
            if node is not sender:
                self.ways.setdefault((sender.number, node.number), deque()).append(frame)

    def busy(self) -> list[tuple[int, int]]:
        """Ways with frames on them."""
        return [way for way, frames in self.ways.items() if frames]

    def deliver(self, way: tuple[int, int]) -> None:
        """The oldest frame of a way arrives."""
        self._world.nodes[way[1]].mouth.heard(self.ways[way].popleft())

    def lose(self, way: tuple[int, int]) -> None:
        """It does not."""
        self.ways[way].popleft()
        self._world.promises.counts["lost frame"] += 1


class Mouth:
    """One node's part in the conversation, in one of its lives."""

    def __init__(self, node: Node) -> None:
        bus = node.world.bus
        bus.lives += 1
        self.name = bus.lives.to_bytes(8)
        self._node = node
        self._bus = bus
        self._number = 0
        self._heard: dict[bytes, int] = {}
        self._early: dict[str, dict[int, bytes | None]] = {}
        self._doubts: list[tuple[float, bytes, float]] = []

    # -- speaking -----------------------------------------------------------------------

    def say(self, *said: Word) -> None:
        """One frame."""
        self._number += 1
        packed = [words.pack(word) for word in said]
        self._bus.publish(self._node, words.encode(self.name, self._number, packed))

    def committed(self, live: LiveRoom, first: int, last: int, rows: list[bytes]) -> None:
        """Own rows are stored."""
        self.say(Rows(live.document.encode(), 0, first, last, rows))
        self.take(live, first, [None] * (last - first + 1))

    def show(self, live: LiveRoom) -> None:
        """Presence changed in a room here."""
        news = live.room.cursors.take_news()
        if news:
            self.say(Present(live.document.encode(), list(news.values())))

    def ask(self, document: str = "") -> None:
        """Ask who is present in a document, or in all."""
        self.say(WhoIsHere(document.encode()))

    # -- hearing ------------------------------------------------------------------------

    def heard(self, data: bytes) -> None:
        """A frame arrives."""
        frame = words.decode(data)
        known = self._heard.get(frame.node)
        self._heard[frame.node] = frame.number
        if known is None or frame.number != known + 1:
            self._node.poll()
            self.ask()
            now = self._node.world.now
            self._doubts.append((now + ANSWER_S, frame.node, now))
        for word in frame.words:
            self._hear(word)

    def _hear(self, word: Word) -> None:
        rooms = self._node.rooms
        match word:
            case Rows():
                self._rows(word)
            case Present(document, claims):
                live = rooms.get(document.decode())
                if live is not None:
                    self._presence(live, claims)
            case WhoIsHere(document):
                name = document.decode()
                for live in list(rooms.values()):
                    if name in {"", live.document}:
                        self._answer(live)
            case Remind(document, node):
                live = rooms.get(document.decode())
                if live is not None and node == self.name:
                    self._remind(live, word)

    def _rows(self, word: Rows) -> None:
        live = self._node.rooms.get(word.document.decode())
        if live is not None and word.data and live.room.phase is Phase.LIVE:
            self.take(live, word.first, list(word.data))
        elif live is not None:
            self._node.late.add(live.document)

    def _presence(self, live: LiveRoom, claims: list[Claim]) -> None:
        cursors, now = live.room.cursors, self._node.world.now
        body = cursors.hear_elsewhere(claims, now, len(live.room.sessions))
        if body is not None:
            live.show(body)
        assert cursors.shared is not None
        for claim in cursors.shared.reminders:
            about = claim.client, claim.clock, claim.number
            self.say(Remind(live.document.encode(), claim.node, *about))
        cursors.shared.reminders.clear()

    def _answer(self, live: LiveRoom) -> None:
        shared = live.room.cursors.shared
        if shared is not None and (claims := shared.own_claims()):
            self.say(Present(live.document.encode(), claims))

    def _remind(self, live: LiveRoom, word: Remind) -> None:
        shared = live.room.cursors.shared
        found = shared and shared.claim_again(word.client, word.clock, word.number)
        if shared is None or found is None:
            return
        claims = [claim for claim in shared.own_claims() if claim.client == word.client]
        self.say(Present(live.document.encode(), claims))
        for session in list(live.room.sessions):
            if session is found[0] and found[1] is not None:
                session.connection.to_peer(wire.awareness(encode([found[1]])))  # type: ignore[attr-defined]

    # -- rows in order ------------------------------------------------------------------

    def take(self, live: LiveRoom, first: int, rows: list[bytes | None]) -> None:
        """Rows by sequence, from wherever they come; None: our own, which are applied."""
        early = self._early.setdefault(live.document, {})
        for sequence, row in enumerate(rows, first):
            if sequence > live.head and not (sequence in early and row is not None):
                early[sequence] = row
        self.go_on(live)

    def go_on(self, live: LiveRoom) -> None:
        """Take what has its turn; what is behind a gap makes the node look at the log."""
        early = self._early.setdefault(live.document, {})
        for sequence in [one for one in early if one <= live.head]:
            del early[sequence]
        news = []
        while (row := early.pop(live.head + 1, b"")) != b"":
            live.head += 1
            if row is not None:
                news.append(row)
        if news:
            self._node.world.promises.counts["told rows"] += len(news)
            live.tell(Remote(news))
        if early:
            self._node.poll()

    def doubt(self, name: bytes, *, in_s: float) -> None:
        """A node may be dead: if it is silent for so long, so are its clients."""
        self._doubts.append((self._node.world.now + in_s, name, math.inf))

    def tick(self) -> None:
        """Whoever was not said again after a doubt is gone."""
        now = self._node.world.now
        due = [doubt for doubt in self._doubts if doubt[0] <= now]
        self._doubts = [doubt for doubt in self._doubts if doubt[0] > now]
        for _, name, asked_at in due:
            for live in list(self._node.rooms.values()):
                body = live.room.cursors.lose(name, now, unheard_since=asked_at)
                if body is not None:
                    live.show(body)
