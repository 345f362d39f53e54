"""First syncs and differences: what is in them, and that they are not sent too early."""

from __future__ import annotations

import dataclasses

import pytest
from pycrdt import Doc, Text

from crdt import wire
from crdt.bounds import BOUNDS
from crdt.document import Document
from crdt.effects import CloseAll, Quarantine, Session
from crdt.events import Drained, FellBehind, Left, Loaded, Ticked
from tests.crdt.rooms import (
    Editor,
    Play,
    answers,
    cursor,
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
    update,
)
from tests.crdt.samples import AB, C
from tests.crdt.test_patience import INSIDE_A_TEXT


def bodies(frames: list[bytes], kind: int) -> list[bytes]:
    """The updates inside the frames of one kind."""
    return [payload(frame) for frame in frames if wire.decode_y(frame)[0] == kind]


def slow(play: Play, account: str = "slow", *, greets: bool = False) -> Session:
    """A member whose outbox is full."""
    session = play.join(account, greets=greets)
    play.tell(FellBehind(session))
    return session


def breaks(play: Play) -> None:
    """Whatever is asked of the document next panics."""
    play.room.document.wake()._replica._broken = "broken by the test"
    play.room.syncs.changed()


# -- first syncs -----------------------------------------------------------------------------


def test_joiners_at_one_vector_share_one_encoding() -> None:
    """Until the document changes."""
    play = Play(Editor().type("a"))
    ada, bob = play.join("ada"), play.join("bob")

    (_, first), (_, second) = (sent(play.turn(step1(one)), one) for one in (ada, bob))
    play.take(update(ada, Editor(8).type("b")))
    _, third = sent(play.turn(step1(bob)), bob)

    assert first is second
    assert (read(payload(first)), sorted(read(payload(third)))) == ("a", ["a", "b"])


def test_a_crowd_of_vectors_is_not_kept() -> None:
    """At most as many encodings as the bound says."""
    play = Play(Editor().type("a"), bounds=dataclasses.replace(BOUNDS, diff_cache_max=3))
    ada = play.join()

    for client in range(20, 40):
        play.turn(step1(ada, bytes((1, client, 1))))

    assert len(play.room.syncs._diffs) <= 3


def test_a_hocuspocus_joiner_is_answered_and_asked_at_once() -> None:
    """Its own step 1 follows the answer, and what is typed in that turn is in it."""
    play = Play()
    ada, bob = play.join("ada"), play.join("bob")

    effects = play.turn(update(bob, Editor().type("new")), step1(ada))

    frames = sent(effects, ada)
    assert [wire.decode_y(frame)[0] for frame in frames] == [wire.STEP1, wire.STEP2]
    assert read(*bodies(frames, wire.STEP2)) == "new"


def test_a_y_websocket_joiner_waits_for_what_is_in_flight() -> None:
    """It takes its own content in a step 2 for stored; until then it is shown nothing at all."""
    play = Play()
    bob = play.join("bob")
    play.turn(update(bob, Editor().type("one")))
    ada = play.join("ada", greets=True)

    asked = play.turn(step1(ada))
    later = play.turn(update(bob, Editor(8).type("two")))
    early, due = play.stored(1), play.room.ledger.owes

    assert sent(asked, ada) == sent(later, ada) == []
    assert ada.behind is None
    assert sorted(read(*bodies(sent(early, ada), wire.STEP2))) == sorted("onetwo")
    assert not due


def test_a_waiting_author_is_not_shown_its_own_words_before_their_commit() -> None:
    """What it is owed moves behind the batch by which somebody else brought them."""
    author = Editor(9)
    author.type("mine ")
    play = Play()
    bob, ada = play.join("bob"), play.join("ada", greets=True)
    play.turn(update(bob, Editor().type("first ")))
    play.turn(step1(ada, author.doc.get_state()))  # Owed after batch 1.

    brought = play.turn(step2(play.join("tab"), author.doc.get_update()))
    first, second = play.stored(1), play.stored(2)

    assert kinds(brought) == ["Append", "Broadcast"]
    assert sent(brought, ada) == sent(first, ada) == []
    assert len(bodies(sent(second, ada), wire.STEP2)) == 1
    assert ada.behind is None


def test_what_a_waiting_author_types_meanwhile_is_not_shown_to_it_before_its_commit() -> None:
    """It waits for somebody's step 2 (or its own first sync) and goes on typing."""
    author, offline = Editor(9), Editor(8)
    offline.type("offline ")
    play = Play()
    ada = play.join("ada", greets=True)
    play.turn(step2(play.join("tab"), offline.doc.get_update()))  # Owed after batch 1.

    play.turn(update(ada, author.type("mine ")))
    first, second = play.stored(1), play.stored(2)

    assert sent(first, ada) == []
    assert sorted(read(*bodies(sent(second, ada), wire.UPDATE)).split()) == ["mine", "offline"]
    assert ada.behind is None


