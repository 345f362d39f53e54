"""Profiles and their documents, without a server."""

from __future__ import annotations

from typing import Any

import msgspec
import pycrdt
import pytest

from crdt.entries import AT_MAX
from crdt.records import Collection
from server.adapters import difflog
from server.adapters.difflog import mapping, schema
from server.adapters.difflog.profiles import client_salt
from server.errors import Fault

ROOM = mapping.Room(bytes_max=10_000, items_max=100)


def upload(doc: Any, now_ms: int = 1000, **body: Any) -> bool:
    """One upload, written."""
    with doc.transaction():
        return mapping.write_sync(doc, msgspec.convert(body, schema.Sync), now_ms, ROOM)


def items(*names: str) -> list[dict[str, str]]:
    """Items with these ids."""
    return [{"id": name, "encrypted_data": name} for name in names]


def ids(doc: Any, name: str = "diffs") -> list[str]:
    """The ids of a collection, newest first."""
    return [item.id for item in mapping.read_items(doc, name)]


def test_a_batch_is_newer_than_all_before_it_whatever_the_clock_says() -> None:
    """A clock that is set back, or a time that a peer made up, drops nothing new."""
    doc: Any = pycrdt.Doc()
    upload(doc, 5000, diffs=items("a", "b"))
    upload(doc, 4000, diffs=items("c"))
    Collection.of(doc, "diffs").put_latest("far", "x", AT_MAX)
    upload(doc, 6000, diffs=items("d", "far"))
    upload(doc, 6000, diffs=items("e"))

    assert ids(doc)[-3:] == ["c", "a", "b"]
    assert set(ids(doc)[:3]) == {"d", "e", "far"}


def test_a_full_profile_is_left_as_it_is() -> None:
    """Bytes are counted as they are sent, and what goes makes room."""
    doc: Any = pycrdt.Doc()
    assert upload(doc, stars=[{"id": "s", "encrypted_data": "é" * 4_000}])
    before = doc.get_state()

    assert not upload(doc, stars=[{"id": "t", "encrypted_data": "x" * 2_000}], diffs_hash="h")
    assert not upload(doc, tldrs=items(*map(str, range(101))))
    assert doc.get_state() == before
    assert upload(doc, stars=[{"id": "t", "encrypted_data": "x" * 2_000}], deleted_star_ids=["s"])


def test_an_upload_that_changes_nothing_but_times_writes_little() -> None:
    """The same hashes and fields are not written again."""
    doc: Any = pycrdt.Doc()
    upload(doc, diffs_hash="h", profile={"name": "A"})
    before = doc.get_state()
    upload(doc, diffs_hash="h", profile={"name": "A"})

    assert doc.get_state() == before


@pytest.mark.parametrize(
    ("collection", "key", "entry", "sound"),
    [
        ("diffs", "d", {"value": "x", "at": 1}, True),
        ("diffs", "d", {"value": "x"}, False),
        ("stars", "d", {"deleted": True, "at": 1}, False),
        ("tldrs", "d", {"value": {"x": 1}, "at": 1}, False),
        ("meta", "diffs_hash", {"value": "h"}, True),
        ("meta", "diffs_hash", {"value": 5}, False),
        ("meta", "password_hash", {"value": "h"}, False),
        ("profile", "name", {"value": "A"}, True),
        ("profile", "name", {"value": "A", "at": 1}, False),
        ("profile", "name", {"value": None}, False),
        ("profile", "tools", {"value": ["a"]}, True),
        ("profile", "tools", {"value": ["a", 1]}, False),
        ("profile", "custom_focus", {"value": None}, True),
        ("profile", "resolved_sources", {"value": '{"a": 1}'}, True),
        ("profile", "resolved_sources", {"value": "{"}, False),
        ("profile", "other", {"value": "x"}, False),
    ],
)
def test_what_an_editor_may_write(
    collection: str, key: str, entry: dict[str, Any], sound: bool
) -> None:
    """Records as this API makes them, and nothing else."""
    assert mapping.is_sound(collection, key, entry) is sound


def test_the_salt_is_what_stands_before_the_colon() -> None:
    """None where there is no colon."""
    assert [client_salt(text) for text in ("a:b:c", ":b", "ab")] == ["a", "", None]


def test_errors_are_one_sentence_with_what_the_client_shows() -> None:
    """And no word for programs, which this API does not have."""
    fault = Fault(status=401, code="x", message="No.", facts={"attempts_remaining": 1})

    assert difflog.error_body(fault) == {"error": "No.", "attempts_remaining": 1}
