"""Goal: a server may die at any step of a day's work, and nothing it acknowledged is missing after.

Method: a story without chance, cut off after each of its steps in turn; what was on its way to the
store then lands or does not. Afterwards everybody comes back, and `Promises.final` looks.
"""

from collections.abc import Iterator
from random import Random

import pytest

from crdt.bounds import Bounds
from crdt.events import EDIT
from tests.simulation.network import Dialect
from tests.simulation.peers import Device, Peer
from tests.simulation.plan import FAULTS, WEIGHTS, Plan
from tests.simulation.replicas import PatientReplica, insert_token
from tests.simulation.world import World

PLAN = Plan(
    documents=1,
    nodes=1,
    peers=0,
    devices=0,
    readers=0.0,
    plain=0.0,
    steps=0,
    weights=dict.fromkeys(WEIGHTS | FAULTS, 0.0),
    bounds=Bounds(),
)
STEPS = 140
"""What the story has at most; a test counts them."""


class Story:
    """Three editors and a device on one document, from the first connection to the last edit."""

    def __init__(self) -> None:
        self.world = world = World(0, plan=PLAN)
        self.node = world.nodes[0]
        (self.document,) = world.documents
        self.peers = [world.add_peer(self.document, dialect) for dialect in Dialect]
        self.device = Device("device", self.document, PatientReplica(77))
        world.devices.append(self.device)
        self.lane = (self.node.number, self.document)

    def steps(self) -> Iterator[str]:
        """Go on by one step each time; says what was done."""
        one, two, three = self.peers
        yield from self._connect(one)
        yield from self._connect(two)
        yield from self._type(one)
        yield from self._type(one, two)
        yield from self._store()
        self.world.store.log(self.document).compact(self.world.store.log(self.document).head)
        yield "compacted"
        yield from self._push()
        yield from self._connect(three)
        yield from self._type(three)
        one.disconnect(Random(0))
        yield "one leaves"
        yield from self._type(two)
        one.write(Random(1), self.world)
        yield "one edits offline"
        yield from self._connect(one)
        self._edit()
        yield from self._turn()
        yield from self._store()
        yield from self._type(one, two, three)
        yield from self._store()
        yield from self._deliver()

    def _connect(self, peer: Peer) -> Iterator[str]:
        peer.connect(self.node, self.world)
        yield f"{peer.name} connects"
        yield from self._turn()
        for job in list(self.node.jobs):
            self.node.step(job, fails=False)
            yield "the log is read"
            self.node.step(job, fails=False)
            yield "the document is loaded"
        yield from self._deliver()
        yield from self._turn()

    def _type(self, *peers: Peer) -> Iterator[str]:
        for peer in peers:
            peer.write(Random(3), self.world)
            peer.write(Random(4), self.world)
            yield f"{peer.name} types"
        yield from self._turn()
        yield from self._store()
        yield from self._deliver()

    def _push(self) -> Iterator[str]:
        self.device.write(Random(5), self.world)
        self.device.push(Random(5), self.node)
        yield "a push comes"
        yield from self._turn()
        yield from self._store()

    def _edit(self) -> None:
        token = self.world.promises.new_token()
        self.world.promises.made[self.document].add(token)
        stored = self.world.edits_stored.setdefault(self.document, set())
        self.node.call(
            self.document, EDIT, lambda doc: insert_token(doc, 0.5, token), "adapter",
            lambda ok: stored.add(token) if ok else None,
        )  # fmt: skip

    def _turn(self) -> Iterator[str]:
        for connection in self.world.network.sending_up():
            while connection.up and connection.server_open:
                self.node.receive(connection)
        self.node.turn()
        yield "a turn ends"

    def _store(self) -> Iterator[str]:
        """Land and answer, one batch after the other."""
        while self.lane in self.world.store.landing():
            self.world.store.land(self.lane, Random(0))
            yield "a batch lands"
        while self.lane in self.world.store.answering():
            self.world.store.answer(self.lane)
            yield "a batch is answered"

    def _deliver(self) -> Iterator[str]:
        for connection in self.world.network.sending_down():
            while connection.down and connection.peer_open:
                connection.peer.receive(connection, self.world)
            yield f"{connection.peer.name} hears"

    def crash(self, *, lands: bool) -> None:
        """The server dies; the oldest batch on its way lands in the store, or does not."""
        if lands and self.lane in self.world.store.landing():
            self.world.store.land(self.lane, Random(0))
        self.world.store.lanes.clear()
        for connection in self.world.network.connections:
            connection.close_at_server(Random(1))
        self.node.rooms.clear()
        self.node.jobs.clear()
        self.device.cut_off()

    def stored(self) -> set[str]:
        """All that anybody was told to be stored."""
        told = (it.stored for it in [*self.peers, self.device])
        return set().union(*told, self.world.edits_stored.get(self.document, set()))


def _up_to(step: int) -> tuple[Story, bool]:
    """The story after so many steps, and whether it goes on."""
    story = Story()
    steps = story.steps()
    for _ in range(step):
        if next(steps, None) is None:
            return story, False
    return story, True


@pytest.mark.parametrize("lands", [True, False], ids=["lands", "is lost"])
def test_a_crash_at_any_step_loses_nothing_that_was_acknowledged(lands: bool) -> None:
    """And everything is there in the end, as every editor still has it."""
    for step in range(STEPS):
        story, goes_on = _up_to(step)
        if not goes_on:
            break
        told = story.stored()
        story.crash(lands=lands)
        story.world.finish()

        assert told <= story.stored()


@pytest.mark.parametrize("lands", [True, False], ids=["lands", "is lost"])
def test_who_never_comes_back_loses_only_what_was_never_acknowledged(lands: bool) -> None:
    """The server dies together with all editors: the store alone must have all it promised."""
    for step in range(STEPS):
        story, goes_on = _up_to(step)
        if not goes_on:
            break
        story.crash(lands=lands)
        for peer in story.peers:
            peer.die(Random(2))
        story.world.devices.clear()
        story.world.finish()


def test_a_second_crash_while_all_come_back_changes_nothing() -> None:
    """The server dies at a step, and again when everybody has just connected."""
    for step in range(0, STEPS, 3):
        story, goes_on = _up_to(step)
        if not goes_on:
            break
        story.crash(lands=True)
        for peer in story.peers:
            if peer.connection is not None:
                peer.disconnect(Random(3))
            peer.connect(story.node, story.world)
        story.node.turn()
        for _ in story._turn():
            story.crash(lands=False)
        story.world.finish()


def test_the_story_is_long_enough_to_fail() -> None:
    """Each kind of step occurs, each dialect is told of stored edits, and all steps are tried."""
    story = Story()
    said = list(story.steps())

    assert {"a batch lands", "a batch is answered", "a push comes", "compacted"} <= set(said)
    assert len(said) < STEPS
    assert all(peer.stored for peer in story.peers)
    assert story.device.stored
    assert len(story.stored()) >= 10
