"""What waits for its predecessors is kept, shown, tried again, and completed; within a bound."""

import random
from itertools import permutations
from time import perf_counter
from typing import Any

import pycrdt
import pytest
from pycrdt import Doc, Text

from crdt.bounds import BOUNDS, Bounds
from crdt.document import Document, merge
from crdt.errors import UpdateError
from crdt.gaps import ready_part
from crdt.pending import Pendings
from tests.crdt.samples import AB, FULL, C, D, clocks_of, concurrent, delete, insert, text_of


def test_what_waits_is_in_every_encoding() -> None:
    """Pycrdt's own encoding drops it: a joiner, a snapshot and a restart would lose it."""
    document = Document()
    document.apply_turn([AB, D])

    assert document.pending() == [D]
    for stored in (document.encode(), document.diff(b"\x01\x05\x02"), document.diff(b"")):
        peer: Doc[Any] = Doc()
        peer.apply_update(AB)
        peer.apply_update(stored)
        peer.apply_update(C)
        assert str(peer.get("t", type=Text)) == "abcd"


def test_what_waits_survives_snapshot_and_restart() -> None:
    """From the snapshot alone, and from a snapshot of the rest with the waiting row beside it."""
    document = Document()
    document.apply_turn([AB, D])

    for rows in ([document.encode()], [Document.rebuild([AB]).encode(), D]):
        again = Document.rebuild(rows)
        assert again.has_pending
        again.apply_turn([C])
        assert text_of(again.encode()) == "abcd"
        assert not again.has_pending


def test_a_deletion_that_waits_is_kept() -> None:
    """It came before what it deletes, and holds when that comes, also after a restart."""
    document = Document()
    document.apply_turn([AB, delete(5, 2, 1)])
    assert document.pending() == [delete(5, 2, 1)]

    again = Document.rebuild([document.encode()])
    for each in (document, again):
        each.apply_turn([C, D])
        assert text_of(each.encode()) == "abd"
        assert not each.has_pending


def test_the_smallest_order_that_pycrdt_leaves_incomplete_is_completed() -> None:
    """Clock 40, then 3, then what is before: pycrdt alone never takes up the second."""
    typed = [insert(5, 0, "abc"), insert(5, 3, "d" * 37, origin=2), insert(5, 40, "e", origin=39)]

    for order in permutations(typed):
        document = Document()
        for update in order:
            document.apply_turn([update])
        assert clocks_of(document) == {5: 41}
        assert not document.has_pending
        assert Document.rebuild(order).state_vector() == document.state_vector()


@pytest.mark.parametrize("seed", range(100 if FULL else 12))
def test_shuffled_sets_are_complete(seed: int) -> None:
    """Live in turns, and rebuilt from a log in that order; pycrdt alone completes 7 of 100."""
    made = concurrent(seed)
    whole = Document.rebuild(made)
    shuffled = random.Random(seed).sample(made, len(made))
    live = Document()
    for at in range(0, len(shuffled), 10):
        live.apply_turn(shuffled[at : at + 10])
    live.settle()

    for document in (live, Document.rebuild(shuffled)):
        assert not document.has_pending
        assert document.state_vector() == whole.state_vector()
        assert text_of(document.encode()) == text_of(whole.encode())


def test_the_update_of_a_turn_holds_what_stopped_waiting() -> None:
    """A peer that cannot keep what waits is sent it again once it is whole."""
    document = Document()
    document.apply_turn([AB, D])
    peer = Document.rebuild([AB])

    document.apply_turn([C])
    peer.apply_turn([document.turn_update])

    assert text_of(peer.encode()) == "abcd"


def test_observed_news_hold_what_stopped_waiting() -> None:
    """The missing piece came by a handshake."""
    document = Document()
    assert document.apply_observed(D) == D
    assert document.apply_observed(D) is None or document.pending() == [D]

    news = document.apply_observed(merge([AB, C]))

    assert news is not None
    assert text_of(news) == "abcd"


def test_what_waits_has_a_bound() -> None:
    """Over it, only updates that need not wait are taken; the others are refused for now."""
    document = Document(bounds=Bounds(pending_updates_max=2))
    late = [insert(5, 10 * n, "x", origin=10 * n - 1) for n in range(1, 5)]

    assert document.apply_turn(late[:2]) == [None, None]
    results = document.apply_turn([late[2], AB, C])
    assert [error and error.reason for error in results] == ["pending-full", None, None]
    with pytest.raises(UpdateError):
        document.apply_observed(late[3])
    assert document.apply_observed(D) is not None
    assert text_of(document.turn_update) == "abc"
    assert len(document.pending()) == 2
    assert clocks_of(document) == {5: 4}


def test_what_waits_is_kept_once() -> None:
    """A client that repeats itself does not fill the bound."""
    document = Document()
    for _ in range(5):
        document.apply_turn([D])

    assert document.pending() == [D]


def test_whether_an_update_integrated() -> None:
    """Asked of a document, and of a state vector."""
    document = Document.rebuild([AB])

    assert document.integrated(AB)
    assert not document.integrated(C)
    assert not document.integrated(delete(5, 1, 2))
    assert document.integrated(delete(5, 1, 1))
    assert document.integrated(C, b"\x01\x05\x03")
    with pytest.raises(UpdateError):
        document.integrated(b"\xff")


def test_pycrdt_still_needs_this() -> None:
    """What the defences are for: without a gap in the way, its encoding lacks what waits."""
    doc: Doc[Any] = Doc()
    doc.apply_update(AB)
    doc.apply_update(D)

    assert text_of(doc.get_update()) == "ab"
    assert pycrdt.get_state(merge([AB, D])) == b"\x01\x05\x02"


def test_thousands_may_wait_while_a_log_is_read() -> None:
    """What is asked of each row of a log is not paid for by each that waits: it took minutes."""
    pendings = Pendings(BOUNDS)
    pendings.bounded = False
    started = perf_counter()
    for number in range(20_000):
        update = insert(7, 1 + 2 * number, "x", origin=2 * number)
        ready = ready_part(update, {})
        assert not ready.whole
        assert not pendings.cover(ready)
        pendings.add(update, update)
        assert pendings.cover(ready)

    assert perf_counter() - started < 20
