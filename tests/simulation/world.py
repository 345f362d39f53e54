"""A whole run: nodes, network, store, peers and one random number generator that decides all.

Each step lets one thing happen that could happen: a frame arrives, a turn of a node ends, a batch
lands, somebody writes, something breaks. Afterwards the faults stop, everything comes to rest, and
`Promises.final` looks at what everybody holds. The same seed gives the same run.
"""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import pycrdt

from crdt.document import decode_state_vector
from crdt.room import Room
from tests.simulation import chances
from tests.simulation.bus import Bus
from tests.simulation.checks import Broken, Promises
from tests.simulation.network import Dialect, Network
from tests.simulation.node import Node
from tests.simulation.peers import Device, Peer
from tests.simulation.plan import Plan
from tests.simulation.presence import Presence
from tests.simulation.replicas import (
    FIRST,
    PatientReplica,
    PlainReplica,
    Replica,
    first_row,
    text_of,
)
from tests.simulation.store import Store

ROUNDS_MAX = 400
"""Rounds in which a world without faults must come to rest."""


class World:
    """One run, made by its seed."""

    def __init__(self, seed: int, room_type: type[Room] = Room, plan: Plan | None = None) -> None:
        self.rng = Random(seed)
        self.plan = plan = plan or Plan.draw(self.rng)
        self.room_type = room_type
        self.now = 0.0
        self.promises = Promises(self)
        self.network = Network()
        self.store = Store()
        self.bus = Bus(self)
        self.nodes = [Node(number, self) for number in range(plan.nodes)]
        self.documents = [f"document {number}" for number in range(plan.documents)]
        self.peers: list[Peer] = []
        self.devices: list[Device] = []
        self.edits_stored: dict[str, set[str]] = {}
        self._numbers = itertools.count(1)
        for document in self.documents:
            self.store.log(document).append([first_row()])
            self.promises.made[document] = {FIRST}
            for _ in range(plan.peers):
                self.add_peer(document)
            for _ in range(plan.devices):
                self.devices.append(
                    Device(f"device {next(self._numbers)}", document, self._replica()[0])
                )

    def add_peer(self, document: str, dialect: Dialect | None = None) -> Peer:
        """A new editor, not connected yet."""
        rng = self.rng
        replica, client_id = self._replica()
        name = f"peer {next(self._numbers)}"
        peer = Peer(
            name, document, dialect or rng.choice(list(Dialect)), replica, Presence(client_id)
        )
        peer.can_write = rng.random() >= self.plan.readers
        peer.never_wrote = not peer.can_write
        self.peers.append(peer)
        return peer

    def _replica(self) -> tuple[Replica, int]:
        # The low digits are the peer's own: two replicas of one client id destroy each other.
        bits = self.rng.choice((1, 16, 38))
        client_id = self.rng.getrandbits(bits) * 10_000 + next(self._numbers)
        kind = PlainReplica if self.rng.random() < self.plan.plain else PatientReplica
        return kind(client_id), client_id

    # -- the run --------------------------------------------------------------------------

    def run(self) -> None:
        """Everything; raises Broken for what does not hold."""
        names = [name for name, weight in self.plan.weights.items() if weight]
        weights = [self.plan.weights[name] for name in names]
        deeds = [chances.ALL[name] for name in names]
        for _ in range(self.plan.steps):
            self.now += 0.1 * self.rng.random()
            self.rng.choices(deeds, weights)[0](self)
        self.finish()

    def finish(self) -> None:
        """No more faults: come to rest, look at what everybody has, and let everybody go."""
        self.heal()
        for document in self.documents:
            joiners = self._let_join(document)
            self.promises.final(document, joiners)
        self._end()

    def heal(self) -> None:
        """No more faults: everybody connects, everything arrives, time passes."""
        self.store.stalled = False
        self._come_to_rest()
        if len(self.nodes) > 1:
            for node in self.nodes:
                node.mouth.say()  # A sign of life: it tells of frames that were lost before it.
            self._come_to_rest()
            self.now += 10.0  # Nodes that are not heard of for so long are dead.
            for node in self.nodes:
                node.tick()
            self._come_to_rest()
        if not self.plan.weights["block"]:
            self.promises.no_ghosts()  # Slow readers may miss who left, and forget it in time.
        for peer in self.peers:
            if (peer.refused or self._holds_alone(peer)) and not peer.estranged:
                peer.disconnect(self.rng)  # It comes back, and shows all it has.
        for _ in range(6):
            self.now += 8.0
            for peer in self.peers:
                peer.tick(self.now)
            self._come_to_rest()

    def _holds_alone(self, peer: Peer) -> bool:
        """Whether a peer may have what nobody else will bring, and nobody had a reason to ask."""
        if isinstance(peer.replica, PlainReplica):
            return peer.replica.kept_back
        if not peer.borrowed_in_vain:
            return False
        known = decode_state_vector(self.store.log(peer.document).truth.state_vector())
        own = decode_state_vector(peer.replica.vector())
        client = peer.presence.client_id
        return known.get(client, 0) >= own.get(client, 0)

    def _come_to_rest(self) -> None:
        for _ in range(ROUNDS_MAX):
            if not self._round():
                return
        raise Broken("without any fault it does not come to rest")

    def _round(self) -> bool:
        """Let everything go on a little; answers whether anything did."""
        self.now += 0.5
        moved = self._round_of_network()
        for way in self.bus.busy():
            moved = True
            while self.bus.ways[way]:
                self.bus.deliver(way)
        for node in self.nodes:
            node.poll()
            moved |= bool(node.jobs) or any(live.inbox for live in node.rooms.values())
            node.turn()
            for job in list(node.jobs):
                if job in node.jobs:
                    node.step(job, fails=False)
            node.tick()
        for key in self.store.landing():
            self.store.land(key, self.rng)
        for key in self.store.answering():
            moved = True
            self.store.answer(key)
        for device in self.devices:
            device.push(self.rng, self.rng.choice(self.nodes))
            moved |= bool(device.waiting)
        return moved

    def _round_of_network(self) -> bool:
        """Everybody connects and reads; all that is under way arrives."""
        moved = False
        for peer in self.peers:
            if peer.alive and peer.connection is None and not peer.estranged:
                peer.connect(self.rng.choice(self.nodes), self)
        for connection in list(self.network.connections):
            moved |= bool(connection.up or connection.down)
            if connection.blocked:
                connection.node.unblock(connection)
            while connection.up and connection.server_open:
                connection.node.receive(connection)
            while connection.down and connection.peer_open:
                connection.peer.receive(connection, self)
        self.network.sweep()
        return moved

    def _let_join(self, document: str) -> list[Peer]:
        """One fresh peer of each dialect."""
        joiners = [self.add_peer(document, dialect) for dialect in Dialect]
        joiners[0].replica = PatientReplica(0)
        self._come_to_rest()
        return joiners

    def _end(self) -> None:
        """Everybody leaves: no room keeps anything waiting, and all are unloaded."""
        for peer in self.peers:
            peer.disconnect(self.rng)
            peer.alive = False
        self._come_to_rest()
        for node in self.nodes:
            for live in node.rooms.values():
                self.promises.check(live.room.idle, f"the room of {live.document} is not idle")
        self.now += 10.0
        for node in self.nodes:
            node.tick()
            self.now += 10.0
            node.tick()
            self.promises.check(not node.rooms, "rooms that nobody needs are not unloaded")

    def rebuilt(self, document: str) -> Replica:
        """A replica of the stored rows and nothing else, made by pycrdt alone."""
        replica = PlainReplica(0)
        rows, _ = self.store.log(document).read()
        if rows:
            replica.apply(pycrdt.merge_updates(*rows))
        return replica

    def describe(self) -> dict[str, Any]:
        """What happened, for one who looks into a failure."""
        texts = {peer.name: text_of(peer.replica.doc()) for peer in self.peers}
        return {"plan": self.plan, "counts": dict(self.promises.counts), "texts": texts}


def run(seed: int, room_type: type[Room] = Room, plan: Plan | None = None) -> World:
    """One run; a promise that breaks says which seed broke it."""
    world = World(seed, room_type, plan)
    try:
        world.run()
    except Exception as error:
        again = f"PLAIT_SEED={seed} scripts/test tests/simulation"
        raise Broken(f"seed {seed}: {error!s}\n  to run it again: {again}") from error
    return world
