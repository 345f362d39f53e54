"""Plain values of records: checked before pycrdt, restored after it, compared everywhere alike."""

import math
from typing import Any

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.entries import (
    AT_MAX,
    DEPTH_MAX,
    BadRecord,
    Record,
    checked_at,
    entry_of,
    is_id,
    plain,
    rank,
    record_of,
    restored,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 53) + 1, (1 << 53) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.binary(max_size=20)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)


def through(value: Any) -> Any:
    """A value as another replica has it."""
    one: Any = pycrdt.Doc()
    one.get("m", type=pycrdt.Map)["k"] = value
    other: Any = pycrdt.Doc()
    other.apply_update(one.get_update())
    return other.get("m", type=pycrdt.Map)["k"]


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    """Through another replica; integers stay integers, bytes stay bytes, whole floats are whole."""
    back = restored(through(plain(value)))

    assert back == value
    assert _kinds(back) == _kinds(plain(value))


def _kinds(value: Any) -> Any:
    if isinstance(value, list):
        return [_kinds(each) for each in value]
    if isinstance(value, dict):
        return {key: _kinds(each) for key, each in value.items()}
    return type(value)


@pytest.mark.parametrize(
    "value",
    [
        1 << 53,
        -(1 << 53),
        math.nan,
        math.inf,
        "\ud800",
        {"\ud800": 1},
        {1: 2},
        object(),
        {1, 2},
        pycrdt.Map(),
        [[object()]],
        bytearray(b"x"),
    ],
    ids=[
        "large",
        "small",
        "nan",
        "infinite",
        "surrogate",
        "key-surrogate",
        "key",
        "object",
        "set",
        "shared",
        "inner",
        "bytes",
    ],
)
def test_what_pycrdt_would_panic_over_is_refused(value: Any) -> None:
    """With a typed error, before anything is written."""
    with pytest.raises(BadRecord, match="record-value"):
        plain(value)


def test_nesting_has_a_bound() -> None:
    """Both sides of it."""
    value: Any = 1
    for _ in range(DEPTH_MAX):
        value = [value]

    assert plain(value) == value
    with pytest.raises(BadRecord, match="record-depth"):
        plain([value])


@pytest.mark.parametrize("at", [0, 1, AT_MAX])
def test_times_are_whole_milliseconds(at: int) -> None:
    """From 1970 up to what a number of JavaScript can tell apart."""
    assert checked_at(at) == at


@pytest.mark.parametrize("at", [-1, AT_MAX + 1, 1.0, "1", None, True])
def test_other_times_are_refused(at: Any) -> None:
    """Also those that only look like numbers."""
    with pytest.raises(BadRecord, match="record-at"):
        checked_at(at)


@pytest.mark.parametrize(
    ("record", "fits"),
    [
        ("a", True),
        ("é" * 256, True),
        ("é" * 257, False),
        ("", False),
        ("\ud800", False),
        (7, False),
    ],
)
def test_ids_are_texts_of_a_bounded_size(record: Any, fits: bool) -> None:
    """In UTF-8 bytes."""
    assert is_id(record) is fits


@pytest.mark.parametrize(
    ("raw", "record"),
    [
        ({"value": 1.0}, Record(value=1, at=None)),
        ({"value": None}, Record(value=None, at=None)),
        ({"value": [1.0], "at": 5.0}, Record(value=[1], at=5)),
        ({"deleted": True, "at": 5.0}, Record(value=None, at=5, is_deleted=True)),
        ({"deleted": True}, None),
        ({"deleted": False, "at": 5.0}, None),
        ({"value": 1, "deleted": True, "at": 5.0}, None),
        ({"value": 1, "more": 2}, None),
        ({"value": 1, "at": 5.5}, None),
        ({"value": 1, "at": -5.0}, None),
        ({"value": 1, "at": True}, None),
        ({"at": 5.0}, None),
        ({}, None),
        (None, None),
        ("text", None),
        ([1], None),
        (pycrdt.Map(), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, pycrdt.Map) else repr(value),
)
def test_what_a_peer_wrote_is_a_record_or_nothing(raw: Any, record: Record | None) -> None:
    """Never an error: peers write what they like."""
    assert record_of(raw) == record
    assert (entry_of(raw) is None) is (record is None)


def test_of_equal_times_the_deletion_is_later_and_of_values_always_the_same() -> None:
    """Whatever the order of the keys in an object."""
    at = {"at": 5}
    one, same = {"value": {"a": 1, "b": 2}} | at, {"value": {"b": 2, "a": 1}} | at
    other, gone, later = {"value": 3} | at, {"deleted": True} | at, {"value": 0, "at": 6}

    assert rank(one) == rank(same)
    assert rank(one) != rank(other)
    assert max(one, other, gone, key=rank) == gone
    assert max(gone, later, key=rank) == later
