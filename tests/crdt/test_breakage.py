"""Who is blamed when pycrdt breaks a document: the culprit, nobody else, and only if known."""

from __future__ import annotations

import pytest

from crdt import wire
from crdt.breakage import Breakage
from crdt.effects import Quarantine, Refuse, Session
from crdt.errors import DocumentBroken, OutOfOrder
from crdt.events import CHECKED, EDIT, REFUSED, Item, Loaded
from crdt.turn import Turn
from tests.crdt.rooms import (
    HALF_BROKEN,
    Editor,
    Play,
    answers,
    kinds,
    push,
    refusals,
    step1,
    step2,
    stores,
    update,
)

ADA = Session("ada", can_write=True, greets=False)
PANIC = DocumentBroken(None, "panic")


def blamed(turn: Turn) -> list[tuple[str, str]]:
    """What a turn says of it: the kind of each effect and its reason."""
    found = [effect for effect in turn.effects if isinstance(effect, Quarantine | Refuse)]
    return [(type(effect).__name__, effect.reason) for effect in found]


def test_the_culprit_is_set_aside_and_the_rest_of_its_turn_is_kept() -> None:
    """Through a room: what came before, between and after it is stored and answered in order."""
    text = Editor().type("a")
    play = Play(text)
    ada, eve = play.join("ada"), play.join("eve")
    before, after = Editor(8).type("b"), Editor(9).type("c")

    broken = play.turn(update(ada, before), update(eve, HALF_BROKEN), update(ada, after))
    effects = [*broken, *play.tell(Loaded([text]))]
    while "Reload" in kinds(effects)[-1:]:
        effects += play.tell(Loaded([text]))

    assert next(e for e in effects if isinstance(e, Quarantine)).update == HALF_BROKEN
    assert refusals(effects) == [(eve, "malformed")]
    assert sorted(stores(effects)) == sorted([before, after])
    batches = range(1, play.room.ledger.appended + 1)
    told = [one for batch in batches for one in answers(play.stored(batch))]
    assert told == [(ada, True), (eve, False), (ada, True)]
    assert eve.incomplete
    assert not ada.incomplete
    assert sorted(play.text()) == ["a", "b", "c"]


def test_what_breaks_it_as_the_only_one_is_guilty() -> None:
    """Its place is taken by its refusal; those around it wait for the rebuilt document."""
    items = [update(ADA, b"x"), update(ADA, b"bad"), update(ADA, b"y")]
    turn = Turn(Play().room)
    turn.applying = [items[1]]

    held = Breakage().held(items, [], turn, PANIC)

    assert held == [items[0], (ADA, REFUSED, True, items[1][3]), items[2]]
    assert blamed(turn) == [("Quarantine", "panic"), ("Refuse", "malformed")]


def test_among_several_the_one_that_pycrdt_names_is_guilty() -> None:
    """By its place in the turn."""
    items = [update(ADA, bytes((n,))) for n in range(4)]
    turn = Turn(Play().room)
    turn.applying = items

    held = Breakage().held(items, [], turn, DocumentBroken(2, "panic"))

    assert [item[1] for item in held] == [wire.UPDATE, wire.UPDATE, REFUSED, wire.UPDATE]


def test_where_nobody_is_named_all_are_tried_again_one_by_one() -> None:
    """Nobody is refused for having been there."""
    items = [update(ADA, bytes((n,))) for n in range(4)]
    turn, breakage = Turn(Play().room), Breakage()
    turn.applying = items[:3]

    assert breakage.held(items, [], turn, PANIC) == items
    assert breakage.alone == 3
    assert blamed(turn) == []


@pytest.mark.parametrize("again", [True, False])
def test_who_only_reads_is_refused_the_second_time(*, again: bool) -> None:
    """The fault may lie in what came before; if another reads then, that one is tried once, too."""
    reads, other = step1(ADA), step1(ADA, b"\1\1\1")
    turn, breakage = Turn(Play().room), Breakage()

    assert breakage.held([], [reads], turn, PANIC) == [reads]
    second = reads if again else other
    held = breakage.held([], [second], turn, PANIC)

    assert held == ([(ADA, REFUSED, False, reads[3])] if again else [other])
    assert blamed(turn) == ([("Refuse", "internal")] if again else [])


def test_an_update_before_its_predecessor_is_nobodys_fault() -> None:
    """Everything is tried again, with a document that is careful from then on."""
    items = [update(ADA, b"x"), update(ADA, b"y")]
    turn, breakage = Turn(Play().room), Breakage()
    turn.applying = items[:1]

    assert breakage.held(items, [], turn, OutOfOrder()) == items
    assert breakage.out_of_order
    assert blamed(turn) == []


@pytest.mark.parametrize(
    ("item", "counted", "answered", "kept"),
    [
        (push(ADA, b"x"), True, True, True),
        (step2(ADA, b"x"), True, True, True),
        (step2(ADA, b"x"), False, False, True),
        ((ADA, wire.UPDATE | CHECKED, b"x", b"body"), True, True, True),
        ((ADA, EDIT, lambda _: None, b""), True, True, False),
    ],
    ids=["push", "step 2", "step 2 that we asked for", "checked", "edit"],
)
def test_a_culprit_is_answered_if_it_would_have_been(
    item: Item, *, counted: bool, answered: bool, kept: bool
) -> None:
    """And kept on record if it is bytes of a peer."""
    turn = Turn(Play().room)
    turn.applying, turn.counted = [item], counted

    (refusal,) = Breakage().held([], [item], turn, PANIC)

    assert refusal[1:3] == (REFUSED, answered)
    assert ("Quarantine", "panic") in blamed(turn) or not kept
    assert ("Refuse", "malformed" if kept else "internal") in blamed(turn)
