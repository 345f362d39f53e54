"""The pretend peers: editors in three dialects, and a device that pushes by REST.

A peer believes only what its protocol tells it. `stored` holds what it was told to be durable, by
the echo of its update, by its counter of unsynced changes at 0, by a version that came back, or by
the answer to its push.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from crdt import wire
from crdt.events import PUSH
from tests.simulation.network import CUT, Connection, Dialect
from tests.simulation.presence import Presence
from tests.simulation.replicas import (
    FIRST,
    TOKEN,
    Change,
    Replica,
    delete_token,
    insert_token,
    set_key,
    text_of,
)

if TYPE_CHECKING:
    from tests.simulation.node import Node
    from tests.simulation.world import World

KEYS = ("a", "b", "c")
SENT_MAX = 20


class Peer:
    """An editor with a document, connected or not."""

    def __init__(
        self, name: str, document: str, dialect: Dialect, replica: Replica, presence: Presence
    ) -> None:
        self.name = name
        self.account = f"account of {name}"
        self.document = document
        self.dialect = dialect
        self.replica = replica
        self.presence = presence
        self.can_write = True
        self.connection: Connection | None = None
        self.alive = True
        self.made: list[str] = []
        """What it did: a token put in, or `-` and a token taken out."""
        self.stored: set[str] = set()
        self.never_wrote = False
        """It never had the right to write."""
        self.estranged = False
        """Something it made was refused: its document is its own from now on."""
        self.lenders: set[Peer] = set()
        """Who handed it what the server may know from them, and only from them."""
        self.unsynced = 0
        """As Hocuspocus providers count: 1 for the handshake and 1 for each update."""
        self.refused = 0
        self._sent: deque[tuple[bytes, list[str]]] = deque(maxlen=SENT_MAX)
        self._version = 0
        self._versions: dict[int, int] = {}
        self._shook_hands = False

    # -- writing ------------------------------------------------------------------------

    def write(self, rng: Random, world: World) -> None:
        """Do one thing to the document, as an editor does, and send it if there is a connection."""
        change, deed = self._choose(rng, world)
        update = self.replica.edit(change)
        if update is None:
            return
        if deed is not None:
            self.made.append(deed)
            world.promises.deed(self, deed)
        if self.connection is not None:
            self._send_update(update, [] if deed is None else [deed])

    def _choose(self, rng: Random, world: World) -> tuple[Change, str | None]:
        chance = rng.random()
        present = TOKEN.findall(text_of(self.replica.doc())) if chance < 0.25 else []
        if FIRST in present:
            present.remove(FIRST)
        if present:
            token = rng.choice(present)
            return (lambda doc: delete_token(doc, token)), f"-{token}"
        if chance < 0.75:
            token, place = world.promises.new_token(), rng.random()
            return (lambda doc: insert_token(doc, place, token)), token
        key = rng.choice(KEYS)
        value = rng.randrange(1000) if rng.random() < 0.8 else None
        return (lambda doc: set_key(doc, key, value)), None

    def _send_update(self, update: bytes, deeds: list[str]) -> None:
        connection = self.connection
        assert connection is not None
        body = wire.update(update)
        self._sent.append((body, deeds))
        self.unsynced += 1
        connection.to_server(body)
        if self.dialect is Dialect.Y_SWEET and self._shook_hands:
            self._ask_version()

    def send_again(self, rng: Random) -> None:
        """Send an update a second time, as a client that retries does."""
        if self.connection is not None and self._sent:
            self.unsynced += 1
            self.connection.to_server(rng.choice(self._sent)[0])

    def hand_over(self, other: Peer) -> None:
        """Two tabs of one browser share their document past the server."""
        other.replica.apply(self.replica.diff(other.replica.vector()))
        other.lenders |= {self, *self.lenders}

    @property
    def borrowed_in_vain(self) -> bool:
        """It was handed what its author never brought to the server: nobody else will."""
        return any(lender.estranged or not lender.alive for lender in self.lenders)

    # -- the connection -----------------------------------------------------------------

    def connect(self, node: Node, world: World) -> None:
        """Open a connection and begin as the provider does."""
        connection = self.connection = world.network.connect(self, node)
        self.unsynced, self.refused = 1, 0
        self._versions.clear()
        self._shook_hands = False
        connection.to_server(wire.step1(self.replica.vector()))
        greeting = self.presence.greeting()
        if greeting is not None:
            connection.to_server(wire.awareness(greeting))

    def disconnect(self, rng: Random) -> None:
        """Go away; what was sent may still arrive."""
        if self.connection is not None:
            self.connection.close_at_peer(rng)
            self._lost()

    def die(self, rng: Random) -> None:
        """The tab is closed for good, and its document with it."""
        self.disconnect(rng)
        self.alive = False

    def _lost(self) -> None:
        self.connection = None
        self.presence.disconnected()

    def receive(self, connection: Connection, world: World) -> None:
        """The next frame arrives, or the connection's end."""
        frame = connection.down.popleft()
        if frame is CUT:
            connection.close_at_peer(world.rng)
            if connection is self.connection:
                self._lost()
            return
        hocuspocus = self.dialect is Dialect.HOCUSPOCUS
        decode = partial(wire.decode_hocuspocus_reply, at=0) if hocuspocus else wire.decode_y
        kind, payload = decode(frame)
        if isinstance(payload, bytes):
            self._hear(connection, kind, payload, frame, world)
        elif kind == wire.SYNC_STATUS:
            self._status(world, ok=payload is True)

    def _hear(
        self, connection: Connection, kind: int, payload: bytes, frame: bytes, world: World
    ) -> None:
        if kind == wire.STEP1:
            connection.to_server(wire.step2(self.replica.diff(payload)))
            if not self._shook_hands:
                self._shook_hands = True
                if self.dialect is Dialect.Y_SWEET:
                    self._ask_version()
        elif kind in (wire.STEP2, wire.UPDATE):
            self.replica.apply(payload)
            self._echoed(frame)
        elif kind == wire.VERSION:
            self._settled(self._versions[int.from_bytes(payload)])
        elif kind == wire.AWARENESS:
            answer = self.presence.receive(payload, world.now)
            if answer is not None:
                connection.to_server(wire.awareness(answer))
        else:
            assert kind == wire.AUTH_DENIED, f"{self.name} was sent {frame.hex()}"

    def say(self, state: bytes, now: float) -> None:
        """Move the cursor."""
        message = self.presence.say(state, now)
        if self.connection is not None:
            self.connection.to_server(wire.awareness(message))

    def tick(self, now: float) -> None:
        """Time passed."""
        message = self.presence.tick(now)
        if message is not None and self.connection is not None:
            self.connection.to_server(wire.awareness(message))

    # -- what it is told to be stored ---------------------------------------------------

    def _echoed(self, frame: bytes) -> None:
        if self.dialect is Dialect.Y_WEBSOCKET:
            for body, deeds in self._sent:
                if body == frame:
                    self.stored.update(deeds)

    def _status(self, world: World, *, ok: bool) -> None:
        if not ok:
            self.refused += 1
            return
        self.unsynced -= 1
        world.promises.check(self.unsynced >= 0, f"{self.name} was told of more than it sent")
        if self.unsynced == 0:
            self._settled(len(self.made))

    def _ask_version(self) -> None:
        assert self.connection is not None
        self._version += 1
        self._versions[self._version] = len(self.made)
        self.connection.to_server(wire.version(self._version.to_bytes(4)))

    def _settled(self, count: int) -> None:
        self.stored.update(self.made[:count])


