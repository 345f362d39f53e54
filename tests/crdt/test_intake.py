"""A room takes what is well-formed, new, from a writer, and fits; each refusal says why."""

from __future__ import annotations

import dataclasses

import pytest
from pycrdt import Doc, Text

from crdt import wire
from crdt.bounds import BOUNDS, Bounds
from crdt.document import Document
from crdt.effects import Session
from crdt.events import CHECKED, Item
from crdt.intake import KNOWN, Intake
from crdt.layout import SCHEMA, Layout, Trial
from tests.crdt.samples import V2


def typing(text: str, client_id: int = 7) -> list[bytes]:
    """The updates of typing a text letter by letter."""
    doc: Doc[Text] = Doc(client_id=client_id)
    place = doc.get("text", type=Text)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    for at, letter in enumerate(text):
        place.insert(at, letter)
    return updates


def deletion() -> bytes:
    """An update that only deletes."""
    doc: Doc[Text] = Doc(client_id=7)
    place = doc.get("text", type=Text)
    place += "ab"
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    del place[0]
    return updates[0]


def item(update: bytes, *, can_write: bool = True, kind: int = wire.UPDATE) -> Item:
    """An update as it arrives in a turn."""
    session = Session("ada", can_write=can_write, greets=True)
    return session, kind, update, wire.update(update)


def small(limit: int) -> Bounds:
    """Bounds with a small document."""
    return dataclasses.replace(BOUNDS, document_bytes_max=limit)


def test_new_updates_of_a_writer_are_good() -> None:
    """What editors send passes the hot path's one question and each verdict."""
    intake, document = Intake(BOUNDS), Document()
    items = [item(update) for update in typing("abc")]

    assert intake.all_good(items, document)
    assert intake.verdicts(items, document) == [None, None, None]


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        pytest.param(b"\xff", "malformed", id="garbage"),
        pytest.param(typing("a")[0] + b"x", "trailing", id="trailing"),
        pytest.param(V2[0], "v2", id="v2"),
    ],
)
def test_a_bad_update_is_refused_by_name(update: bytes, reason: str) -> None:
    """One bad update makes the turn take the long way and gets its own reason."""
    intake, document = Intake(BOUNDS), Document()
    good = item(typing("a")[0])

    assert not intake.all_good([good, item(update)], document)
    assert intake.verdicts([good, item(update)], document) == [None, reason]


def test_a_reader_may_repeat_what_is_known_and_add_nothing() -> None:
    """Read-only peers echo what they were given; news of theirs are refused."""
    intake, document = Intake(BOUNDS), Document()
    known, news = typing("ab")
    document.apply_turn([known])

    assert intake.verdict(item(known, can_write=False), document) == KNOWN
    assert intake.verdict(item(news, can_write=False), document) == "read-only"
    assert not intake.all_good([item(news, can_write=False)], document)


def test_an_exact_repeat_is_known() -> None:
    """A retry is answered and not stored again, within one turn or later."""
    intake, document = Intake(BOUNDS), Document()
    update = typing("a")[0]

    in_one_turn = intake.verdicts([item(update), item(update)], document)
    intake.remember(update)

    assert in_one_turn == [None, KNOWN]
    assert intake.verdict(item(update), document) == KNOWN


def test_a_quiet_document_remembers_nothing() -> None:
    """Two seconds after the last update a repeat is taken for news; it changes nothing."""
    intake, document = Intake(BOUNDS), Document()
    update = typing("a")[0]
    intake.remember(update)

    intake.rest()
    soon = intake.verdict(item(update), document)
    intake.rest()

    assert (soon, intake.verdict(item(update), document)) == (KNOWN, None)


def test_what_was_checked_in_a_helper_is_not_checked_again() -> None:
    """A costly update comes with its check done; only the other questions are asked."""
    intake, document = Intake(BOUNDS), Document()

    assert intake.verdict(item(b"\xff", kind=wire.UPDATE | CHECKED), document) is None


def test_a_full_document_takes_deletions_only() -> None:
    """Over its bound a document refuses news by name, and can still be made smaller."""
    intake, document = Intake(small(40)), Document()
    for update in typing("a" * 30):
        document.apply_turn([update])
        intake.remember(update)
    more = typing("b", client_id=9)[0]

    assert not intake.all_good([item(more)], document)
    assert intake.verdict(item(more), document) == "document-full"
    assert intake.verdict(item(deletion()), document) is None


def test_a_document_of_many_small_edits_is_not_taken_for_full() -> None:
    """What counts is the document's size, not the sum of all that was ever received."""
    intake, document = Intake(small(2_000)), Document()
    updates = typing("a" * 400)
    refused = 0

    for update in updates:
        if intake.all_good([item(update)], document):
            document.apply_turn([update])
            intake.remember(update)
        else:
            refused += 1

    assert sum(map(len, updates)) > 2_000
    assert refused == 0


def test_client_ids_of_a_retired_lineage_are_refused() -> None:
    """A client that missed a rebuild must reset; its old edits would double the content."""
    intake, document = Intake(BOUNDS), Document()
    intake.retired = frozenset({7})
    old, fresh = typing("a", client_id=7)[0], typing("a", client_id=8)[0]

    assert not intake.all_good([item(fresh)], document)
    assert intake.verdict(item(old), document) == "lineage"
    assert intake.verdict(item(fresh), document) is None


def test_what_is_known_is_not_tried() -> None:
    """Whoever comes back sends all he has; only news are judged by a layout."""
    first, second = typing("ab")
    document, intake = Document(), Intake(BOUNDS)
    document.apply_turn([first])
    intake.trial = Trial(Layout(("only",), lambda _change, _find: True))

    assert intake.verdict(item(first, kind=wire.STEP2), document) == KNOWN
    assert intake.verdict(item(second), document) == SCHEMA
    assert not intake.all_good([item(first)], document)
