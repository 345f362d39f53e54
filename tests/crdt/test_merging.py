"""Questions about encoded updates and state vectors, answered without a document."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.bounds import Bounds
from crdt.document import Document
from crdt.errors import UpdateError
from crdt.merging import (
    EMPTY_UPDATE,
    check_state_vector,
    clock_of,
    decode_state_vector,
    delete_only,
    difference,
    merge,
    state_vector_of,
    waits,
)
from crdt.outline import outline
from crdt.wire import var_uint
from crdt.wire.lib0 import UINT_MAX
from tests.crdt.samples import AB, HISTORIES, C, Case, D, delete, insert, text_of


def test_merging_stands_for_all() -> None:
    """In any order, with or without gaps; nothing merged is an empty update."""
    assert merge([]) == EMPTY_UPDATE
    assert merge([AB]) == AB
    assert text_of(merge([D, AB, C])) == "abcd"
    assert outline(merge([AB, D])).ranges == [(5, 0, 2), (5, 3, 4)]


@pytest.mark.parametrize("case", HISTORIES.values(), ids=list(HISTORIES))
def test_merging_a_history_is_the_document(case: Case) -> None:
    """In two levels as in one."""
    merged = Document.rebuild([merge(case.updates)])

    assert decode_state_vector(merged.state_vector()) == decode_state_vector(case.vector or b"")
    assert merged.contains(case.whole or b"")
    assert not merged.has_pending


def test_merging_takes_no_quadratic_time() -> None:
    """Four times the updates take at most some seven times as long, not sixteen (T6)."""
    typed = [insert(5, n, "x", origin=n - 1 if n else None) for n in range(8000)]

    def seconds(count: int) -> float:
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            merge(typed[:count])
            best = min(best, time.process_time() - started)
        return best

    assert seconds(8000) < 10 * seconds(2000)
    assert outline(merge(typed)).ranges == [(5, 0, 8000)]


def test_what_is_no_update_cannot_be_merged() -> None:
    """It comes from a peer: a typed error, in each of these questions."""
    for ask in (
        lambda: merge([AB, b"\xff"]),
        lambda: difference(b"\x01", b"\x00"),
        lambda: difference(AB, b"\xff"),
        lambda: state_vector_of(b""),
        lambda: delete_only(b"\x01\x01"),
    ):
        with pytest.raises(UpdateError):
            ask()


def test_the_deletions_of_an_update_alone() -> None:
    """Of a whole document and of a later part of one, which says nothing of where it begins."""
    both = merge([AB, delete(5, 0, 1)])
    later = C[:-1] + delete(5, 0, 2)[1:]

    assert delete_only(both) == delete(5, 0, 1)
    assert delete_only(later) == delete(5, 0, 2)
    assert delete_only(AB) == EMPTY_UPDATE


def test_what_is_left_of_an_update() -> None:
    """Structs, or deletions above what the replica has; deletions below are done."""
    vector = b"\x01\x05\x02"

    assert not waits(difference(AB, vector), vector)
    assert waits(difference(C, b"\x01\x05\x01"), b"\x01\x05\x01")
    assert not waits(delete(5, 0, 2), vector)
    assert waits(delete(5, 1, 2), vector)
    assert waits(delete(6, 0, 1), vector)
    assert not waits(delete(5, 0, (1 << 32) - 1), vector)


VECTORS = {
    "empty": (b"", {}),
    "none": (b"\x00", {}),
    "two": (b"\x02\x05\x02\x09\x80\x01", {5: 2, 9: 128}),
}


@pytest.mark.parametrize("case", VECTORS.values(), ids=list(VECTORS))
def test_state_vectors_are_read(case: tuple[bytes, dict[int, int]]) -> None:
    """Clock by client id."""
    assert decode_state_vector(case[0]) == case[1]


BAD = {
    "cut": (b"\x02\x05\x02\x09", "malformed"),
    "more declared than there": (b"\x7f\x05\x02", "malformed"),
    "something behind": (b"\x01\x05\x02\x00", "trailing"),
    "number of 60 bits": (b"\x01" + b"\xff" * 8 + b"\x0f\x02", "malformed"),
    "over the bound": (b"\x06" + b"\x01\x01" * 6, "too-large"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=list(BAD))
def test_what_is_no_state_vector_is_refused(case: tuple[bytes, str]) -> None:
    """Each kind with its reason."""
    with pytest.raises(UpdateError) as caught:
        decode_state_vector(case[0], Bounds(state_vector_bytes_max=11))
    assert caught.value.reason == case[1]


@given(
    st.dictionaries(
        st.one_of(st.integers(0, 300), st.integers(0, (1 << 53) - 1)),
        st.one_of(st.integers(1, 300), st.integers(1, (1 << 31) - 1)),
        max_size=40,
    ),
    st.integers(0, (1 << 53) - 1),
)
def test_one_clock_is_found_among_many(clocks: dict[int, int], stranger: int) -> None:
    """Though clocks and ids may be the same bytes, and one may end as another begins."""
    vector = var_uint(len(clocks)) + b"".join(
        var_uint(client) + var_uint(clock) for client, clock in clocks.items()
    )

    for client in (*clocks, stranger, *clocks.values()):
        assert clock_of(vector, client) == clocks.get(client, 0)


def test_histories_have_rising_clocks() -> None:
    """The state vector of a merged prefix never falls."""
    case = HISTORIES["three clients"]
    totals = [
        sum(decode_state_vector(state_vector_of(merge(case.updates[:count]))).values())
        for count in range(1, len(case.updates))
    ]

    assert all(before <= after for before, after in pairwise(totals))


@given(
    st.one_of(
        st.binary(max_size=40),
        st.lists(st.tuples(st.integers(0, UINT_MAX), st.integers(0, 1 << 34)), max_size=200).map(
            lambda pairs: b"".join(
                [var_uint(len(pairs)), *(var_uint(c) + var_uint(k) for c, k in pairs)]
            )
        ),
    ),
    st.binary(max_size=2),
)
def test_a_state_vector_is_checked_as_it_is_decoded(vector: bytes, behind: bytes) -> None:
    """The cheap check takes and refuses the same bytes, with the same word."""
    bounds = Bounds(state_vector_bytes_max=300)
    words: list[str] = []
    for read in (decode_state_vector, check_state_vector):
        try:
            read(vector + behind, bounds)
            words.append("")
        except UpdateError as error:
            words.append(error.reason)

    assert words[0] == words[1]
