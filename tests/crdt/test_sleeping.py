"""A document that is sent before it is decoded, and what wakes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pycrdt import Doc, Text

from crdt import wire
from crdt.bounds import BOUNDS
from crdt.document import EMPTY_STATE, EMPTY_UPDATE, Document, opened
from crdt.effects import Acknowledge, Append, Broadcast, Effect, Refuse, Reload, Send, Session
from crdt.errors import DocumentBroken, OutOfOrder, UpdateError
from crdt.events import CHECKED, EDIT, PUSH, Item, Loaded, Remote
from crdt.sleeping import LIGHT_BYTES
from tests.crdt.rooms import Editor, Play, cursor, joining, read

_BROKEN = b"\1\1\7\0\xff nothing that can be decoded"


def _stored() -> tuple[Editor, Document]:
    """What somebody wrote, with something deleted; and the document of it."""
    editor = Editor()
    editor.type("hello world")
    editor.erase()
    return editor, Document.rebuild(editor.updates)


def _asleep() -> tuple[Play, Editor, Document]:
    """A room that was loaded from a snapshot alone."""
    editor, document = _stored()
    play = Play(loaded=False)
    play.tell(Loaded([document.encode()], vector=document.state_vector()))
    assert _sleeps(play)
    return play, editor, document


def _sleeps(play: Play) -> bool:
    return play.room.document.is_asleep


def _laid_down(snapshot: bytes, state_vector: bytes) -> Document:
    document = Document()
    document.lay_down(snapshot, state_vector)
    return document


def _sent(effects: Sequence[Effect]) -> list[bytes]:
    return [effect.body for effect in effects if isinstance(effect, Send)]


def test_a_newcomer_is_sent_the_snapshot_as_it_is() -> None:
    """Its first sync is the stored bytes, our question has their state vector; nothing is read."""
    play, _, document = _asleep()
    session = Session("ada", can_write=True, greets=True)

    effects = play.turn(joining(session), (session, wire.STEP1, EMPTY_STATE, b""))

    step1, step2 = _sent(effects)
    assert step1 == wire.step1(document.state_vector())
    assert step2 == wire.step2(document.encode())
    assert _sleeps(play)


def test_who_has_all_is_sent_the_deletions() -> None:
    """A vector that is the stored one, in any order of clients, wakes nobody."""
    first, second = Editor(7), Editor(8)
    document = Document.rebuild([first.type("abc"), first.erase(), second.type("def")])
    vector = document.state_vector()
    turned = vector[:1] + vector[3:] + vector[1:3]
    asleep = _laid_down(document.encode(), turned)

    rest = asleep.diff(vector)

    assert rest == document.diff(vector) != EMPTY_UPDATE
    assert asleep.is_asleep


def test_who_has_a_part_is_sent_the_rest() -> None:
    """Any other vector is answered by the document itself."""
    play, editor, document = _asleep()
    has: Doc[Any] = Doc()
    has.apply_update(editor.updates[0])
    newer = Document.rebuild([document.encode(), editor.type("!")])
    asleep = _laid_down(newer.encode(), newer.state_vector())

    has.apply_update(asleep.diff(has.get_state()))

    assert str(has.get("text", type=Text)) == "ello world!"
    assert not asleep.is_asleep
    with pytest.raises(UpdateError):
        play.room.document.diff(b"\1\xff")


@pytest.mark.parametrize("kind", [wire.UPDATE, wire.STEP2, PUSH, wire.UPDATE | CHECKED])
def test_news_wake_it(kind: int) -> None:
    """What is typed is applied to the whole document, stored alone, and seen by all."""
    play, editor, _ = _asleep()
    author, reader = play.join("ada"), play.join("bob")
    assert _sleeps(play)
    typed = editor.type("!")

    effects = play.turn((author, kind, typed, b""))

    assert [e.rows for e in effects if isinstance(e, Append)] == [[(author, typed)]]
    assert [e for e in effects if isinstance(e, Broadcast)]
    assert play.text() == "ello world!"
    assert reader in play.room.sessions
    assert not _sleeps(play)


def test_an_edit_of_ours_wakes_it() -> None:
    """A change that an adapter makes finds the whole document."""
    play, _, _ = _asleep()

    def change(doc: Doc[Any]) -> None:
        text = doc.get("text", type=Text)
        text.insert(len(str(text)), "?")

    play.turn((Session("ada", can_write=True, greets=False), EDIT, change, b""))

    assert play.text() == "ello world?"


def test_rows_of_another_node_wake_it() -> None:
    """They are applied behind the snapshot."""
    play, editor, _ = _asleep()

    play.tell(Remote([editor.type("!")]))

    assert play.text() == "ello world!"


def test_what_brings_nothing_lets_it_sleep() -> None:
    """An empty answer to our question, cursors, coming and going."""
    play, _, _ = _asleep()
    session = play.join(greets=True)
    play.turn(
        (session, wire.STEP2, EMPTY_UPDATE, wire.step2(EMPTY_UPDATE)),
        cursor(session, (7, 1, b'{"a": 1}')),
    )
    effects = play.turn((session, wire.QUERY_AWARENESS, b"", b""))

    assert _sent(effects)
    assert _sleeps(play)


def test_a_snapshot_that_breaks_is_nobodys_fault() -> None:
    """Who typed is not refused: all waits for the next load, which then says what is wrong."""
    editor = Editor()
    play = Play(loaded=False)
    play.tell(Loaded([_BROKEN], vector=b"\1\7\1"))
    session = play.join()
    typed: Item = (session, wire.UPDATE, editor.type("!"), b"")

    effects = play.turn(typed)

    assert [type(effect) for effect in effects] == [Reload]
    with pytest.raises((DocumentBroken, UpdateError)):
        play.tell(Loaded([_BROKEN], vector=b"\1\7\1"))
    effects = play.tell(Loaded([]))
    assert not any(isinstance(effect, Refuse) for effect in effects)
    assert [e.rows for e in effects if isinstance(e, Append)] == [[(session, typed[2])]]
    assert not any(isinstance(effect, Acknowledge) for effect in effects)


def test_a_broken_one_stays_broken() -> None:
    """Whoever asks again is told again; what is known without it is still known."""
    asleep = _laid_down(_BROKEN, b"\1\7\1")
    for _ in range(2):
        with pytest.raises(DocumentBroken) as caught:
            asleep.apply_turn([EMPTY_UPDATE])
        assert caught.value.culprit is None
        assert asleep.broken
    assert asleep.state_vector() == b"\1\7\1"


def test_only_a_snapshot_alone_sleeps() -> None:
    """With a row behind it, without a vector, or with care it is decoded at once."""
    editor, document = _stored()
    snapshot, vector = document.encode(), document.state_vector()
    row = editor.type("!")

    made = [
        opened([snapshot, row], vector, client_id=1, bounds=BOUNDS, careful=False),
        opened([snapshot], None, client_id=1, bounds=BOUNDS, careful=False),
        opened([snapshot], vector, client_id=1, bounds=BOUNDS, careful=True),
    ]

    assert [each.is_asleep for each in made] == [False] * 3
    assert [read(each.encode()) for each in made] == ["ello world!", "ello world", "ello world"]


def test_it_answers_as_one_that_is_awake() -> None:
    """Every question that has an answer of its own while it sleeps has the same one after it."""
    _, document = _stored()
    asleep = _laid_down(document.encode(), document.state_vector())
    for vector in (b"", EMPTY_STATE, document.state_vector()):
        assert asleep.diff(vector) == document.diff(vector)
    assert asleep.encode() == document.encode()
    assert asleep.state_vector() == document.state_vector()
    assert (asleep.has_pending, asleep.pending(), asleep.take_poison()) == (False, [], [])
    assert asleep.settle() is None
    assert not asleep.broken
    assert asleep.is_asleep

    assert asleep.same(document)
    assert document.same(asleep)
    assert not asleep.is_asleep


def test_a_look_lets_it_sleep() -> None:
    """Who only reads finds everything, again and again; a large one is decoded for good."""
    _, document = _stored()
    asleep = _laid_down(document.encode(), document.state_vector())
    for _ in range(2):
        assert asleep.look(lambda doc: str(doc.get("text", type=Text))) == "ello world"
    assert asleep.is_asleep

    editor = Editor()
    editor.type("x" * LIGHT_BYTES)
    large = Document.rebuild(editor.updates)
    asleep = _laid_down(large.encode(), large.state_vector())
    assert asleep.look(lambda doc: len(doc.get("text", type=Text))) == LIGHT_BYTES
    assert not asleep.is_asleep


def test_a_look_at_what_is_broken_says_so() -> None:
    """As every other question does that cannot be answered from the bytes."""
    asleep = _laid_down(_BROKEN, b"\1\7\1")
    for _ in range(2):
        with pytest.raises(DocumentBroken):
            asleep.look(lambda doc: doc)
        assert asleep.broken


def test_a_document_that_dozed_is_the_same() -> None:
    """In all that can be asked, deletions and characters of two units included."""
    editor, document = _stored()
    document.apply_turn([editor.type("\U0001f600 smile")])
    before = (document.encode(), document.state_vector())
    twin = Document.rebuild(editor.updates)

    document.doze()

    assert document.is_asleep
    assert (document.encode(), document.state_vector()) == before
    assert document.apply_turn([editor.type("!")]) == [None]
    twin.apply_turn(editor.updates[-1:])
    assert document.same(twin)
    assert read(document.encode()).endswith("smile!")


def test_what_waits_keeps_it_awake() -> None:
    """An update before its predecessor is in no snapshot; nor is one that is too large light."""
    editor = Editor()
    first, second = editor.type("a"), editor.type("b")
    waiting = Document()
    waiting.apply_turn([second])
    waiting.doze()
    assert not waiting.is_asleep
    waiting.apply_turn([first])
    assert read(waiting.encode()) == "ab"
    waiting.doze()  # It was careful once, and stays so.
    assert not waiting.is_asleep

    large = Document()
    large.apply_turn([Editor(9).type("x" * LIGHT_BYTES)])
    large.doze()
    assert not large.is_asleep


def test_one_that_dozed_heeds_the_order_as_before() -> None:
    """A room's document raises OutOfOrder at the first update that waits, so that it is rebuilt."""
    editor = Editor()
    exact = Document.rebuild([editor.type("a")], exact=True)
    exact.doze()
    editor.type("b")
    with pytest.raises(OutOfOrder):
        exact.apply_turn([editor.type("c")])