def test_what_makes_others_words_whole_is_not_shown_to_its_author_before_its_commit() -> None:
    """A predecessor that was missing goes to everybody as a difference: to its author later."""
    author = Editor(9)
    one, two = author.type("one "), author.type("two")
    play = Play()
    ada, bob = play.join("ada", greets=True), play.join("bob")
    waiting(play, bob, two)
    play.stored(1)

    healed = play.turn(update(ada, one))
    stored = play.stored(2)

    assert bodies(sent(healed, ada), wire.UPDATE) == []
    assert read(*bodies(sent(stored, ada), wire.UPDATE)) == "one two"
    assert read(*bodies(sent(healed, bob), wire.UPDATE)) == "one two"


def test_a_step_2_is_shown_to_y_websocket_peers_after_its_commit_only() -> None:
    """Others see it at once; it may hold what one of them wrote and was never told to be stored."""
    author = Editor(9)
    author.type("mine")
    play = Play()
    ada, bob = play.join("ada", greets=True), play.join("bob")

    brought = play.turn(step2(play.join("tab"), author.doc.get_update()))
    stored = play.stored(1)

    assert len(shown(brought)) == 1
    assert ada.behind is None
    assert bob.behind is None
    assert read(*bodies(sent(stored, ada), wire.UPDATE)) == "mine"
    assert sent(stored, bob) == []


def test_a_step_2_whose_sender_has_left_is_held_back_too() -> None:
    """Its socket may end while what it sent still waits for its turn."""
    author = Editor(9)
    author.type("mine")
    play = Play()
    ada, tab = play.join("ada", greets=True), play.join("tab")
    play.tell(Left(tab))

    play.turn(step2(tab, author.doc.get_update()))
    assert ada.behind is not None
    stored = play.stored(1)

    assert read(*bodies(sent(stored, ada), wire.UPDATE)) == "mine"


def test_who_joins_in_the_turn_of_a_step_2_is_shown_it_after_its_commit_only() -> None:
    """After a restart all come back at once, each with words of the others."""
    author = Editor(9)
    author.type("mine")
    play = Play()
    tab, ada = play.join("tab"), Session("ada", can_write=True, greets=True)

    play.turn(step2(tab, author.doc.get_update()), joining(ada))
    assert ada.behind is not None  # A broadcast leaves out who is behind.
    play.turn(step1(ada, author.doc.get_state()))
    stored = play.stored(1)

    assert len(bodies(sent(stored, ada), wire.STEP2)) == 1
    assert ada.behind is None


def test_who_comes_back_in_the_turn_of_its_last_words_is_shown_them_after_their_commit() -> None:
    """The old connection's last update and the new connection may be read in one turn."""
    author = Editor(9)
    play = Play()
    old, new = play.join("ada", greets=True), Session("ada", can_write=True, greets=True)

    play.turn(update(old, author.type("mine")), joining(new))
    assert new.behind is not None
    stored = play.stored(1)

    assert read(*bodies(sent(stored, new), wire.UPDATE)) == "mine"


def test_a_push_is_shown_to_everybody_at_once() -> None:
    """Its caller is no editor who could take it for a confirmation."""
    play = Play()
    ada = play.join("ada", greets=True)

    play.turn(push(Session("rest", can_write=True, greets=False), Editor().type("a")))

    assert ada.behind is None
    assert not play.room.ledger.owes


def test_who_leaves_is_owed_nothing() -> None:
    """And nothing is sent to it after its commit."""
    play = Play()
    bob, ada = play.join("bob"), play.join("ada", greets=True)
    play.turn(update(bob, Editor().type("one")))
    play.turn(step1(ada))
    play.tell(Left(ada))

    assert sent(play.stored(1), ada) == []
    assert not play.room.ledger.owes


@pytest.mark.parametrize(
    ("vector", "reason"),
    [(b"\5", "vector-malformed"), (b"\1\5\1\1", "vector-trailing"), (b"\1\7\1", "lineage")],
)
def test_a_vector_that_is_none_or_of_a_retired_lineage_is_refused(
    vector: bytes, reason: str
) -> None:
    """With a reason, and without an answer."""
    play = Play(loaded=False)
    play.tell(Loaded([], frozenset({7})))
    ada = play.join()

    effects = play.turn(step1(ada, vector))

    assert refusals(effects) == [(ada, reason)]
    assert sent(effects, ada) == []


