"""Blocks of a push or pull between JSON and documents."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.bounds import Bounds
from server.adapters.heaps import mapping_sync as mapping
from server.adapters.heaps import schema_sync as schema
from server.adapters.heaps.mapping_sync import BadBlock
from storage.changes import Entry, Page
from tests.clients import Replica

AT = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


def raw(value: object) -> msgspec.Raw:
    """A block as it stands in a body."""
    return msgspec.Raw(json.dumps(value).encode())


@given(st.binary(max_size=300), st.sampled_from(["std", "url", "bare", "array", "buffer"]))
def test_bytes_survive_every_form_that_is_taken(data: bytes, form: str) -> None:
    """What a client encodes is what the document gets."""
    value: Any = {
        "std": base64.b64encode(data).decode(),
        "url": base64.urlsafe_b64encode(data).decode(),
        "bare": base64.b64encode(data).decode().rstrip("="),
        "array": list(data),
        "buffer": schema.Buffer(type="Buffer", data=list(data)),
    }[form]

    assert mapping.binary(value) == data


@pytest.mark.parametrize(
    "value", ["*", "AA A", "A", "AAAAA", "é", [256], [-1], "AA==AA==", "AB\n"], ids=repr
)
def test_what_is_no_base64_and_no_bytes_is_refused(value: Any) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError):  # noqa: PT011 (whichever kind of it)
        mapping.binary(value)


@pytest.mark.parametrize(
    ("value", "since"),
    [
        (None, 0),
        ("", 0),
        ("12", 12),
        (" 12 ", 12),
        (12, 12),
        (12.0, 12),
        (12.5, 0),
        (True, 0),
        (-1, 0),
        ("-1", 0),
        ("1e3", 0),
        ("9" * 40, 0),
        (10**40, mapping.STAMP_MAX),
        (float("nan"), 0),
        (float("inf"), 0),
        ([1], 0),
        ({}, 0),
    ],
    ids=repr,
)
def test_a_marker_is_a_whole_number_or_zero(value: Any, since: int) -> None:
    """Never an error."""
    assert mapping.marker(value) == since


def test_a_push_is_read_whole() -> None:
    """Name, workspace, vector, update, version; absent ones are empty."""
    mine = Replica(5)
    update = mine.insert("hello")
    sent = mapping.read_push(
        raw(
            {
                "block_id": "b",
                "workspace_id": "w",
                "update": list(update),
                "state_vector": list(mine.vector),
                "sync_version": 3,
                "more": [1],
            }
        ),
        Bounds(),
    )
    bare = mapping.read_push(raw({"block_id": "b"}), Bounds())

    assert (sent.name.workspace, sent.name.name) == ("w", "b")
    assert (sent.update, sent.state_vector, sent.sync_version) == (update, mine.vector, 3)
    assert (bare.name.workspace, bare.update, bare.state_vector, bare.sync_version) == (
        None,
        b"",
        b"",
        None,
    )


@pytest.mark.parametrize(
    ("block", "word"),
    [
        (7, "bad_block"),
        ({"block_id": None}, "bad_block"),
        ({"block_id": "b", "update": 7}, "bad_block"),
        ({"block_id": "b", "update": {"type": "Blob", "data": []}}, "bad_block"),
        ({"block_id": ""}, "bad_block_id"),
        ({"block_id": "b", "update": "%"}, "bad_update_encoding"),
        ({"block_id": "b", "update": [1]}, "update_malformed"),
        ({"block_id": "b", "update": [0, 0, 1]}, "update_trailing"),
        ({"block_id": "b", "update": [0] * 99}, "update_too_large"),
        ({"block_id": "b", "state_vector": "%"}, "bad_state_vector"),
        ({"block_id": "b", "state_vector": [1]}, "bad_state_vector"),
        ({"block_id": "b", "state_vector": [0, 0]}, "bad_state_vector"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_named_by_a_word(block: object, word: str) -> None:
    """A stable one, for programs."""
    with pytest.raises(BadBlock) as caught:
        mapping.read_push(raw(block), Bounds(update_bytes_max=50))

    assert caught.value.error == word


@pytest.mark.parametrize("text", ["[[[[" * 50_000, '{"a":' * 50_000, "", "nul"])
def test_a_block_of_any_depth_is_refused_and_has_no_id(text: str) -> None:
    """A hostile body cannot overflow anything."""
    block = msgspec.Raw(text.encode())
    with pytest.raises(BadBlock):
        mapping.read_pull(block, Bounds())

    assert mapping.block_id_of(block) is None


def test_the_id_of_a_bad_block_is_found() -> None:
    """So that the client knows which of its blocks it was."""
    assert mapping.block_id_of(raw({"block_id": "b", "update": 7})) == "b"
    assert mapping.block_id_of(raw({"block_id": 7})) is None


@pytest.mark.parametrize(
    ("version", "stale", "whole"),
    [(None, False, False), (0, False, True), (1, True, True), (2, False, False), (3, False, True)],
)
def test_versions_below_the_blocks_are_stale_and_others_get_all_of_it(
    version: int | None, stale: bool, whole: bool
) -> None:
    """0 and what was never given out is no reason to refuse a push."""
    sent = mapping.read_push(raw({"block_id": "b", "sync_version": version}), Bounds())

    assert mapping.is_stale(sent, 2) is stale
    assert mapping.wants_whole(sent, 2) is whole


def entry(**changes: Any) -> Entry:
    """One entry of a feed."""
    given: dict[str, Any] = {
        "stamp": 9,
        "deleted": True,
        "document": None,
        "name": "b",
        "sync_version": 1,
        "created_at": AT,
        "title": "Milk",
        "trashed_at": None,
        "removed_at": None,
        "deleted_at": None,
    }
    return Entry(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "at", "for_good"),
    [
        ({"trashed_at": 7}, 7, False),
        ({"trashed_at": 0}, 9, False),
        ({"trashed_at": 7, "removed_at": 8}, 8, True),
        ({"deleted_at": AT}, 1_790_000_000_000, True),
        ({}, 9, False),
    ],
    ids=str,
)
def test_when_a_block_went_is_told_as_well_as_it_is_known(
    changes: dict[str, Any], at: int, for_good: bool
) -> None:
    """By its document, by the store, or by the feed."""
    page = Page(entries=[entry(**changes)], marker=9, changed=0, deleted=1, has_more=False)
    (gone,) = mapping.delta("w", page).deleted_blocks

    assert (gone.deleted_at, gone.permanently_deleted, gone.workspace_id) == (at, for_good, "w")


def test_a_page_is_told_on_two_sides() -> None:
    """Each in the order of the feed."""
    entries = [entry(stamp=n, name=str(n), deleted=n % 2 == 0) for n in range(5)]
    told = mapping.delta("w", Page(entries=entries, marker=4, changed=7, deleted=8, has_more=True))

    assert [block.block_id for block in told.changed_blocks] == ["1", "3"]
    assert [block.block_id for block in told.deleted_blocks] == ["0", "2", "4"]
    assert (told.server_time, told.total_changed, told.total_deleted) == (4, 7, 8)
    assert told.has_more
