"""Presence is shown at once in small rooms, gathered in large ones, and ends with its owner."""

from __future__ import annotations

import pytest

from crdt import wire
from crdt.awareness import Awareness, Entry, decode, encode
from crdt.bounds import BOUNDS
from crdt.cursors import Cursors
from crdt.effects import Session
from crdt.errors import WireError

CROWD = BOUNDS.presence_tick_from
TICK = BOUNDS.presence_tick_s


def cursors() -> Cursors:
    """The cursors of an empty room."""
    return Cursors(Awareness, BOUNDS)


def session(account: str = "ada") -> Session:
    """Somebody with a cursor."""
    return Session(account, can_write=True, greets=True)


def moved(client: int, clock: int) -> Entry:
    """A cursor at its next place."""
    return Entry(client, clock, b'{"cursor":%d}' % clock)


def shown(body: bytes | None) -> dict[int, int]:
    """Client ids and clocks of an awareness message."""
    assert body is not None
    kind, payload = wire.decode_y(body)
    assert kind == wire.AWARENESS
    return {entry.client: entry.clock for entry in decode(payload)}


def test_a_small_room_shows_at_once() -> None:
    """Two people see each other's cursors without any tick."""
    room = cursors()

    body = room.show({1: moved(1, 1)}, 0.0, 2)

    assert shown(body) == {1: 1}
    assert room.due is None


def test_a_large_room_shows_the_first_at_once_and_gathers_the_rest() -> None:
    """In a crowd the newest place of each cursor leaves with the tick, in one message."""
    room = cursors()

    first = room.show({1: moved(1, 1)}, 10.0, CROWD)
    held = [
        room.show({1: moved(1, 2)}, 10.001, CROWD),
        room.show({2: moved(2, 1)}, 10.002, CROWD),
        room.show({1: moved(1, 3)}, 10.003, CROWD),
    ]
    early = room.tick(10.004)
    (late,) = room.tick(10.0 + TICK)

    assert shown(first) == {1: 1}
    assert held == [None, None, None]
    assert early == []
    assert shown(late) == {1: 3, 2: 1}
    assert room.due is None


def test_who_leaves_before_the_tick_is_not_shown_again() -> None:
    """The end of a cursor is told at once, and what was gathered of it is dropped."""
    room, ada = cursors(), session()
    entries = room.hear(ada, encode([moved(7, 1)]), 0.0)
    room.show({0: moved(0, 1)}, 0.0, CROWD)
    room.show({entry.client: entry for entry in entries}, 0.001, CROWD)

    gone = room.leave(ada, 0.002)

    assert 7 in shown(gone)
    assert room.tick(1.0) == []


def test_a_silent_cursor_ends_by_itself() -> None:
    """Half a minute without a word ends a state, and the others are told."""
    room = cursors()
    room.hear(session(), encode([moved(7, 1)]), 0.0)

    assert room.tick(5.0) == []
    (gone,) = room.tick(1000.0)

    assert 7 in shown(gone)
    assert room.states() is None


def test_one_who_joins_is_shown_everybody() -> None:
    """The states of all who are here go out in one message."""
    room = cursors()
    room.hear(session("ada"), encode([moved(7, 1)]), 0.0)
    room.hear(session("bob"), encode([moved(8, 4)]), 0.0)

    assert shown(room.states()) == {7: 1, 8: 4}


def test_a_malformed_message_is_refused() -> None:
    """Bytes that are no awareness message are an error, and nothing of them is taken."""
    room = cursors()

    with pytest.raises(WireError):
        room.hear(session(), b"\x05\x01", 0.0)

    assert room.states() is None
