"""What arrives while a document loads: all of it, in order, and no more than the bound."""

from __future__ import annotations

import dataclasses

from crdt.bounds import BOUNDS
from crdt.effects import CloseAll, Session
from crdt.events import Loaded
from crdt.waiting import ITEM_BYTES, Waiting
from tests.crdt.rooms import Editor, Play, answers, joining, push, refusals, update

ADA = Session("ada", can_write=True, greets=False)
SMALL = dataclasses.replace(BOUNDS, waiting_bytes_max=4 * ITEM_BYTES)


def test_what_waits_is_taken_in_order_and_once() -> None:
    """What was to be handled before comes before what came since."""
    first, second, third = (update(ADA, letter) for letter in (b"a", b"b", b"c"))
    waiting = Waiting(BOUNDS)

    assert not waiting
    assert waiting.fits([second])
    assert waiting.fits([third])
    waiting.put_first([first])

    assert waiting.take() == [first, second, third]
    assert (waiting.take(), waiting.bytes, bool(waiting)) == ([], 0, False)


def test_a_turn_that_is_too_much_is_not_kept_in_part() -> None:
    """What is kept already stays, and the next one that fits is kept."""
    waiting = Waiting(SMALL)

    assert waiting.fits([update(ADA, b"x" * 100)])
    before = waiting.bytes
    assert not waiting.fits([update(ADA, b"y"), update(ADA, b"x" * 2 * ITEM_BYTES)])
    assert waiting.bytes == before
    assert waiting.fits([update(ADA, b"z")])

    assert [item[2] for item in waiting.take()] == [b"x" * 100, b"z"]


def test_who_joined_and_left_again_is_not_there() -> None:
    """The others are, in order."""
    eve, bob = (Session(name, can_write=True, greets=False) for name in ("eve", "bob"))
    waiting = Waiting(BOUNDS)
    waiting.fits([joining(eve), joining(ADA), update(ADA, b"a"), joining(bob)])
    eve.left = True

    assert waiting.sessions() == [ADA, bob]


def test_a_room_sends_away_who_floods_it_while_it_loads() -> None:
    """Callers and members are told so; what came before is handled when it is loaded."""
    play = Play(bounds=SMALL, loaded=False)
    bob, caller = (Session(name, can_write=True, greets=False) for name in ("bob", "rest"))
    typed = Editor().type("kept")
    play.turn(joining(ADA), update(ADA, typed))

    flood = play.turn(joining(bob), push(caller, b"x" * 4 * ITEM_BYTES))
    loaded = play.tell(Loaded([]))

    assert refusals(flood) == [(caller, "overloaded")]
    assert answers(flood) == [(caller, False)]
    assert flood[-1] == CloseAll("overloaded", [bob])
    assert play.text() == "kept"
    assert list(play.room.sessions) == [ADA]
    assert answers([*loaded, *play.stored(1)]) == [(ADA, True)]
