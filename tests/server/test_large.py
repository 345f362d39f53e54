"""Large documents that nobody has open: pushed into and read in a helper process."""

from __future__ import annotations

import asyncio

import pytest

from crdt.bounds import Bounds
from crdt.document import Document
from server.large import difference, judge
from storage.documents import DocumentRecord
from tests.clients import Replica, text_of
from tests.crdt.samples import nest, values
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.conftest import ada, inside, serve
from tests.server.adapters.heaps.device import Device, new_id, text64

__all__ = ["ada", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def closed(inside: Inside, block: str) -> DocumentRecord:
    """The record of a block that is not in memory any more."""
    record = await inside.store.by_global_id(block)
    assert record is not None
    inside.documents.forget(inside.documents.room(record))
    return record


async def test_a_costly_update_is_checked_elsewhere_and_taken(ada: Guest) -> None:
    """A large one, and one that could be deep; a deep one is refused."""
    device = Device(ada)
    large = device.write("x" * 300_000)
    bad = values(nest(100_000))
    results = (
        await device.send(
            device.item(large),
            {"block_id": new_id(), "workspace_id": ada.workspace, "update": text64(bad)},
        )
    )["results"]

    assert [r["status"] for r in results] == ["created", "invalid"]
    assert results[1]["error"].startswith("update_")


async def test_a_large_block_that_nobody_has_open_takes_pushes(inside: Inside, ada: Guest) -> None:
    """Worked on in a helper: stored, answered, and repeated without a second row."""
    device = Device(ada)
    block = device.write("y" * 300_000)
    await device.push(block)
    record = await inside.store.by_global_id(block)
    assert record is not None
    inside.documents.forget(inside.documents.room(record))
    device.write(" tail", block)
    small = device.blocks[block].insert("!")
    items = [device.item(block), device.item(block), device.item(block, small)]
    results = [(await device.send(item))["results"][0] for item in items]

    assert inside.documents.peek(record.id) is None
    assert [r["status"] for r in results] == ["updated", "unchanged", "unchanged"]
    assert {r["state_vector"] for r in results} == {text64(device.blocks[block].vector)}
    assert not any("update" in r for r in results)
    editor = await ada.open(f"{ada.workspace}:{block}")
    assert editor.replica.text == device.blocks[block].text


async def test_an_editor_who_comes_while_a_large_block_is_pushed_sees_it(
    inside: Inside, ada: Guest
) -> None:
    """The room that was opened meanwhile reads the row."""
    device = Device(ada)
    block = device.write("z" * 300_000)
    await device.push(block)
    record = await inside.store.by_global_id(block)
    assert record is not None
    inside.documents.forget(inside.documents.room(record))
    device.write(" tail", block)
    sending = asyncio.create_task(device.send(device.item(block)))
    await asyncio.sleep(0.005)
    editor = await ada.open(f"{ada.workspace}:{block}")
    await sending
    await editor.until(lambda: editor.replica.text.endswith(" tail"))


async def test_a_large_block_is_pulled_and_settled_without_being_opened(
    inside: Inside, ada: Guest
) -> None:
    """Its title is known, its difference is what a device lacks, and no room is made for it."""
    device = Device(ada)
    block = device.write("w" * 300_000)
    await device.push(block)
    record = await closed(inside, block)
    device.write(" tail", block)
    await device.push(block)
    other = Device(ada)
    (whole,) = await other.pull(block)
    changed, _ = await device.changes()

    assert other.blocks[block].text == device.blocks[block].text
    assert whole["status"] == "updated"
    assert block in changed
    assert inside.documents.peek(record.id) is None


async def test_a_large_block_that_is_deleted_takes_nothing(inside: Inside, ada: Guest) -> None:
    """Deleted between the look at it and the push: the fence of the log holds too."""
    device = Device(ada)
    block = device.write("d" * 300_000)
    await device.push(block)
    record = await closed(inside, block)
    device.write("more", block)
    item = device.item(block)
    await inside.store.delete(record.id)
    (result,) = (await device.send(item))["results"]

    assert result["status"] == "deleted"


@pytest.mark.parametrize(
    ("update", "bounds", "retired", "verdict"),
    [
        ("new", Bounds(), frozenset(), None),
        ("old", Bounds(), frozenset(), "known"),
        ("new", Bounds(document_bytes_max=10), frozenset(), "document-full"),
        ("delete", Bounds(document_bytes_max=10), frozenset(), None),
        ("new", Bounds(), frozenset({7}), "lineage"),
        ("garbage", Bounds(), frozenset(), "malformed"),
    ],
)
async def test_an_update_is_judged_as_a_room_would_judge_it(
    update: str, bounds: Bounds, retired: frozenset[int], verdict: str | None
) -> None:
    """New, known, over the bound, from a lineage that is over, or none at all."""
    mine = Replica(7)
    old = mine.insert("hello world")
    updates = {"new": mine.insert("!"), "delete": mine.delete(0, 3), "old": old, "garbage": b"\1\2"}

    rows = [old] if update != "delete" else [old, updates["new"]]
    assert judge(rows, updates[update], retired, bounds) == verdict


async def test_who_names_a_retired_lineage_gets_everything() -> None:
    """And is told so."""
    mine = Replica(7)
    rows = [mine.insert("hello"), mine.insert(" world")]
    vector = Document.rebuild(rows[:1]).state_vector()

    assert difference(rows, vector, frozenset())[2] is False
    state, update, whole = difference(rows, vector, frozenset({7}))
    assert (state, text_of(update), whole) == (mine.vector, "hello world", True)
