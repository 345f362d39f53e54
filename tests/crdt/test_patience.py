"""Waiting updates that turn out impossible: they fail nobody else, and are named."""

from itertools import permutations

import pytest

from crdt.document import Document
from crdt.errors import UpdateError
from crdt.wire.lib0 import var_uint
from tests.crdt.samples import AB, C, D, insert, text_of

INSIDE_A_TEXT = b"\x01\x01\x06\x00\x04\x00\x05\x02\x01x\x00"
"""Inserts into the letter of `C`, as if that were a list: once `C` is there, nobody can."""
HALF = b"\x01\x02\x06\x00\x04\x01\x01t\x01y\x04\x00\x05\x02\x01x\x00"
"""The same behind a letter that can stand where it wants to."""


@pytest.mark.parametrize("poison", [INSIDE_A_TEXT, HALF], ids=["alone", "with another"])
def test_what_turns_out_impossible_fails_nobody_else(poison: bytes) -> None:
    """The update that brought the predecessor is applied; what waited is dropped and named."""
    document = Document()
    assert document.apply_turn([AB, poison]) == [None, None]
    assert document.pending() == [poison]

    assert document.apply_turn([C, D]) == [None, None]

    assert "abcd" in text_of(document.encode())
    assert not document.has_pending
    assert document.take_poison() == [poison]
    assert document.take_poison() == []
    assert document.apply_turn([insert(5, 4, "e", origin=3)]) == [None]


@pytest.mark.parametrize("poison", [INSIDE_A_TEXT, HALF], ids=["alone", "with another"])
def test_a_log_with_it_loads_in_any_order(poison: bytes) -> None:
    """It passed the check and was stored while it waited: the document opens all the same."""
    for rows in permutations([AB, C, D, poison]):
        document = Document.rebuild(rows)
        assert text_of(document.encode()).replace("y", "") == "abcd"
        assert document.take_poison() == [poison]
        assert Document.rebuild([document.encode()]).state_vector() == document.state_vector()


def test_a_snapshot_with_it_goes_on() -> None:
    """Encoded while it waited, loaded, and completed by the innocent."""
    document = Document.rebuild([AB, INSIDE_A_TEXT])

    again = Document.rebuild([document.encode()])
    assert again.apply_observed(C) == C
    assert text_of(again.encode()) == "abc"


def test_others_go_on_waiting() -> None:
    """Only what is impossible is dropped; what waits for something else stays."""
    honest = insert(5, 9, "z", origin=8)
    document = Document()
    document.apply_turn([AB, INSIDE_A_TEXT, honest])

    document.apply_turn([C])

    assert document.pending() == [honest]
    assert document.take_poison() == [INSIDE_A_TEXT]


def test_the_same_is_refused_where_nothing_waits() -> None:
    """Its predecessor is there already: its author is told, and nothing is kept."""
    document = Document.rebuild([AB, C])

    error = document.apply_turn([INSIDE_A_TEXT])[0]
    assert error is not None
    assert error.reason == "malformed"
    with pytest.raises(UpdateError):
        document.apply_observed(INSIDE_A_TEXT)
    assert document.take_poison() == []
    assert not document.broken


@pytest.mark.parametrize("missing", [False, True])
def test_a_row_of_many_deletions_waits_only_if_one_of_them_does(*, missing: bool) -> None:
    """As a snapshot it is loaded alone; a deletion of what is not there yet is still kept."""
    ranges = [b"".join((var_uint(4 * n), b"\x01")) for n in range(600)]
    if missing:
        ranges.append(var_uint(2400) + b"\x02")
    deletions = b"\x01" + var_uint(7) + var_uint(len(ranges)) + b"".join(ranges)
    row = insert(7, 0, "abcd" * 600)[:-1] + deletions

    document = Document.rebuild([row])

    assert document.has_pending is missing
    assert document.apply_turn([insert(7, 2400, "xyz", origin=2399)]) == [None]
    document.settle()
    assert not document.has_pending
    assert text_of(document.encode()) == "bcd" * 600 + ("z" if missing else "xyz")
