"""The life of a room: loading, joining, presence, the store, other nodes, the end."""

from __future__ import annotations

import dataclasses
import gc
from collections import deque
from types import FunctionType
from typing import Any

import pytest
from pycrdt import Text

from crdt import wire
from crdt.awareness import decode
from crdt.bounds import BOUNDS, Bounds
from crdt.effects import CloseAll, Session
from crdt.events import EDIT, Fenced, Left, Loaded, Remote, Ticked
from crdt.room import Phase, Room
from tests.crdt.rooms import (
    Editor,
    Play,
    answers,
    cursor,
    joining,
    kinds,
    payload,
    presence,
    push,
    read,
    refusals,
    sent,
    shown,
    step1,
    step2,
    stores,
    update,
    version,
)


def caller(account: str = "adapter") -> Session:
    """Somebody who is no member: a REST request."""
    return Session(account, can_write=True, greets=False)


# -- loading -------------------------------------------------------------------------------


def test_what_comes_while_the_document_loads_is_answered_after_it_in_order() -> None:
    """Two join and ask, one writes: nothing is answered before, all of it in order after."""
    play = Play(loaded=False)
    ada, bob = Session("ada", can_write=True, greets=True), caller("bob")
    typed = Editor().type("new")

    before = play.turn(joining(ada), step1(ada), update(ada, typed), joining(bob), step1(bob))
    after = play.tell(Loaded([Editor(8).type("old")]))

    assert before == []
    assert kinds(after)[0] == "Append"
    assert [wire.decode_y(body)[0] for body in sent(after, bob)] == [wire.STEP1, wire.STEP2]
    assert set(read(payload(sent(after, bob)[1]))) == set("newold")
    assert answers(play.stored(1)) == [(ada, True)]


def test_a_session_that_left_while_loading_is_not_greeted_but_its_update_counts() -> None:
    """Its cursor would stay for half a minute; what it typed must stay for good."""
    play = Play(loaded=False)
    ada = caller("ada")
    play.turn(joining(ada), update(ada, Editor().type("kept")), cursor(ada, (7, 1, b"{}")))
    play.tell(Left(ada))

    effects = play.tell(Loaded([]))

    assert stores(effects)
    assert sent(effects, ada) == []
    assert presence(effects) == []
    assert play.room.sessions == {}
    assert play.text() == "kept"


def test_rows_of_other_nodes_that_come_while_loading_are_not_lost() -> None:
    """The log may have been read just before they were committed."""
    play = Play(loaded=False)
    play.tell(Remote([Editor().type("late")]))

    play.tell(Loaded([]))

    assert play.text() == "late"


# -- the store -----------------------------------------------------------------------------


def test_an_update_is_acknowledged_after_its_commit_and_not_before() -> None:
    """By frame, by handshake and by push alike."""
    for item in (update, step2, push):
        play = Play()
        ada = play.join()

        at_once = play.turn(item(ada, Editor().type("a")))

        assert answers(at_once) == []
        assert answers(play.stored(1)) == [(ada, True)]


def test_what_brings_nothing_new_waits_for_what_it_repeats() -> None:
    """A replay by another session, and an empty handshake, hang on the commit of the original."""
    play = Play()
    ada, bob = play.join(), play.join("bob")
    typed = Editor().type("a")
    play.turn(update(ada, typed))

    early = play.turn(update(bob, typed), step2(bob, b"\0\0"))
    later = play.stored(1)
    idle = play.turn(update(bob, typed))

    assert answers(early) == []
    assert answers(later) == [(ada, True), (bob, True), (bob, True)]
    assert answers(idle) == [(bob, True)]


def test_answers_keep_the_order_of_the_messages() -> None:
    """A refusal does not overtake the answers that wait for a commit."""
    play = Play()
    ada = play.join()
    editor = Editor()

    at_once = play.turn(
        update(ada, editor.type("a")), update(ada, b"nonsense"), update(ada, editor.type("b"))
    )

    assert answers(at_once) == []
    assert answers(play.stored(1)) == [(ada, True), (ada, False), (ada, True)]


def test_one_commit_may_stand_for_several_batches() -> None:
    """The store answers with the last of them."""
    play = Play()
    ada, editor = play.join(), Editor()
    for letter in "abc":
        play.turn(update(ada, editor.type(letter)))

    effects = play.stored(3)

    assert answers(effects) == [(ada, True)] * 3
    assert play.room.uncommitted == 0


def test_a_version_is_confirmed_when_all_before_it_is_stored() -> None:
    """Y-Sweet's clients take it for that."""
    play = Play()
    ada = play.join(greets=True)

    early = play.turn(update(ada, Editor().type("a")), version(ada, 1))

    assert answers(early) == []
    assert answers(play.stored(1)) == [(ada, True), (ada, True)]