def test_who_never_answers_is_not_asked_for_ever() -> None:
    """A joiner that goes on asking is refused at the bound."""
    play = Play(bounds=dataclasses.replace(BOUNDS, asks_max=2))
    ada = play.join()

    effects = [play.turn(step1(ada)) for _ in range(3)]

    assert [refusals(one) for one in effects] == [[], [], [(ada, "too-many-asks")]]


# -- slow readers ------------------------------------------------------------------------------


def test_a_slow_reader_gets_one_difference_for_all_it_missed() -> None:
    """From what it had when it fell behind, and then who is here."""
    editor = Editor()
    play = Play(editor.type("seen "))
    bob, ada = play.join("bob"), play.join("ada")
    play.turn(update(bob, editor.type("missed ")))
    play.tell(FellBehind(ada))
    play.turn(update(bob, editor.type("too")), cursor(bob, (7, 1, b"{}")))

    effects = play.tell(Drained(ada))

    difference, states = sent(effects, ada)
    assert wire.decode_y(difference)[0] == wire.UPDATE
    assert wire.decode_y(states)[0] == wire.AWARENESS
    doc: Doc[Text] = Doc()
    doc.apply_update(Editor().type("seen "))
    doc.apply_update(payload(difference))
    assert str(doc.get("text", type=Text)) == "seen missed too"
    assert ada.behind is None


def test_readers_who_stopped_together_share_their_difference() -> None:
    """One encoding, however many they are."""
    play = Play()
    bob = play.join("bob")
    play.turn(update(bob, Editor().type("a")))
    readers = [slow(play, f"reader {n}") for n in range(5)]

    payloads = [sent(play.tell(Drained(one)), one)[0] for one in readers]

    assert len(set(payloads)) == len(play.room.syncs._diffs) == 1


def test_a_slow_y_websocket_reader_waits_for_what_is_in_flight() -> None:
    """The difference may hold its own words, too."""
    play = Play()
    bob, ada = play.join("bob"), slow(play, greets=True)
    play.turn(update(bob, Editor().type("a")))

    drained, stored = play.tell(Drained(ada)), play.stored(1)

    assert drained == []
    assert read(*bodies(sent(stored, ada), wire.UPDATE)) == "a"


def test_a_reader_that_reads_again_while_the_document_loads_is_brought_up_after_it() -> None:
    """Not before, and not never."""
    editor = Editor()
    play = Play()
    bob = play.join("bob")
    ada = slow(play)
    play.turn(update(bob, editor.type("a")))
    play.room.reload([])

    during, after = play.tell(Drained(ada)), play.tell(Loaded([]))

    assert during == []
    assert read(*bodies(sent(after, ada), wire.UPDATE)) == "a"


@pytest.mark.parametrize("greets", [False, True])
def test_a_reader_whose_difference_breaks_the_document_is_brought_up_after_the_rebuild(
    *, greets: bool
) -> None:
    """It was once forgotten, and stayed behind for ever."""
    play = Play()
    bob, ada = play.join("bob"), slow(play, greets=greets)
    typed = Editor().type("a")
    play.take(update(bob, typed))
    breaks(play)

    broken, after = play.tell(Drained(ada)), play.tell(Loaded([typed]))

    assert kinds(broken) == ["Reload"]
    assert read(*bodies(sent(after, ada), wire.UPDATE)) == "a"
    assert ada.behind is None


def test_a_session_over_which_it_breaks_again_and_again_must_come_anew() -> None:
    """Otherwise its difference and the rebuild would go round for ever."""
    typed = Editor().type("a")
    play = Play()
    ada, bob = slow(play), play.join("bob")
    play.take(update(bob, typed))
    play.tell(Left(bob))
    breaks(play)
    play.room.on_document = _broken_at_once

    effects = [play.tell(Drained(ada)), *(play.tell(Loaded([typed])) for _ in range(2))]

    assert [kinds(one) for one in effects] == [["Reload"], ["Reload"], ["CloseAll"]]
    assert effects[2] == [CloseAll("internal", [ada])]
    assert play.room.is_live


def _broken_at_once(document: Document) -> None:
    document.wake()._replica._broken = "broken by the test"