class Device:
    """Edits offline and pushes its updates by REST, each until it is answered, in any order."""

    def __init__(self, name: str, document: str, replica: Replica) -> None:
        self.name = name
        self.document = document
        self.replica = replica
        self.stored: set[str] = set()
        self.waiting: dict[bytes, str | None] = {}
        """Updates that are not stored yet, as far as it knows, with what they did."""
        self._flying: set[bytes] = set()

    def write(self, rng: Random, world: World) -> None:
        """Put a token in; it is pushed later."""
        token, place = world.promises.new_token(), rng.random()
        update = self.replica.edit(lambda doc: insert_token(doc, place, token))
        assert update is not None
        self.waiting[update] = token
        world.promises.deed(self, token)

    def push(self, rng: Random, node: Node) -> None:
        """Push one of the updates that wait, not always the oldest."""
        resting = [update for update in self.waiting if update not in self._flying]
        if not resting:
            return
        update = resting[0] if rng.random() < 0.7 else rng.choice(resting)
        self._flying.add(update)
        node.call(self.document, PUSH, update, self.name, lambda ok: self.answered(update, ok=ok))

    def answered(self, update: bytes, *, ok: bool) -> None:
        """The server says that it is stored, or that it is not."""
        self._flying.discard(update)
        if ok and update in self.waiting:
            deed = self.waiting.pop(update)
            if deed is not None:
                self.stored.add(deed)

    def cut_off(self) -> None:
        """The server died: no answer will come."""
        self._flying.clear()

    def pull(self, world: World) -> None:
        """Read the committed document."""
        self.replica.apply(world.store.log(self.document).truth.encode())