def test_a_version_is_not_confirmed_after_a_refused_update() -> None:
    """What was refused is in the version, and is not stored."""
    play = Play()
    ada = play.join(writes=False, greets=True)

    effects = play.turn(update(ada, Editor().type("a")), version(ada, 1))

    assert answers(effects) == [(ada, False), (ada, False)]


def test_a_fenced_room_refuses_what_is_in_flight_and_closes_everybody() -> None:
    """The document was deleted under it: nothing may be taken for stored."""
    play = Play()
    ada, bob, rest = play.join(), play.join("bob"), caller()
    play.turn(update(ada, Editor().type("a")), push(rest, Editor(8).type("b")))

    effects = play.tell(Fenced(1, "deleted"))

    assert answers(effects) == [(ada, False), (rest, False)]
    assert refusals(effects) == [(rest, "deleted")]
    assert effects[-1] == CloseAll("deleted", [ada, bob])
    assert play.room.phase is Phase.OVER
    assert play.room.idle


def test_a_room_that_ends_while_loading_leaves_nobody_waiting() -> None:
    """Neither who joined, nor who wrote, nor a REST request that pushed."""
    play = Play(loaded=False)
    ada, rest = caller("ada"), caller()
    play.turn(joining(ada), step2(ada, Editor().type("a")), push(rest, Editor(8).type("b")))

    effects = play.tell(Fenced(0, "load-failed"))

    assert answers(effects) == [(ada, False), (rest, False)]
    assert refusals(effects) == [(rest, "load-failed")]
    assert effects[-1] == CloseAll("load-failed", [ada])


def test_what_comes_for_a_room_that_is_over_is_turned_away() -> None:
    """It may have been under way when the room ended."""
    play = Play()
    play.tell(Fenced(0, "deleted"))
    ada, rest = caller("ada"), caller()

    effects = play.turn(joining(ada), push(rest, Editor().type("b")))

    assert answers(effects) == [(rest, False)]
    assert refusals(effects) == [(rest, "deleted")]
    assert effects[-1] == CloseAll("deleted", [ada])


# -- callers and other nodes ------------------------------------------------------------------


def test_a_push_is_shown_to_all_members_and_stored() -> None:
    """An open editor sees it at once."""
    play = Play()
    play.join()
    rest, typed = caller(), Editor().type("pushed")

    effects = play.turn(push(rest, typed))

    assert stores(effects) == [typed]
    assert shown(effects) == [(rest, wire.update(typed))]


def test_a_push_of_what_is_known_is_acknowledged_and_not_stored() -> None:
    """Devices push again what they are not sure of."""
    typed = Editor().type("a")
    play = Play(typed)

    effects = play.turn(push(rest := caller(), typed))

    assert stores(effects) == []
    assert shown(effects) == []
    assert answers(effects) == [(rest, True)]


def test_an_edit_of_the_server_is_stored_and_shown_to_all() -> None:
    """As an adapter makes it; it is answered after its commit."""
    play = Play(Editor().type("ab"))
    play.join()

    effects = play.turn((rest := caller(), EDIT, _append("c"), b""))

    assert read(play.room.document.encode()) == "abc"
    assert len(stores(effects)) == len(shown(effects)) == 1
    assert answers(effects) == []
    assert answers(play.stored(1)) == [(rest, True)]


def test_an_edit_that_changes_nothing_is_answered_at_once() -> None:
    """There is nothing to store."""
    effects = Play().turn((rest := caller(), EDIT, lambda _: None, b""))

    assert stores(effects) == []
    assert answers(effects) == [(rest, True)]


def test_rows_of_another_node_are_shown_and_not_stored_again() -> None:
    """They are in the log."""
    play = Play()
    play.join()
    row = Editor().type("far")

    effects = play.tell(Remote([row]))

    assert kinds(effects) == ["Broadcast"]
    assert shown(effects) == [(None, wire.update(row))]
    assert play.text() == "far"


def test_rows_of_another_node_are_taken_where_no_more_may_wait() -> None:
    """They are stored: to refuse them would be to differ from the log."""
    bounds = dataclasses.replace(BOUNDS, pending_updates_max=1)
    first, second = Editor(8), Editor(9)
    first.type("a"), second.type("b")
    play = Play(first.type("c"), bounds=bounds)

    play.tell(Remote([second.type("d")]))
    play.tell(Remote([*first.updates[:1], *second.updates[:1]]))
    play.tell(Ticked())

    assert sorted(play.text()) == ["a", "b", "c", "d"]


# -- presence ----------------------------------------------------------------------------------


