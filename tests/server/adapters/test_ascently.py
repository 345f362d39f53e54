"""Items, moments and merging, without a server."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.adapters import ascently
from server.adapters.ascently import images, instants, mapping, schema
from server.adapters.ascently.items import Item, read_changes, tombstone_key
from server.errors import BadBody, Fault

DAY = 86_400 * 10**9


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01", 0),
        ("1970-01-02T00:00Z", DAY),
        ("1970-01-01T00:00:00.5z", 500_000_000),
        ("1970-01-01T00:00:00.123456789Z", 123_456_789),
        ("1970-01-01T00:00:00.1234567891Z", 123_456_789),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00-0100", 3600 * 10**9),
        ("1970-01-01T00:00:00", 0),
        ("1969-12-31T23:59:59.75Z", -250_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800 * 10**9),
    ],
)
def test_moments_are_numbers(text: str, ns: int) -> None:
    """Nanoseconds since 1970, in every form that clients use."""
    assert instants.parse(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026",
        "2026-13-01",
        "2026-01-01T25:00",
        "2026-01-01T00:00:00+99:00",
        "\u0661\u0669\u0667\u0660-01-01",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """With one kind of error."""
    with pytest.raises(ValueError, match="not a time"):
        instants.parse(text)


@given(st.integers(0, 253_402_300_799_999))
def test_moments_are_written_as_they_are_read(milliseconds: int) -> None:
    """With three digits."""
    assert instants.parse(instants.compose(milliseconds)) == milliseconds * 1_000_000


def at(second: int) -> str:
    """A moment of one minute."""
    return f"2026-01-01T00:00:{second:02}.000Z"


def changes(**lists: list[dict[str, Any]]) -> list[Item]:
    """Items as they come in a body."""
    return read_changes(msgspec.json.decode(json.dumps(lists), type=schema.Changes))


def merged(doc: Any, **lists: list[dict[str, Any]]) -> None:
    """One delta."""
    with doc.transaction():
        mapping.write_delta(doc, changes(**lists), "2026-01-02T00:00:00.000Z")


def whole(doc: Any) -> dict[str, Any]:
    """The dataset, its lists in the order of ids."""
    said: dict[str, Any] = json.loads(mapping.read_dataset(doc) or b"{}")
    for value in said.values():
        if isinstance(value, list):
            value.sort(key=lambda each: json.dumps(each, sort_keys=True))
    return said


GYM = st.fixed_dictionaries(
    {"id": st.sampled_from("ab"), "updatedAt": st.integers(0, 4).map(at), "n": st.integers(0, 1)}
)
GONE = st.fixed_dictionaries(
    {
        "id": st.sampled_from("ab"),
        "type": st.sampled_from(["gym", "problem"]),
        "deletedAt": st.integers(0, 4).map(at),
    }
)


@given(st.lists(st.tuples(st.lists(GYM, max_size=2), st.lists(GONE, max_size=2)), max_size=4))
def test_the_order_of_deltas_does_not_matter(
    deltas: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]],
) -> None:
    """Nor how often each comes, nor whether they come in one: the outcome is the same."""
    outcomes = []
    for order in itertools.islice(itertools.permutations(deltas), 6):
        doc: Any = pycrdt.Doc()
        for gyms, gone in [*order, *order]:
            merged(doc, gyms=gyms, deletedItems=gone)
        outcomes.append(_lists(doc))
    doc = pycrdt.Doc()
    merged(
        doc, gyms=[g for d in deltas for g in d[0]], deletedItems=[t for d in deltas for t in d[1]]
    )
    outcomes.append(_lists(doc))

    assert all(outcome == outcomes[0] for outcome in outcomes)


def _lists(doc: Any) -> tuple[Any, Any]:
    said = whole(doc)
    return said.get("gyms", []), said.get("deletedItems", [])


def test_the_same_again_stores_nothing() -> None:
    """Neither a delta nor an upload: documents do not grow by repetition."""
    doc: Any = pycrdt.Doc()
    lists: Any = {
        "gyms": [{"id": "a", "updatedAt": at(1)}],
        "sessions": [{"id": "s", "updatedAt": at(1), "status": "active"}],
        "deletedItems": [{"id": "b", "type": "gym", "deletedAt": at(1)}],
    }
    merged(doc, **lists)
    before = doc.get_update()
    merged(doc, **lists)

    assert doc.get_update() == before
    mapping.write_dataset(doc, changes(**lists), {"exportedAt": "x"}, "y")
    before = doc.get_update()
    mapping.write_dataset(doc, changes(**lists), {"exportedAt": "x"}, "y")
    assert doc.get_update() == before


def test_what_is_later_than_a_cursor_is_found_to_the_nanosecond() -> None:
    """And what was received is told beside it, once; what is gone is not."""
    doc: Any = pycrdt.Doc()
    times = {"a": "2026-01-01T00:00:00.000000001Z", "b": "2026-01-01T00:00:00.000000002Z"}
    merged(doc, gyms=[{"id": name, "updatedAt": time} for name, time in times.items()])
    cursor = instants.parse(times["a"])
    found = mapping.read_changed(doc, cursor, [])
    more = mapping.read_changed(doc, cursor, [("gyms", "a"), ("gyms", "b"), ("gyms", "gone")])

    assert [json.loads(text)["id"] for text in found["gyms"]] == ["b"]
    assert sorted(json.loads(text)["id"] for text in more["gyms"]) == ["a", "b"]


def test_types_and_ids_of_tombstones_are_kept_apart() -> None:
    """Both may hold what divides them."""
    keys = {
        tombstone_key(*pair) for pair in (("a", "b:c"), ("a:b", "c"), ("a%3Ab", "c"), ("", "x"))
    }

    assert len(keys) == 4


def test_the_first_bad_item_is_named() -> None:
    """So that a developer of a client finds it."""
    with pytest.raises(BadBody, match=r"problems\[1\].updatedAt"):
        changes(problems=[{"id": "a"}, {"id": "b", "updatedAt": "x"}])


def test_images_are_told_by_name_then_by_their_beginning() -> None:
    """A name that only looks like an extension is none."""
    assert images.type_of("a.png", b"GIF89a") == "image/png"
    assert images.type_of("png", b"GIF89a") == "image/gif"
    assert images.type_of("a.svg", b"<svg>") == "application/octet-stream"


def test_errors_are_one_sentence() -> None:
    """Of a stranger it is always the same."""
    for status, said in ((401, "Unauthorized"), (413, "Too much.")):
        assert ascently.error_body(Fault(status=status, code="x", message="Too much.")) == {
            "error": said
        }
