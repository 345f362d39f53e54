"""A push into an empty room comes to just what it comes to where somebody looks on."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.effects import Effect, Quarantine, Reload, Session
from crdt.events import CHECKED, PUSH, Loaded
from crdt.merging import merge
from tests.crdt.hostile import mutate
from tests.crdt.rooms import (
    HALF_BROKEN,
    Editor,
    Play,
    answers,
    kinds,
    push,
    refusals,
    shown,
    stores,
)
from tests.crdt.samples import CASES, concurrent, examples


class Came(NamedTuple):
    """What came of a push."""

    stored: list[bytes]
    answered: list[bool]
    refused: list[str]
    kept: list[bytes]
    """In quarantine."""
    vector: bytes
    waits: list[bytes]


class Side:
    """A room and its log."""

    def __init__(self, *, watched: bool) -> None:
        self.play = Play()
        self.log: list[bytes] = []
        if watched:
            self.play.join("somebody who looks on")
            self.play.stored(self.play.room.ledger.appended)

    def give(self, update: bytes, *, checked: bool) -> Came:
        """Push, load again where that is asked for, and commit."""
        caller = Session("device", can_write=True, greets=False)
        kind = PUSH | CHECKED if checked else PUSH
        effects = self.play.turn((caller, kind, update, b"push"))
        for _ in range(5):
            if not any(isinstance(effect, Reload) for effect in effects):
                break
            effects = [effect for effect in effects if not isinstance(effect, Reload)]
            effects += self.play.tell(Loaded([*self.log]))
        rows = stores(effects)
        effects += self.play.stored(self.play.room.ledger.appended)
        self.log += rows
        mine = [it for it in effects if getattr(it, "session", caller) is caller]
        return self._came(rows, mine, caller)

    def _came(self, rows: list[bytes], effects: list[Effect], caller: Session) -> Came:
        document = self.play.room.document
        return Came(
            rows,
            [ok for session, ok in answers(effects) if session is caller],
            [reason for _, reason in refusals(effects)],
            [it.update for it in effects if isinstance(it, Quarantine)],
            document.state_vector(),
            document.pending(),
        )


def history(chance: random.Random) -> list[bytes]:
    """Updates as devices bring them: late, twice, together, broken, or as they should be."""
    if chance.random() < 0.5:
        made = list(chance.choice(list(CASES.values())).updates[:40])
    else:
        made = concurrent(chance.randrange(1 << 30), steps=25)
    brought: list[bytes] = []
    for at, update in enumerate(made):
        brought.append(update)
        if chance.random() < 0.15:
            brought.append(chance.choice(made[: at + 1]))
        if chance.random() < 0.15:
            brought.append(merge(made[max(0, at - 3) : at + 1]))
        if chance.random() < 0.1:
            brought.append(mutate(update, chance))
        if chance.random() < 0.1 and len(brought) > 1:
            brought[-1], brought[-2] = brought[-2], brought[-1]
    return brought


@given(st.integers(0, 1 << 40))
@examples(12, 2000)
def test_a_push_comes_to_the_same_whether_anybody_looks_on(seed: int) -> None:
    """Rows, answers, refusals, what is kept aside, what is known and what waits: all the same."""
    chance = random.Random(seed)
    alone, watched = Side(watched=False), Side(watched=True)
    for update in history(chance):
        # What was not checked elsewhere is checked here, so only that may be anything at all.
        assert alone.give(update, checked=False) == watched.give(update, checked=False)
    assert alone.log == watched.log
    assert alone.play.room.document.same(watched.play.room.document)


def test_a_new_update_is_stored_and_answered_after_its_commit_and_shown_to_nobody() -> None:
    """The answer hangs on the commit."""
    play, device = Play(), Session("device", can_write=True, greets=False)
    typed = Editor().type("on a train")

    effects = play.turn(push(device, typed))

    assert kinds(effects) == ["Append"]
    assert stores(effects) == [typed]
    assert answers(play.stored(1)) == [(device, True)]


@pytest.mark.parametrize("again", [1, 2])
def test_a_repeat_is_answered_and_not_stored_again(again: int) -> None:
    """At once, because all that came before it is stored."""
    play, device = Play(), Session("device", can_write=True, greets=False)
    typed = Editor().type("once")
    play.take(push(device, typed))
    if again == 2:  # What brings nothing is known even if these bytes never came.
        typed = merge([typed, typed])

    effects = play.turn(push(device, typed))

    assert stores(effects) == []
    assert answers(effects) == [(device, True)]


def test_an_update_that_breaks_the_document_is_refused_and_kept_aside() -> None:
    """The document is built anew, with what it was given before."""
    side = Side(watched=False)
    side.give(Editor(7).type("text"), checked=False)

    came = side.give(HALF_BROKEN, checked=True)

    assert (came.stored, came.answered, came.refused) == ([], [False], ["malformed"])
    assert came.kept == [HALF_BROKEN]
    assert side.play.text() == "text"


def test_where_somebody_is_they_are_shown_what_is_new() -> None:
    """Nobody is passed over because a push came alone."""
    play, device = Play(), Session("device", can_write=True, greets=False)
    play.join("ada")

    effects = play.turn(push(device, Editor().type("news")))

    assert [author for author, _ in shown(effects)] == [device]