def test_what_others_were_sent_before_the_document_broke_is_sent() -> None:
    """Two are owed something by one commit, and it breaks over the second."""
    play = Play(bounds=dataclasses.replace(BOUNDS, diff_cache_max=1))
    bob, ada, eve = play.join("bob"), play.join("ada", greets=True), play.join("eve", greets=True)
    typed = Editor().type("a")
    play.turn(update(bob, typed))
    play.turn(step1(ada, b"\1\x14\1"), step1(eve, b"\1\x15\1"))
    cached = play.room.syncs.step2(b"\1\x14\1")
    play.room.document.wake()._replica._broken = "broken by the test"

    stored, after = play.stored(1), play.tell(Loaded([typed]))

    assert sent(stored, ada) == [cached]
    assert kinds(stored)[-1] == "Reload"
    assert len(bodies(sent(after, eve), wire.STEP2)) == 1
    assert bodies(sent(after, ada), wire.STEP2) == []


def test_what_is_owed_when_the_document_breaks_is_sent_after_the_rebuild() -> None:
    """By the commit of its batch, or by the load if that comes later."""
    play = Play()
    bob, ada = play.join("bob"), play.join("ada", greets=True)
    typed = Editor().type("a")
    play.turn(update(bob, typed))
    play.turn(step1(ada))
    breaks(play)

    broken, after = play.stored(1), play.tell(Loaded([typed]))

    assert kinds(broken)[-1] == "Reload"
    assert read(*bodies(sent(after, ada), wire.STEP2)) == "a"


def test_a_reader_that_is_not_behind_is_sent_nothing() -> None:
    """Nor is one that has left."""
    play = Play(Editor().type("a"))
    ada, bob = play.join("ada"), slow(play)
    play.tell(Left(bob))

    assert play.tell(Drained(ada)) == play.tell(Drained(bob)) == []


# -- what waits ----------------------------------------------------------------------------------


def waiting(play: Play, author: Session, *updates: bytes) -> list[bytes]:
    """Let updates come before their predecessors; the frames to their author after the rebuild."""
    broken = play.turn(*(update(author, one) for one in updates))
    assert kinds(broken)[-1] == "Reload"
    return sent(play.tell(Loaded([])), author)


def test_the_author_of_what_waits_is_asked_and_nobody_else() -> None:
    """The step 2 that answers is shown to all, and not acknowledged."""
    editor = Editor()
    editor.type("a")
    play = Play()
    ada, bob = play.join("ada"), play.join("bob")

    asked = waiting(play, ada, editor.type("b"))
    answered = play.turn(step2(ada, editor.doc.get_update()))

    assert bodies(asked, wire.STEP1) == [b"\0"]
    assert bob.asked is None
    assert read(*(payload(body) for _, body in shown(answered))) == "ab"
    assert answers([*play.stored(1), *play.stored(2)]) == [(ada, True)]


def test_asking_has_a_bound() -> None:
    """Somebody whose updates all wait and who never answers is not asked for each."""
    play = Play(bounds=dataclasses.replace(BOUNDS, asks_max=3))
    editor = Editor()
    editor.type("a")
    ada = play.join("ada")
    frames = waiting(play, ada, editor.type("b"))

    for _ in range(8):
        frames += sent(play.turn(update(ada, editor.type("b"))), ada)

    assert len(bodies(frames, wire.STEP1)) == 3


def test_what_a_turn_cannot_try_again_a_tick_does() -> None:
    """A crowd of waiting updates is costly; the second after, all have all of it."""
    editor = Editor()
    first = editor.type("a")
    late = [editor.type("b" * 100) for _ in range(100)]
    play = Play(bounds=dataclasses.replace(BOUNDS, asks_max=1))
    ada, bob = play.join("ada"), play.join("bob")
    waiting(play, ada, *late)

    play.turn(update(ada, first))
    before = play.room.document.has_pending
    effects = play.tell(Ticked())

    assert before
    assert not play.room.document.has_pending
    assert play.text() == "a" + "b" * 10_000
    doc: Doc[Text] = Doc()
    doc.apply_update(first)
    doc.apply_update(bodies(sent(effects, bob), wire.UPDATE)[0])
    assert len(doc.get("text", type=Text)) == 10_001
    assert play.tell(Ticked()) == []


def test_what_turns_out_impossible_is_put_on_record() -> None:
    """It waited, was stored and confirmed; when its predecessor comes it is in nobody's way."""
    play = Play()
    ada = play.join("ada")
    play.turn(update(ada, AB), update(ada, INSIDE_A_TEXT))
    play.tell(Loaded([]))

    effects = play.turn(update(ada, C))

    assert Quarantine(None, INSIDE_A_TEXT, "impossible") in effects
    assert refusals(effects) == []
    assert not play.room.document.has_pending
    assert play.room.document.take_poison() == []
