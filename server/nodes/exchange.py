"""This node among the others: hears what happened there, and sees that nothing is missed.

A frame carries its sender's number. One that is missing, a sender that fell silent, the bus coming
back, or our own clock having jumped: each of them may mean that something was missed, and then all
open documents are compared with the log (`checking`). Nodes say every two seconds that they live;
of one that does not, the presence goes.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from crdt import wire
from crdt.awareness import encode as encode_awareness
from crdt.claims import Claim, SharedAwareness
from server.nodes import words
from server.nodes.checking import Checking
from server.nodes.following import Following
from server.nodes.speaking import Speaker
from server.nodes.words import Bye, Present, Remind, Rows, WhoIsHere, Word
from server.tasks import Tasks

if TYPE_CHECKING:
    from server.documents import Documents
    from server.live import LiveRoom
    from storage.bus import Bus

log = logging.getLogger("plait.nodes")

NODE_BYTES = 8
ANSWER_S = 2.0
"""Seconds in which a node that was asked has said who is there."""


class _Peer:
    """Another node, as far as it was heard."""

    __slots__ = ("heard_at", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.heard_at = 0.0


class Nodes:
    """This node's part in the conversation."""

    def __init__(self, bus: Bus, documents: Documents) -> None:
        self.bus = bus
        self.documents = documents
        self.tasks = Tasks()
        self.name = secrets.token_bytes(NODE_BYTES)
        """A process has a name of its own: one that was started again is another node."""
        self.speaker = Speaker(bus, self.name)
        self.peers: dict[bytes, _Peer] = {}
        self.checking = Checking(self)
        self.reads = self.gaps = self.frames = self.bytes = 0
        self._settings = documents.settings
        self._loop = asyncio.get_running_loop()
        self._beat: asyncio.Task[None] | None = None
        self._show_numbers()

    def _show_numbers(self) -> None:
        metrics, speaker = self.documents.metrics, self.speaker
        metrics.gauge("bus_up", "Whether the bus carries anything", lambda: float(self.bus.is_up))
        metrics.gauge("nodes_heard", "Other nodes that live", lambda: len(self.peers))
        for name, sentence, owner, what in (
            ("frames_out", "Frames given to the bus", speaker, "frames"),
            ("bytes_out", "Bytes of frames given to the bus", speaker, "bytes"),
            ("frames_in", "Frames of other nodes", self, "frames"),
            ("bytes_in", "Bytes of frames of other nodes", self, "bytes"),
            ("gaps", "Times a frame of another node was missing", self, "gaps"),
            ("reads", "Reads of the log for rows that did not come in order", self, "reads"),
            ("round_trips", "Words with the engine of the bus", self.bus, "round_trips"),
        ):
            metrics.counter(f"bus_{name}", sentence, partial(getattr, owner, what))

    async def start(self) -> None:
        """Join the others."""
        await self.bus.start(self._heard, self._turned)
        self._beat = self._loop.create_task(self._beat_on(), name="nodes' heartbeat")
        self.checking.start()

    async def stop(self) -> None:
        """Say goodbye."""
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        await self.checking.stop()
        self.speaker.say(Bye())
        self.speaker.speak()
        await self.bus.close()
        await self.tasks.close()

    @property
    def failing(self) -> str | None:
        """What is wrong with the bus; None while it is up."""
        return (
            None if self.bus.is_up else "the bus is away; open documents are read again and again"
        )

    # -- rooms --------------------------------------------------------------------------

    def follow(self, live: LiveRoom) -> Following:
        """The place of a new room in its log."""
        return Following(self, live)

    def awareness(self) -> SharedAwareness:
        """The presence of a new room."""
        bounds, silence_s = self.documents.bounds, self._settings.awareness_timeout_s
        return SharedAwareness(bounds, node=self.name, silence_s=silence_s)

    async def fresh(self, document: UUID) -> None:
        """Have everything in memory that is committed by now, wherever. Raises Unavailable.

        For answers: whoever wrote through one node and asks another finds what was written.
        """
        live = self.documents.peek(document)
        if live is None or not live.is_live:
            return
        found = await self.documents.store.heads([document])
        head = found.get(document, (0, 0, False))[0]
        if live.is_live and live.following is not None and live.head < head:
            await live.following.caught_up(head)

    def joined(self, live: LiveRoom) -> None:
        """The first session here came into a room: ask who else is there."""
        self.speaker.say(WhoIsHere(live.record.id.bytes))

    def show(self, live: LiveRoom) -> None:
        """Presence changed in a room here: tell the others."""
        self.speaker.show(live.record.id.bytes, live.room.cursors.take_news())

    # -- hearing ------------------------------------------------------------------------

    def _heard(self, data: bytes) -> None:
        try:
            frame = words.decode(data)
        except msgspec.DecodeError:
            log.warning("a frame on the bus is not one of ours: %d bytes", len(data))
            return
        if frame.node == self.name:
            return
        self.frames += 1
        self.bytes += len(data)
        peer = self.peers.get(frame.node)
        if peer is None:
            peer = self.peers[frame.node] = _Peer(frame.number)
            self.checking.ask()  # What it said before this was not heard.
            self.speaker.say(WhoIsHere(b""))
        elif frame.number != peer.number + 1:
            self.gaps += 1
            self.checking.ask()
            self.speaker.say(WhoIsHere(b""))
            self._loop.call_later(ANSWER_S, self._forget, frame.node, self._loop.time())
        peer.number, peer.heard_at = frame.number, self._loop.time()
        for word in frame.words:
            try:
                self._hear(frame.node, word)
            except Exception:
                # An outermost loop: what is wrong with one document is not wrong with the others.
                log.exception("what a node said was not taken in")

    def _hear(self, node: bytes, word: Word) -> None:
        match word:
            case Rows():
                self._rows(word)
            case Present(document, claims):
                live = self.documents.peek(UUID(bytes=document))
                if live is not None:
                    self._presence(live, claims)
            case WhoIsHere(document):
                self._answer(document)
            case Remind():
                if word.node == self.name:
                    self._remind(word)
            case Bye():
                self._lose(node)

    def _rows(self, word: Rows) -> None:
        live = self.documents.peek(UUID(bytes=word.document))
        if live is None or live.following is None:
            return
        if word.lineage > live.record.lineage:
            self.documents.give_up(live, "lineage")
        elif word.lineage == live.record.lineage:
            live.following.heard(word.first, word.last, word.data)

    def _presence(self, live: LiveRoom, claims: list[Claim]) -> None:
        cursors = live.room.cursors
        live.show(cursors.hear_elsewhere(claims, self._loop.time(), len(live.room.sessions)))
        assert cursors.shared is not None
        for claim in cursors.shared.reminders:
            about = claim.client, claim.clock, claim.number
            self.speaker.say(Remind(live.record.id.bytes, claim.node, *about))
        cursors.shared.reminders.clear()

    def _answer(self, document: bytes) -> None:
        """Say who of this node is present in a document, or in all."""
        if document:
            live = self.documents.peek(UUID(bytes=document))
            rooms = [] if live is None else [live]
        else:
            rooms = self.documents.rooms()
        for live in rooms:
            shared = live.room.cursors.shared
            if shared is not None and (claims := shared.own_claims()):
                self.speaker.show(live.record.id.bytes, {claim.client: claim for claim in claims})

    def _remind(self, word: Remind) -> None:
        """A client of ours is held for gone elsewhere: claim it anew, with a later clock."""
        live = self.documents.peek(UUID(bytes=word.document))
        shared = None if live is None else live.room.cursors.shared
        if live is None or shared is None:
            return
        found = shared.claim_again(word.client, word.clock, word.number)
        if found is None:
            return
        owner, entry = found
        claims = [claim for claim in shared.own_claims() if claim.client == word.client]
        self.speaker.show(word.document, {claim.client: claim for claim in claims})
        for session in live.room.sessions if entry is not None else ():
            if session is owner and entry is not None:
                live.send(session, wire.awareness(encode_awareness([entry])))

    # -- who lives ----------------------------------------------------------------------

    def _turned(self, *, up: bool) -> None:
        """The bus is there (again), or gone."""
        log.log(logging.INFO if up else logging.ERROR, "the bus is %s", "up" if up else "away")
        self.checking.ask()
        if up:
            self._missed()

    def _missed(self) -> None:
        """Nobody knows what was said meanwhile: look, ask, and say again."""
        self.checking.ask()
        self.speaker.say(WhoIsHere(b""))
        self._answer(b"")

    async def _beat_on(self) -> None:
        """Say that this node lives, see who does not, and notice when time has jumped."""
        beat_s, silence_s = self._settings.node_beat_s, self._settings.node_silence_s
        before = self._loop.time()
        while True:
            await asyncio.sleep(beat_s)
            now = self._loop.time()
            if now - before > silence_s:
                log.warning("this node stood still for %.1f s", now - before)
                for peer in self.peers.values():
                    peer.heard_at = now  # They were not silent: we did not listen.
                self._missed()
            before = now
            if now - self.speaker.spoke_at >= beat_s / 2:
                self.speaker.beat()
            for name in [n for n, peer in self.peers.items() if now - peer.heard_at > silence_s]:
                log.warning("node %s is silent", name.hex())
                self._lose(name)

    def _forget(self, name: bytes, asked_at: float) -> None:
        """Something of a node was missed: who it did not say again since is not there any more."""
        for live in self.documents.rooms():
            cursors = live.room.cursors
            if cursors.shared is not None:
                now = self._loop.time()
                live.show(cursors.lose(name, now, unheard_since=asked_at))

    def _lose(self, name: bytes) -> None:
        """A node is gone: so are its clients, and perhaps it stored what it told nobody."""
        self.peers.pop(name, None)
        for live in self.documents.rooms():
            if live.room.cursors.shared is not None:
                live.show(live.room.cursors.lose(name, self._loop.time()))
        self.checking.ask()
