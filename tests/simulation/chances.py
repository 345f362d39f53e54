"""What may happen in a step of a run, each as one function of the world.

Faults do not explain themselves: what the system must make of them is in `checks`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from crdt import wire
from crdt.events import EDIT
from crdt.room import Phase
from crdt.wire import var_uint
from tests.crdt.rooms import Unreadable
from tests.simulation.bus import Mouth
from tests.simulation.network import Connection
from tests.simulation.peers import Peer
from tests.simulation.replicas import FIRST_CLIENT, insert_token

if TYPE_CHECKING:
    from tests.simulation.node import LiveRoom
    from tests.simulation.world import World


HALF = b"\0\x28\1\4junk\1k\1\x7d\1"
"""First clock 0, and a struct that sets a key of a map that nobody looks at."""


def _alive(world: World) -> list[Peer]:
    return [peer for peer in world.peers if peer.alive]


def _connected(world: World) -> list[Peer]:
    return [peer for peer in world.peers if peer.connection is not None]


def _rooms(world: World) -> list[LiveRoom]:
    return [live for node in world.nodes for live in node.rooms.values()]


# -- what always goes on ------------------------------------------------------------------


def write(world: World) -> None:
    """Somebody edits, connected or not; readers hardly ever, and in vain."""
    peers = _alive(world)
    if peers:
        peer = world.rng.choice(peers)
        if peer.can_write or world.rng.random() < 0.02:
            peer.write(world.rng, world)


def up(world: World) -> None:
    """Some frames of one connection reach their server."""
    connections = world.network.sending_up()
    if connections:
        connection = world.rng.choice(connections)
        for _ in range(world.rng.randint(1, 3)):
            if connection.up and connection.server_open:
                connection.node.receive(connection)


def down(world: World) -> None:
    """Some frames of one connection reach their peer."""
    connections = world.network.sending_down()
    if connections:
        connection = world.rng.choice(connections)
        for _ in range(world.rng.randint(1, 4)):
            if connection.down and connection.peer_open:
                connection.peer.receive(connection, world)


def turn(world: World) -> None:
    """A turn of a node's event loop ends."""
    world.rng.choice(world.nodes).turn()


def land(world: World) -> None:
    """The store commits something."""
    keys = world.store.landing()
    if keys:
        world.store.land(world.rng.choice(keys), world.rng)


def answer(world: World) -> None:
    """The store says so."""
    keys = world.store.answering()
    if keys:
        world.store.answer(world.rng.choice(keys))


def job(world: World) -> None:
    """A read of the store goes on."""
    jobs = [(node, job) for node in world.nodes for job in node.jobs]
    if jobs and not world.store.stalled:
        node, one = world.rng.choice(jobs)
        node.step(one, fails=False)


def poll(world: World) -> None:
    """A node looks for what others wrote."""
    if not world.store.stalled:
        world.rng.choice(world.nodes).poll()


def connect(world: World) -> None:
    """A peer connects."""
    peers = [peer for peer in _alive(world) if peer.connection is None]
    if peers:
        world.rng.choice(peers).connect(world.rng.choice(world.nodes), world)
    world.network.sweep()


def tick(world: World) -> None:
    """Timers run."""
    world.rng.choice(world.nodes).tick()
    for peer in world.peers:
        peer.tick(world.now)


def say(world: World) -> None:
    """A cursor moves."""
    peers = _alive(world)
    if peers:
        state = b'{"cursor": %d}' % world.rng.randrange(1000)
        world.rng.choice(peers).say(state, world.now)


def hear(world: World) -> None:
    """A node hears what another said."""
    ways = world.bus.busy()
    if ways:
        world.bus.deliver(world.rng.choice(ways))


# -- faults ---------------------------------------------------------------------------------


def burst(world: World) -> None:
    """Somebody types fast, and all of it reaches the server within one turn."""
    peers = [peer for peer in _connected(world) if peer.can_write]
    if peers:
        peer = world.rng.choice(peers)
        for _ in range(world.rng.randint(5, 15)):
            peer.write(world.rng, world)
        connection = peer.connection
        while connection and connection.up and connection.server_open:
            connection.node.receive(connection)


def cut(world: World) -> None:
    """A connection breaks between its ends."""
    if world.network.connections:
        world.rng.choice(world.network.connections).cut(world.rng)


def leave(world: World) -> None:
    """A peer goes offline."""
    peers = _connected(world)
    if peers:
        world.rng.choice(peers).disconnect(world.rng)


def die(world: World) -> None:
    """A peer goes and takes its document with it: only what the server has remains."""
    peers = _alive(world)
    if len(peers) > 1:
        world.rng.choice(peers).die(world.rng)


def newcomer(world: World) -> None:
    """A peer comes with an empty document."""
    if len(_alive(world)) < 12:
        world.add_peer(world.rng.choice(world.documents))


def again(world: World) -> None:
    """A client sends an update twice."""
    peers = _connected(world)
    if peers:
        world.rng.choice(peers).send_again(world.rng)


def block(world: World) -> None:
    """A reader stops reading."""
    if world.network.connections:
        connection: Connection = world.rng.choice(world.network.connections)
        connection.blocked = connection.server_open


def unblock(world: World) -> None:
    """A slow reader reads on."""
    connections = [c for c in world.network.connections if c.blocked]
    if connections:
        connection = world.rng.choice(connections)
        connection.node.unblock(connection)


def stall(world: World) -> None:
    """The store stops, or goes on."""
    world.store.stalled = not world.store.stalled


