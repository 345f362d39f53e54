"""A live document: turns, observed updates, edits, reading; the same as Yjs at the end."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

from crdt import structure
from crdt.document import (
    EMPTY_UPDATE,
    Document,
    decode_state_vector,
    delete_only,
    merge,
    state_vector_of,
)
from crdt.errors import UpdateError
from tests.crdt.samples import (
    AB,
    FULL,
    HISTORIES,
    C,
    Case,
    D,
    clocks_of,
    concurrent,
    delete,
    examples,
    insert,
    text_of,
)


def test_a_turn_applies_its_updates() -> None:
    """All of them in one transaction; the state vector follows."""
    document = Document()

    assert document.apply_turn([AB, C]) == [None, None]
    assert text_of(document.encode()) == "abc"
    assert clocks_of(document) == {5: 3}
    assert not document.has_pending


def test_a_refused_update_leaves_the_others_alone() -> None:
    """What cannot be decoded, and what cannot stand where it wants to, hurts nobody else."""
    inside_a_text = b"\x01\x01\x06\x00\x04\x00\x05\x00\x01x\x00"
    document = Document()

    results = document.apply_turn([AB, b"\x01\x01\x05", inside_a_text, C])

    assert [error and error.reason for error in results] == [None, "malformed", "malformed", None]
    assert text_of(document.encode()) == "abc"
    assert not document.broken
    assert document.turn_update == merge([AB, C])


@pytest.mark.parametrize("count", [1, 3, 8, 9, 40])
def test_the_update_of_a_turn_brings_what_the_turn_brought(count: int) -> None:
    """To a replica at the state before; short turns and long ones are merged in different ways."""
    typed = [AB, *(insert(5, 2 + n, "x", origin=1 + n) for n in range(count))]
    document = Document()
    document.apply_turn(typed[:1])
    peer = Document.rebuild([document.encode()])

    document.apply_turn(typed[1:])
    peer.apply_turn([document.turn_update])

    assert peer.encode() == document.encode()


@pytest.mark.parametrize("seed", range(20))
def test_the_update_of_a_turn_of_contradictions_is_what_was_taken_of_them(seed: int) -> None:
    """Of updates that bring the same structs with other letters the first counts, for all alike.

    To merge such updates may let another one win.
    """
    chance = random.Random(seed)
    ends = {5: 0, 6: 0}
    turn = []
    for _ in range(12):
        client = chance.choice([5, 6])
        first = max(0, ends[client] - chance.choice([0, 0, 1, 2]))
        text = "".join(chance.choices("abcdef", k=chance.randint(1, 3)))
        turn.append(insert(client, first, text, origin=first - 1 if first else None))
        ends[client] = max(ends[client], first + len(text))
    document, peer = Document(), Document()

    document.apply_turn(turn)
    peer.apply_turn([document.turn_update])

    assert peer.encode() == document.encode()


def test_the_update_of_an_empty_turn_is_empty() -> None:
    """Nothing came, or nothing new in a turn that is long enough to be observed."""
    document = Document()
    assert document.apply_turn([]) == []
    assert document.turn_update == EMPTY_UPDATE

    document.apply_turn([insert(5, n, "x", origin=n - 1 if n else None) for n in range(40)])
    document.apply_turn([insert(5, n, "x", origin=n - 1 if n else None) for n in range(40)])
    assert document.turn_update == EMPTY_UPDATE


def test_observing_tells_what_was_new() -> None:
    """News come back without what was known; what is known is no news."""
    document = Document()

    assert document.apply_observed(AB) == AB
    assert document.apply_observed(AB) is None
    assert text_of(merge([AB, document.apply_observed(merge([AB, C])) or b""])) == "abc"
    assert document.apply_observed(delete(5, 0, 1)) == delete(5, 0, 1)
    assert document.apply_observed(document.encode()) is None
    with pytest.raises(UpdateError):
        document.apply_observed(b"\x01\x01\x05")


def test_an_edit_is_one_transaction() -> None:
    """It answers its update, or None when nothing changed; what it raises passes."""
    document = Document(client_id=9)

    def write(doc: "Doc[Any]") -> None:
        doc["t"] = text = Text()
        text += "one"
        text += " two"

    made = document.edit(write)
    assert made is not None
    assert text_of(made) == "one two"
    assert structure.client_ids(made) == {9}
    assert clocks_of(document) == {9: 7}

    def fail(_: "Doc[Any]") -> None:
        raise ZeroDivisionError

    assert document.edit(lambda _: None) is None
    with pytest.raises(ZeroDivisionError):
        document.edit(fail)
    assert not document.broken


@pytest.mark.parametrize("case", HISTORIES.values(), ids=list(HISTORIES))
@pytest.mark.parametrize("turn", [1, 7, 1000])
def test_a_history_of_yjs_ends_as_in_yjs(case: Case, turn: int) -> None:
    """Same clocks, same text; and what is encoded can be loaded and goes on to be the same."""
    document = Document()
    for at in range(0, len(case.updates), turn):
        part = case.updates[at : at + turn]
        assert document.apply_turn(part) == [None] * len(part)
        document = Document.rebuild([document.encode()])

    assert clocks_of(document) == decode_state_vector(case.vector or b"")
    assert not document.has_pending
    if case.text is not None and case.name != "yjs 14":
        assert text_of(document.encode()) == case.text


@pytest.mark.parametrize("seed", range(200 if FULL else 6))
@pytest.mark.parametrize("name", ["three clients", "five clients with small ids"])
def test_the_order_of_a_history_does_not_matter(name: str, seed: int) -> None:
    """Emoji that are cut in two included, in any order and in turns of any size."""
    case = HISTORIES[name]
    chance = random.Random(seed)
    updates = chance.sample(case.updates, len(case.updates))
    document = Document()
    while updates:
        count = chance.randint(1, 12)
        document.apply_turn(updates[:count])
        updates = updates[count:]
    document.settle()

    assert clocks_of(document) == decode_state_vector(case.vector or b"")
    assert text_of(document.encode()) == case.text
    assert not document.has_pending


@examples(40, 1000)
@given(st.integers(0, 10_000), st.data())
def test_any_interleaving_of_any_turns_is_the_same_document(seed: int, data: st.DataObject) -> None:
    """Twice, in any order, cut into any turns, restarted anywhere: the same document."""
    made = concurrent(seed, clients=2, steps=30)
    order = data.draw(st.permutations([*made, *made[:5]]))
    document = Document()
    while order:
        count = data.draw(st.integers(1, 9))
        document.apply_turn(order[:count])
        order = order[count:]
        if data.draw(st.booleans()):
            document = Document.rebuild([document.encode()])
    document.settle()

    whole = Document.rebuild(made)
    assert document.contains(whole.encode())
    assert whole.contains(document.encode())
    assert text_of(document.encode()) == text_of(whole.encode())


def test_equal_state_vectors_are_not_equal_documents() -> None:
    """Deletions do not move the vector: they are in every diff, and can be had alone."""
    before = Document.rebuild([AB])
    after = Document.rebuild([AB, delete(5, 0, 1)])

    assert before.state_vector() == after.state_vector()
    assert after.diff(before.state_vector()) == delete(5, 0, 1)
    assert delete_only(after.encode()) == delete(5, 0, 1)
    assert delete_only(before.encode()) == EMPTY_UPDATE
    assert before.diff(before.state_vector()) == EMPTY_UPDATE
    before.apply_turn([delete_only(after.encode())])
    assert before.encode() == after.encode()


def test_documents_are_the_same_if_they_hold_and_wait_for_the_same() -> None:
    """However their updates were cut and in whatever order they came."""
    waits = insert(5, 9, "z", origin=8)
    whole = Document.rebuild([AB, C, D, waits, delete(5, 0, 1)])

    assert whole.same(Document.rebuild([waits, D, merge([AB, C]), delete(5, 0, 1)]))
    assert whole.same(Document.rebuild([whole.encode()]))
    for other in (
        [AB, C, D, delete(5, 0, 1)],
        [AB, C, waits, delete(5, 0, 1)],
        [AB, C, D, waits],
        [AB, C, D, waits, delete(5, 0, 1), insert(5, 11, "y", origin=10)],
    ):
        assert not whole.same(Document.rebuild(other))
        assert not Document.rebuild(other).same(whole)


def test_a_document_knows_what_would_change_it() -> None:
    """A peer that may not write is told no only if its update brings something."""
    document = Document.rebuild([AB, C, delete(5, 0, 1)])

    for known in (AB, C, delete(5, 0, 1), EMPTY_UPDATE, document.encode()):
        assert document.contains(known)
    for news in (D, delete(5, 1, 1), delete(5, 0, 2), delete(6, 0, 1), merge([AB, D])):
        assert not document.contains(news)
    with pytest.raises(UpdateError):
        document.contains(b"\x01")


BAD_VECTORS = ["01", "ff", "0205", "010501ff", "ffffffff0f", "05" + "0101" * 2, "80" * 12]


@pytest.mark.parametrize("vector", BAD_VECTORS)
def test_a_bad_state_vector_is_refused(vector: str) -> None:
    """It comes from a peer, and says nothing about the document."""
    document = Document.rebuild([AB])

    if vector != "010501ff":
        with pytest.raises(UpdateError):
            document.diff(bytes.fromhex(vector))
    with pytest.raises(UpdateError):
        decode_state_vector(bytes.fromhex(vector))
    assert not document.broken


def test_an_empty_state_vector_means_nothing_is_known() -> None:
    """Some clients send no byte where others send a zero."""
    document = Document.rebuild([AB])

    assert document.diff(b"") == document.diff(b"\x00") == document.encode() == AB
    assert state_vector_of(AB) == b"\x01\x05\x02"
