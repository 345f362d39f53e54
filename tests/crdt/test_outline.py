"""Reading updates as numbers: what they bring, delete and need, by our own decoder."""

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.errors import UpdateError
from crdt.outline import CLOCK_MAX, covers, outline
from crdt.wire import read_var_uint, var_uint
from tests.crdt.samples import HISTORIES, Case, delete, examples, insert, mutants


def test_an_insert_needs_what_stands_before_it() -> None:
    """The clock before its own, and what its origin names; its length counts UTF-16 units."""
    first = outline(insert(5, 0, "Zoé 🙂"))
    later = outline(insert(5, 7, "x", origin=6))

    assert (first.ranges, first.needs) == ([(5, 0, 6)], {})
    assert (later.ranges, later.needs) == ([(5, 7, 8)], {5: 7})
    assert later.ready({5: 7})
    assert not later.ready({5: 6})
    assert not later.ready({})


def test_a_deletion_needs_what_it_deletes() -> None:
    """Its end, unless the update itself brings that."""
    alone = outline(delete(5, 3, 4))
    with_structs = outline(insert(5, 0, "abcdefgh")[:-1] + delete(5, 3, 4)[1:])

    assert (alone.ranges, alone.deletes, alone.needs) == ([], [(5, 3, 7)], {5: 7})
    assert (with_structs.deletes, with_structs.needs) == ([(5, 3, 7)], {})


def test_an_origin_of_another_client_is_needed() -> None:
    """An insert between the letters of two others waits for both of them."""
    struct = b"\xc4" + bytes((6, 2, 7, 9)) + b"\x01a"
    update = b"\x01\x01\x05\x00" + struct + b"\x00"

    assert outline(update).needs == {6: 3, 7: 10}


def test_a_gap_is_needed_and_not_brought() -> None:
    """What stands behind a gap waits for the gap to close."""
    merged = pycrdt.merge_updates(insert(5, 0, "ab"), insert(5, 9, "cd", origin=8))

    read = outline(merged)

    assert read.ranges == [(5, 0, 2), (5, 9, 11)]
    assert read.needs == {5: 9}


def test_the_delete_set_is_found() -> None:
    """Its offset cuts an update into what it brings and what it deletes."""
    update = insert(5, 0, "abc")[:-1] + delete(5, 1, 1)[1:]

    assert update[outline(update).delete_set_at :] == delete(5, 1, 1)[1:]


@pytest.mark.parametrize("case", HISTORIES.values(), ids=list(HISTORIES))
def test_we_read_what_yjs_wrote(case: Case) -> None:
    """The ranges of a whole document are its state vector, as Yjs itself encodes that."""
    assert case.whole is not None
    assert case.vector is not None
    clocks: dict[int, int] = {}
    for client, _, high in outline(case.whole).ranges:
        clocks[client] = max(high, clocks.get(client, 0))

    count, at = read_var_uint(case.vector, 0)
    expected = {}
    for _ in range(count):
        client, at = read_var_uint(case.vector, at)
        expected[client], at = read_var_uint(case.vector, at)

    assert clocks == expected
    assert outline(case.whole).needs == {}


@pytest.mark.parametrize("case", HISTORIES.values(), ids=list(HISTORIES))
def test_updates_in_their_order_need_only_what_came_before(case: Case) -> None:
    """Each update of a history is ready once the earlier ones are in."""
    clocks: dict[int, int] = {}
    for update in case.updates:
        read = outline(update)
        assert read.ready(clocks)
        for client, low, high in read.ranges:
            assert low <= clocks.get(client, 0)
            clocks[client] = max(high, clocks.get(client, 0))


@examples(1000, 30_000)
@given(st.one_of(mutants(), st.binary(max_size=60)))
def test_no_other_error_leaves_the_decoder(update: bytes) -> None:
    """Whatever the bytes are, they are an update or an UpdateError."""
    try:
        read = outline(update)
    except UpdateError:
        return
    assert all(0 <= low < high <= CLOCK_MAX for _, low, high in read.ranges)
    assert all(low <= high for _, low, high in read.deletes)
    assert read.delete_set_at < len(update)


@pytest.mark.parametrize("client", [0, 1, 127, 128, (1 << 53) - 1])
def test_client_ids_have_53_bits(client: int) -> None:
    """The greatest honest id passes; a greater one is refused as such."""
    head = b"\x01\x01"
    tail = b"\x00\x04\x01\x01t\x01a\x00"

    assert outline(head + var_uint(client) + tail).ranges == [(client, 0, 1)]
    with pytest.raises(UpdateError) as caught:
        outline(head + b"\x80" * 7 + b"\x10" + tail)
    assert caught.value.reason == "client-id"


_ranges = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 12), st.integers(0, 12)).map(
        lambda r: (r[0], min(r[1:]), max(r[1:]))
    ),
    max_size=8,
)


@given(_ranges, _ranges)
def test_covering_is_a_matter_of_clocks(
    known: list[tuple[int, int, int]], parts: list[tuple[int, int, int]]
) -> None:
    """Ranges cover others where each clock of those is in one of them."""

    def clocks(ranges: list[tuple[int, int, int]]) -> set[tuple[int, int]]:
        return {(client, clock) for client, low, high in ranges for clock in range(low, high)}

    assert covers(known, parts) is (clocks(parts) <= clocks(known))
