"""One write per connection and turn, and nothing shared for a reader that does not read."""

from __future__ import annotations

import asyncio

from server.outbox import Outbox, Turns
from tests.patience import PATIENCE_S


class Wire(asyncio.Transport):
    """A transport that remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.written = asyncio.Event()
        self.aborted = False
        self.closed = False

    def is_closing(self) -> bool:
        """Whether the peer is gone."""
        return self.closed

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Remember it; like uvloop, raise once the transport is closed."""
        if self.closed:
            raise RuntimeError("the handler is closed")
        self.writes.append(bytes(data))
        self.written.set()

    def abort(self) -> None:
        """Remember it."""
        self.aborted = True


class Chatty:
    """A room that says one thing to one outbox in its turn, or fails."""

    def __init__(self, turns: Turns, outbox: Outbox, frame: bytes | None) -> None:
        self._turns = turns
        self._outbox = outbox
        self._frame = frame
        self.given_up = False
        self.not_before = 0.0

    def turn(self, now: float) -> None:
        """Say it."""
        del now
        if self._frame is None:
            raise ValueError("a fault of ours")
        self._turns.queue(self._outbox, self._frame)

    def failed(self) -> None:
        """Told that the turn raised."""
        self.given_up = True


def outbox_on(wire: Wire, bytes_max: int = 100) -> Outbox:
    """An outbox that writes to `wire`."""
    return Outbox(wire, bytes_max, 0.0)


async def one_turn() -> None:
    """Let what was scheduled for the next turn of the loop happen."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_all_frames_of_a_turn_leave_in_one_write() -> None:
    """Two rooms and a direct answer to one connection cost one write."""
    turns, wire = Turns(asyncio.get_running_loop()), Wire()
    outbox = outbox_on(wire)

    turns.queue(outbox, b"a")
    turns.room(Chatty(turns, outbox, b"b"))
    turns.room(Chatty(turns, outbox, b"c"))
    await one_turn()

    assert wire.writes == [b"abc"]


async def test_a_room_that_fails_is_given_up_and_the_others_go_on() -> None:
    """One room's fault costs no other room its turn."""
    turns, wire = Turns(asyncio.get_running_loop()), Wire()
    outbox = outbox_on(wire)
    bad, good = Chatty(turns, outbox, None), Chatty(turns, outbox, b"good")

    turns.room(bad)
    turns.room(good)
    await one_turn()

    assert bad.given_up
    assert not good.given_up
    assert wire.writes == [b"good"]


async def test_a_connection_that_just_closed_costs_the_others_nothing() -> None:
    """A transport that is closed before we are told takes no other connection's frames along."""
    turns, gone, here = Turns(asyncio.get_running_loop()), Wire(), Wire()
    gone.closed = True

    turns.queue(outbox_on(gone), b"lost")
    turns.queue(outbox_on(here), b"kept")
    await one_turn()

    assert here.writes == [b"kept"]


async def test_a_blocked_outbox_writes_nothing_until_it_is_free() -> None:
    """What waits for a reader that stopped stays in order until it reads again."""
    turns, wire = Turns(asyncio.get_running_loop()), Wire()
    outbox = outbox_on(wire)
    outbox.blocked = True

    turns.queue(outbox, b"a")
    await one_turn()
    before = list(wire.writes)
    outbox.blocked = False
    turns.touch(outbox)
    turns.queue(outbox, b"b")
    await one_turn()

    assert before == []
    assert wire.writes == [b"ab"]


async def test_a_blocked_reader_over_its_bound_is_cut_off() -> None:
    """More answers than the bound for somebody who does not read end the connection."""
    turns, wire = Turns(asyncio.get_running_loop()), Wire()
    outbox = outbox_on(wire, bytes_max=10)
    outbox.blocked = True

    turns.queue(outbox, b"x" * 11)
    await one_turn()

    assert wire.aborted
    assert outbox.frames == []


async def test_under_load_an_acknowledgement_leaves_with_the_next_frame() -> None:
    """An answer that may wait is written together with what comes after it."""
    turns, wire = Turns(asyncio.get_running_loop()), Wire()
    outbox = outbox_on(wire)
    turns.hurried = False

    turns.answer(outbox, b"ack")
    await one_turn()
    before = list(wire.writes)
    turns.queue(outbox, b"frame")
    await one_turn()

    assert before == []
    assert wire.writes == [b"ackframe"]


async def test_an_acknowledgement_without_company_leaves_by_itself() -> None:
    """An answer that waited for nothing is written within a few milliseconds."""
    turns, wire = Turns(asyncio.get_running_loop()), Wire()
    turns.hurried = False

    turns.answer(outbox_on(wire), b"ack")
    async with asyncio.timeout(PATIENCE_S):
        await wire.written.wait()

    assert wire.writes == [b"ack"]


async def test_a_paced_room_has_its_turn_later_and_once() -> None:
    """`wait` hands over the turn at its time; a time that is past is refused."""
    loop = asyncio.get_running_loop()
    turns, wire = Turns(loop), Wire()
    room = Chatty(turns, outbox_on(wire), b"late")

    room.not_before = loop.time() - 1
    past = turns.wait(room)
    room.not_before = loop.time() + 0.005
    later = turns.wait(room)
    await one_turn()
    before = list(wire.writes)
    async with asyncio.timeout(PATIENCE_S):
        await wire.written.wait()

    assert (past, later) == (False, True)
    assert before == []
    assert wire.writes == [b"late"]


async def test_a_turn_that_came_early_leaves_no_wake_up_behind() -> None:
    """The end of a pause that was cut short does not cut the next one short.

    It did: under load every other turn of a crowd came by such a timer, with half as much in it.
    """
    loop = asyncio.get_running_loop()
    turns, wire = Turns(loop), Wire()
    room = Chatty(turns, outbox_on(wire), b"early")

    room.not_before = loop.time() + 0.005
    turns.wait(room)
    turns.room(room)  # Enough came in: it does not wait for the end of its pause.
    await one_turn()
    room.not_before = loop.time() + 60
    turns.wait(room)
    passed = asyncio.Event()
    loop.call_later(0.02, passed.set)
    await passed.wait()

    assert wire.writes == [b"early"]
