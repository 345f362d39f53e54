"""What of an update can be integrated now: no less, and never more."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.document import EMPTY_UPDATE, Document, decode_state_vector, difference, merge
from crdt.errors import UpdateError
from crdt.gaps import Ready, ready_part
from crdt.outline import covers, outline
from tests.crdt.samples import (
    AB,
    HISTORIES,
    C,
    Case,
    D,
    concurrent,
    delete,
    examples,
    insert,
    mutants,
)

ON_ANOTHER = b"\1\1\6\0\x84\5\2\1x\0"
"""A letter of client 6 behind `C`."""


def test_what_stands_on_nothing_missing_is_handed_on_as_it_is() -> None:
    """The very same bytes, and the clocks move on by them."""
    clocks: dict[int, int] = {}

    assert ready_part(AB, clocks) == Ready(AB, [], [])
    assert clocks == {5: 2}
    assert ready_part(AB, clocks).whole


@pytest.mark.parametrize(
    ("update", "clocks", "ranges", "deletes"),
    [
        (D, {5: 2}, [(5, 3, 4)], []),
        (ON_ANOTHER, {5: 2}, [(6, 0, 1)], []),
        (delete(5, 0, 2), {}, [], [(5, 0, 2)]),
        (delete(6, 3, 1), {5: 9, 6: 3}, [], [(6, 3, 4)]),
    ],
    ids=["behind a gap", "behind another client", "deletes what is not there", "deletes later"],
)
def test_nothing_is_ready_whose_predecessor_is_missing(
    update: bytes,
    clocks: dict[int, int],
    ranges: list[tuple[int, int, int]],
    deletes: list[tuple[int, int, int]],
) -> None:
    """And the clocks stay."""
    before = dict(clocks)

    assert ready_part(update, clocks) == Ready(None, ranges, deletes)
    assert clocks == before


def test_an_update_with_a_gap_is_ready_up_to_it() -> None:
    """What is behind the gap is left."""
    ready = ready_part(merge([AB, D]), {})

    assert ready.part == AB
    assert ready.ranges == [(5, 3, 4)]


def test_a_deletion_is_ready_as_far_as_its_structs_are_there() -> None:
    """The rest is left."""
    ready = ready_part(delete(5, 1, 3), {5: 2})

    assert ready.part == delete(5, 1, 1)
    assert ready.deletes == [(5, 2, 4)]


def test_structs_that_stand_on_each_other_are_ready_together() -> None:
    """Whatever order their clients are written in."""
    both = merge([AB, C, ON_ANOTHER, insert(4, 0, "y")])

    assert ready_part(both, {}).whole
    assert ready_part(ON_ANOTHER, {5: 3}).whole


@pytest.mark.parametrize("case", HISTORIES.values(), ids=list(HISTORIES))
def test_a_whole_history_is_ready(case: Case) -> None:
    """Each update after those before it, and all of them at once."""
    clocks: dict[int, int] = {}

    for update in case.updates:
        assert ready_part(update, clocks).whole
    assert case.whole is not None
    assert ready_part(case.whole, {}).whole


@examples(60, 3000)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_ready_part_integrates_whole_and_the_rest_is_what_is_missing(
    seed: int, order: int
) -> None:
    """Of updates in any order: nothing of a part waits in pycrdt, nothing is in neither."""
    made = concurrent(seed, clients=3, steps=25)
    chance = random.Random(order)
    chance.shuffle(made)
    document = Document()
    clocks: dict[int, int] = {}
    while made:
        update = merge([made.pop() for _ in range(min(len(made), chance.randint(1, 4)))])
        ready = ready_part(update, clocks)
        read = outline(update)
        if ready.part is not None:
            document.apply_turn([ready.part])
            assert not document.has_pending
        assert decode_state_vector(document.state_vector()) == {
            c: n for c, n in clocks.items() if n
        }
        rest = difference(update, document.state_vector())
        assert covers(ready.ranges, outline(rest).ranges)
        assert covers(read.ranges, ready.ranges)
        assert covers(read.deletes, ready.deletes)
        assert ready.whole or rest != EMPTY_UPDATE


def test_bytes_that_are_no_update_are_refused() -> None:
    """As everywhere."""
    for bad in (b"", b"\1", AB[:-2], b"\1\1\5"):
        with pytest.raises(UpdateError):
            ready_part(bad, {})


@examples(300, 20_000)
@given(mutants())
def test_whatever_peers_send_is_read_or_refused(update: bytes) -> None:
    """With no other error; and what is ready can be read again."""
    try:
        ready = ready_part(update, {5: 1, 77: 3})
    except UpdateError:
        return
    if ready.part is not None and ready.part != update:
        outline(ready.part)