def crash(world: World) -> None:
    """A server process dies and is started again: what was committed is all that remains."""
    node = world.rng.choice(world.nodes)
    world.store.node_died(node.number, world.rng)
    for connection in world.network.connections:
        if connection.node is node and connection.server_open:
            connection.close_at_server(world.rng)
    for other in world.nodes:
        if other is not node:
            other.mouth.doubt(node.mouth.name, in_s=8.0)
            world.bus.ways.get((other.number, node.number), deque()).clear()
    node.mouth = Mouth(node)
    node.late.clear()
    node.rooms.clear()
    node.over.clear()
    node.jobs.clear()
    for device in world.devices:
        device.cut_off()
    world.promises.counts["crashed"] += 1


def lose_frame(world: World) -> None:
    """The bus loses what a node said."""
    ways = world.bus.busy()
    if ways:
        world.bus.lose(world.rng.choice(ways))


def lose_load(world: World) -> None:
    """The store cannot be read: the room must be refused, and never be taken for empty."""
    jobs = [(node, job) for node in world.nodes for job in node.jobs]
    if jobs:
        node, one = world.rng.choice(jobs)
        node.step(one, fails=True)


def compact(world: World) -> None:
    """The committed rows up to some point become a snapshot."""
    log = world.store.log(world.rng.choice(world.documents))
    if log.head > log.boundary:
        why_not = log.compact(world.rng.randint(log.boundary + 1, log.head))
        world.promises.check(not why_not, f"a log cannot be compacted: {why_not}")
        world.promises.counts["compacted"] += 1


def fence(world: World) -> None:
    """A document is deleted under its room, and restored at once."""
    world.store.fence(world.rng.choice(world.documents), "deleted")


def hand_over(world: World) -> None:
    """Two peers share their documents past the server."""
    peers = [peer for peer in _alive(world) if not peer.never_wrote and not peer.estranged]
    if len(peers) > 1:
        one, other = world.rng.sample(peers, 2)
        if one.document == other.document:
            one.hand_over(other)


def device_write(world: World) -> None:
    """A device edits offline."""
    if world.devices:
        world.rng.choice(world.devices).write(world.rng, world)


def device_push(world: World) -> None:
    """A device pushes."""
    if world.devices:
        world.rng.choice(world.devices).push(world.rng, world.rng.choice(world.nodes))


def device_pull(world: World) -> None:
    """A device pulls."""
    if world.devices:
        world.rng.choice(world.devices).pull(world)


def edit(world: World) -> None:
    """The server itself changes a document, as an adapter does."""
    document = world.rng.choice(world.documents)
    token, place = world.promises.new_token(), world.rng.random()
    world.promises.made.setdefault(document, set()).add(token)

    def done(ok: bool) -> None:
        if ok:
            world.edits_stored.setdefault(document, set()).add(token)

    node = world.rng.choice(world.nodes)
    node.call(document, EDIT, lambda doc: insert_token(doc, place, token), "adapter", done)


def malformed(world: World) -> None:
    """A peer sends bytes that are no update, or a frame that is no frame."""
    peers = _connected(world)
    if peers:
        peer = world.rng.choice(peers)
        update = peer.replica.diff(b"\0")
        bad: list[bytes] = [
            wire.update(update[:-1]),
            wire.update(update + b"\0"),
            wire.step2(update[: len(update) // 2]),
            wire.update(b""),
            wire.update(update)[:-1],
            wire.step1(b"\xff\xff"),
            b"\x01\x01\x05",
        ]
        _send_bad(peer, world.rng.choice(bad))


def poison(world: World) -> None:
    """A peer sends an update that pycrdt decodes and then breaks its document with.

    Its parent is the letter that every document of a run begins with: a struct that is there,
    holds nothing, and is never deleted.
    """
    peers = [peer for peer in _connected(world) if peer.can_write]
    if peers:
        stranger = var_uint(world.rng.getrandbits(31))
        bad = b"\x04\0" + var_uint(FIRST_CLIENT) + b"\0\1x"
        # Alone it is refused; behind another struct it leaves a document half done.
        structs = world.rng.choice((b"\1" + stranger + b"\0" + bad, b"\2" + stranger + HALF + bad))
        update = b"\1" + structs + b"\0"
        _send_bad(world.rng.choice(peers), wire.update(update))
        world.promises.counts["poison"] += 1


def _send_bad(peer: Peer, frame: bytes) -> None:
    assert peer.connection is not None
    if frame[:2] in (b"\0\1", b"\0\2"):
        peer.unsynced += 1
    peer.connection.to_server(frame)


def doom(world: World) -> None:
    """The document of a room breaks by itself: whatever is asked of it next panics."""
    rooms = [live for live in _rooms(world) if live.room.phase is Phase.LIVE]
    if rooms:
        replica: Any = world.rng.choice(rooms).room.document.wake()._replica
        if world.rng.random() < 0.5:
            replica._broken = "broken by the simulator"
        else:  # In the middle of a turn, when it is read.
            replica._raw = Unreadable(replica._raw)
        world.promises.counts["doomed"] += 1


def regrant(world: World) -> None:
    """A peer may write from now on, or may not."""
    peers = _alive(world)
    if peers:
        peer = world.rng.choice(peers)
        peer.can_write = not peer.can_write
        peer.never_wrote = False
        for live in _rooms(world):
            for member in live.members():
                if member.connection is not None and member.connection.peer is peer:
                    member.can_write = peer.can_write


ALL: dict[str, Callable[[World], None]] = {
    chance.__name__: chance
    for chance in (
        write, up, turn, down, land, answer, job, poll, connect, tick, say, burst, cut, leave, die,
        newcomer, again, block, unblock, stall, crash, lose_load, compact, fence, hand_over,
        hear, lose_frame, device_write, device_push, device_pull, edit, malformed, poison, doom,
        regrant,
    )
}  # fmt: skip