def test_a_cursor_is_shown_to_all_its_owner_included() -> None:
    """The echo is the only keep-alive of some clients; who joins later is told."""
    play = Play()
    ada = play.join()

    effects = play.turn(cursor(ada, (7, 1, b'{"x":1}')))
    bob = caller("bob")
    greeting = play.turn(joining(bob))

    assert [_entries(body) for body in presence(effects)] == [[(7, 1, b'{"x":1}')]]
    assert [_entries(body) for body in sent(greeting, bob)] == [[(7, 1, b'{"x":1}')]]


def test_only_the_newest_state_of_a_turn_is_shown() -> None:
    """A pointer moves faster than anybody looks."""
    play = Play()
    ada = play.join()

    effects = play.turn(cursor(ada, (7, 1, b"1")), cursor(ada, (7, 2, b"2")))

    assert [_entries(body) for body in presence(effects)] == [[(7, 2, b"2")]]


def test_who_leaves_is_gone_for_all_at_once_however_it_left() -> None:
    """An abrupt close is a `Left` like any other; the clock is the known one."""
    play = Play()
    ada = play.join()
    play.join("bob")
    play.turn(cursor(ada, (7, 3, b"{}")))

    effects = play.tell(Left(ada))

    assert [_entries(body) for body in presence(effects)] == [[(7, 3, b"null")]]
    assert ada not in play.room.sessions


def test_nobody_moves_the_cursor_of_another() -> None:
    """A client id belongs to the session that showed it."""
    play = Play()
    ada, eve = play.join(), play.join("eve")
    play.turn(cursor(ada, (7, 1, b"{}")))

    effects = play.turn(cursor(eve, (7, 9, b'"moved"')))

    assert presence(effects) == []


def test_a_silent_cursor_expires() -> None:
    """After half a minute, by a tick."""
    play = Play()
    ada = play.join()
    play.turn(cursor(ada, (7, 1, b"{}")))
    play.now += 31.0

    effects = play.tell(Ticked())

    assert [_entries(body) for body in presence(effects)] == [[(7, 1, b"null")]]


def test_in_a_big_room_presence_is_gathered_for_a_tick() -> None:
    """The first movement is shown at once, the next ones together when the tick is due."""
    play = Play(bounds=dataclasses.replace(BOUNDS, presence_tick_from=2, presence_tick_s=0.5))
    ada, bob = play.join(), play.join("bob")

    first = play.turn(cursor(ada, (7, 1, b"1")))
    held = play.turn(cursor(ada, (7, 2, b"2")), cursor(bob, (8, 1, b"1")))
    due = play.room.cursors.due
    early = play.tell(Ticked())
    play.now = due or 0.0
    effects = play.tell(Ticked())

    assert len(presence(first)) == 1
    assert presence(held) == presence(early) == []
    assert due == 100.5
    assert [_entries(body) for body in presence(effects)] == [[(7, 2, b"2"), (8, 1, b"1")]]
    assert play.room.cursors.due is None


def test_a_malformed_awareness_message_refuses_its_sender() -> None:
    """And changes nothing."""
    play = Play()
    eve = play.join("eve")

    effects = play.turn((eve, wire.AWARENESS, b"\x05", b""))

    assert refusals(effects) == [(eve, "truncated")]
    assert answers(effects) == []


# -- idle --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [False, True])
def test_a_room_is_idle_when_nobody_is_here_and_nothing_is_under_way(stored: bool) -> None:
    """It must not be dropped before its last batch is stored."""
    play = Play()
    ada = play.join()
    play.turn(update(ada, Editor().type("a")))
    play.tell(Left(ada))

    if stored:
        play.stored(1)

    assert play.room.idle is stored


def _append(text: str) -> Any:
    def change(doc: Any) -> None:
        doc.get("text", type=Text).insert(2, text)

    return change


def _entries(body: bytes) -> list[tuple[int, int, bytes]]:
    _, data = wire.decode_y(body)
    return [(entry.client, entry.clock, entry.state) for entry in decode(data)]


# -- at rest -------------------------------------------------------------------------------


def _tables(room: Room) -> list[object]:
    """The lists, dicts, sets and queues that are this room's own."""
    found: list[object] = []
    seen: set[int] = set()
    waiting: list[object] = [room]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, Bounds, FunctionType)):
            continue
        seen.add(id(one))
        if isinstance(one, (list, dict, set, deque)):
            found.append(one)
        waiting += gc.get_referents(one)
    return found


def test_a_quiet_room_holds_one_table() -> None:
    """Who is there; all else is made when something happens, and goes when that is over."""
    play = Play()
    ada = Session("ada", can_write=True, greets=True)
    play.turn(joining(ada), step1(ada))
    play.take(step2(ada, b"\0\0"), update(ada, Editor().type("a note")))
    busy = len(_tables(play.room))
    play.room.document.doze()
    for _ in range(2):
        play.tell(Ticked())

    assert _tables(play.room) == [{ada: None}]
    assert busy > 4
    assert "a note" in play.text()
