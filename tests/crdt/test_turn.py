"""One turn: what arrived in it is judged each on its own, stored at once, and shown to others."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from crdt import wire
from crdt.bounds import BOUNDS
from crdt.effects import Acknowledge, Append, Broadcast, CloseAll, Session
from crdt.errors import DocumentBroken
from crdt.events import CHECKED, EDIT, Loaded
from crdt.turn import EMPTY_UPDATE, turn_away
from tests.crdt.rooms import (
    Editor,
    Play,
    Unreadable,
    answers,
    joining,
    kinds,
    payload,
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

SMALL = dataclasses.replace(BOUNDS, merge_from=3)


def breaks_when_read(play: Play) -> None:
    """The document takes updates, and panics when somebody asks what it holds."""
    replica: Any = play.room.document.wake()._replica
    replica._raw = Unreadable(replica._raw)


# -- updates ---------------------------------------------------------------------------------


def test_a_turn_is_one_append_one_broadcast_and_one_answer() -> None:
    """However many updates of however many people."""
    play = Play()
    people = [play.join(name) for name in ("ada", "bob", "eve")]
    editors = [Editor(7 + n) for n in range(3)]

    effects = play.turn(
        *(update(s, e.type("a")) for _ in range(4) for s, e in zip(people, editors, strict=True))
    )

    assert kinds(effects) == ["Append", "Broadcast"]
    assert answers(play.stored(1)) == [(person, True) for _ in range(4) for person in people]


def test_what_is_stored_are_the_bytes_that_came() -> None:
    """In the order they came, with who sent them."""
    play = Play()
    ada, bob = play.join("ada"), play.join("bob")
    first, second = Editor(7).type("a"), Editor(8).type("b")

    (append,) = (e for e in play.turn(update(bob, first), update(ada, second)) if type(e) is Append)

    assert append.rows == [(bob, first), (ada, second)]


def test_a_long_turn_has_one_body_for_those_who_sent_nothing() -> None:
    """It holds all that the others hold; a short turn has none."""
    play = Play(bounds=SMALL)
    ada, editor = play.join("ada"), Editor()

    (short,) = _broadcasts(play.turn(*(update(ada, editor.type("a")) for _ in range(3))))
    (long,) = _broadcasts(play.turn(*(update(ada, editor.type("b")) for _ in range(4))))

    assert short.merged is None
    assert long.merged is not None
    assert read(*(payload(body) for _, body in short.bodies), payload(long.merged)) == "aaabbbb"


def test_a_bad_update_in_the_middle_costs_its_sender_alone() -> None:
    """The others of the turn are stored, shown and confirmed; each is answered in its place."""
    play = Play()
    ada, eve, reader = play.join("ada"), play.join("eve"), play.join("reader", writes=False)
    good, more, new = Editor(7), Editor(8), Editor(9)

    effects = play.turn(
        update(ada, good.type("a")),
        update(eve, b"\1"),
        update(reader, new.type("x")),
        update(ada, more.type("b")),
        update(reader, good.updates[0]),
    )

    assert refusals(effects) == [(eve, "malformed"), (reader, "read-only")]
    assert stores(effects) == [good.updates[0], more.updates[0]]
    assert [author for author, _ in shown(effects)] == [ada, ada]
    assert answers(play.stored(1)) == [
        (ada, True),
        (eve, False),
        (reader, False),
        (ada, True),
        (reader, True),
    ]
    assert eve.incomplete


def test_a_repeat_is_answered_and_not_stored_again() -> None:
    """In the same turn and later; a repeat of what was refused is refused."""
    play = Play()
    ada, typed = play.join("ada"), Editor().type("a")

    effects = play.turn(update(ada, typed), update(ada, typed), update(ada, b"\1"))
    later = play.turn(update(ada, typed), update(ada, b"\1"))

    assert (stores(effects), stores(later)) == ([typed], [])
    assert [ok for _, ok in answers(play.stored(1))] == [True, True, False, True, False]


def test_what_a_helper_process_checked_is_applied_in_its_place() -> None:
    """Between the updates that came before and after it."""
    play = Play()
    ada, editor = play.join("ada"), Editor()
    first, costly, last = (editor.type(letter) for letter in "abc")

    effects = play.turn(
        update(ada, first),
        (ada, wire.UPDATE | CHECKED, costly, wire.update(costly)),
        update(ada, last),
    )

    assert stores(effects) == [first, costly, last]
    assert play.text() == "abc"


# -- step 2, pushes and edits ----------------------------------------------------------------


@pytest.mark.parametrize("empty", [True, False])
def test_an_echo_is_confirmed_and_not_stored(*, empty: bool) -> None:
    """A step 2 that brings nothing new is what most reconnecting clients send."""
    typed = Editor().type("a")
    play = Play(typed)
    ada = play.join("ada")

    effects = play.turn(step2(ada, EMPTY_UPDATE if empty else typed))

    assert kinds(effects) == ["Acknowledge"]
    assert answers(effects) == [(ada, True)]


def test_a_step_2_is_confirmed_with_what_it_brought() -> None:
    """Its sender learns that this is stored; nothing of what was known is said again."""
    editor = Editor()
    play = Play(editor.type("known "))
    ada = play.join("ada")
    news = editor.type("new")

    play.turn(step2(ada, editor.doc.get_update()))
    (settled,) = (effect for effect in play.stored(1) if type(effect) is Acknowledge)

    assert settled.items == [(ada, True, wire.step2(news))]


def test_of_a_step_2_all_is_stored_and_the_news_are_shown() -> None:
    """Received bytes are the only complete record; others need only what they lack."""
    editor = Editor()
    play = Play(editor.type("known "))
    ada = play.join("ada")
    editor.type("new")

    effects = play.turn(step2(ada, editor.doc.get_update()))

    assert stores(effects) == [editor.doc.get_update()]
    assert payload(shown(effects)[0][1]) == editor.updates[1]


def test_a_question_that_is_asked_a_hundred_times_is_answered_once() -> None:
    """Four bytes would otherwise be answered with the whole document each."""
    play = Play(Editor().type("a"))
    ada, bob = play.join("ada"), play.join("bob")

    effects = play.turn(*([step1(ada)] * 100), step1(bob))

    assert [len(sent(effects, one)) for one in (ada, bob)] == [2, 2]


def test_an_edit_that_fails_is_refused_and_leaves_nothing() -> None:
    """The document is built anew, without what the change wrote before it failed."""

    def fails(doc: Any) -> None:
        doc.get("text", type=type(Editor().text)).insert(0, "half")
        raise ValueError

    play = Play()
    ada, caller = play.join("ada"), Session("adapter", can_write=True, greets=False)

    broken = play.turn((caller, EDIT, fails, b""), update(ada, Editor().type("a")))
    after = play.tell(Loaded([]))

    assert (refusals(broken), kinds(broken)) == ([(caller, "internal")], ["Refuse", "Reload"])
    assert answers([*after, *play.stored(1)]) == [(caller, False), (ada, True)]
    assert play.text() == "a"


# -- a document that breaks when it is read ---------------------------------------------------


def test_what_was_applied_before_the_document_broke_is_answered_once_and_seen_by_all() -> None:
    """It broke over what others were to be shown: nobody is to blame, nothing is done twice."""
    editor = Editor()
    first, second, third = (editor.type(letter) for letter in "abc")
    play = Play()
    ada, bob = play.join("ada"), play.join("bob")
    play.turn(update(ada, second))
    play.tell(Loaded([]))
    breaks_when_read(play)

    broken = play.turn(update(ada, first), step2(ada, EMPTY_UPDATE), update(ada, third))
    after = play.tell(Loaded([]))

    assert refusals(broken) == []
    assert "Quarantine" not in kinds(broken)
    assert kinds(broken)[-1] == "Reload"
    assert stores([*broken, *after]) == [first, third]
    told = [one for batch in (1, 2, 3) for one in answers(play.stored(batch))]
    assert told == [(ada, True)] * 3  # The step 2 answers our own question: it is not counted.
    assert read(
        *(payload(body) for _, body in shown([*broken, *after])), *_updates(after, bob)
    ) == ("abc")


def _updates(effects: Any, session: Session) -> list[bytes]:
    return [payload(body) for body in sent(effects, session) if body[1] == wire.decode_y(body)[0]]


def _broadcasts(effects: Any) -> list[Broadcast]:
    return [effect for effect in effects if isinstance(effect, Broadcast)]


# -- a room that is over -----------------------------------------------------------------------


def test_nothing_that_comes_for_a_room_that_is_over_stays_unanswered() -> None:
    """Each message that has an answer is refused, members leave, callers are told why."""
    ada, gone, caller = (Session(name, can_write=True, greets=False) for name in ("a", "g", "c"))
    gone.left = True
    inbox = [
        joining(ada),
        step1(ada),
        update(ada, b"x"),
        step2(ada, b"x"),
        version(ada, 1),
        update(gone, b"x"),
        push(caller, b"x"),
    ]

    effects = turn_away(inbox, "deleted")

    assert refusals(effects) == [(caller, "deleted")]
    assert answers(effects) == [*([(ada, False)] * 3), (gone, False), (caller, False)]
    assert effects[-1] == CloseAll("deleted", [ada])


def test_a_document_that_is_broken_says_so_however_it_is_asked() -> None:
    """The turn keeps what it has; see `test_breakage.py` for who is blamed."""
    play = Play()
    breaks_when_read(play)

    with pytest.raises(DocumentBroken):
        play.room.document.encode()
