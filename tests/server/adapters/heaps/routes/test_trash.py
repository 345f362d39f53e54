"""The trash over HTTP, and that an offline device does not undo what was done in it."""

from __future__ import annotations

from typing import Any

import pycrdt
import pytest

from auth.principal import Role
from server.catalogue import CATALOGUE
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.asking import ask, call
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import Device, meta, new_id, title

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

AT = 1_790_000_000_000


async def thrown(device: Device, text: str = "rubbish", at: int = AT) -> str:
    """A block that a device put into the trash; its id."""
    block = device.write(text)
    title(device.blocks[block], text.title())
    meta(device.blocks[block], deletedAt=at)
    await device.push(block)
    return block


async def test_the_trash_is_listed_last_trashed_first_in_pages(ada: Guest) -> None:
    """With titles and times; the next page goes on where the last one ended."""
    device = Device(ada)
    blocks = [await thrown(device, f"block {n}", AT + n) for n in range(5)]
    kept = device.write("kept")
    await device.push(kept)
    first = await call(ada, "GET", f"/api/trash/{ada.workspace}?limit=3")
    rest = await call(ada, "GET", f"/api/trash/{ada.workspace}?limit=3&after={first['next']}")

    assert [b["block_id"] for b in first["blocks"] + rest["blocks"]] == blocks[::-1]
    assert (first["blocks"][0]["title"], first["blocks"][0]["deleted_at"]) == ("Block 4", AT + 4)
    assert (first["total"], first["has_more"]) == (5, True)
    assert (rest["has_more"], rest["next"]) == (False, None)
    assert first["heap_id"] == first["workspace_id"] == ada.workspace


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=99999999", "limit=-1"])
async def test_a_bad_limit_is_within_bounds(ada: Guest, query: str) -> None:
    """It never is an error."""
    await call(ada, "GET", f"/api/trash/{ada.workspace}?{query}")


@pytest.mark.parametrize("after", ["x", "1-", "1-zz", "-", "99999999999999999999-" + "0" * 32])
async def test_a_place_that_is_none_of_ours_is_400(ada: Guest, after: str) -> None:
    """It says so."""
    await call(ada, "GET", f"/api/trash/{ada.workspace}?after={after}", 400)


async def test_restored_blocks_are_back_each_with_its_own_result(ada: Guest) -> None:
    """One bad block does not fail the rest; trashed blocks change sides in the delta."""
    device = Device(ada)
    first, second, kept = await thrown(device), await thrown(device), device.write("kept")
    await device.push(kept)
    await device.changes()
    path = f"/api/trash/{ada.workspace}/restore"
    unknown = new_id()
    answer = await ask(ada, path, block_ids=[first, unknown, kept, "\u0000", second, first])
    statuses = {r["block_id"]: r["status"] for r in answer["results"]}

    assert statuses == {
        first: "restored", second: "restored",
        unknown: "not_found", "\u0000": "not_found", kept: "not_trashed",
    }  # fmt: skip
    assert answer["restored"] == [first, second]
    assert sorted((await device.changes())[0]) == sorted([first, second])
    assert (await call(ada, "GET", f"/api/trash/{ada.workspace}"))["blocks"] == []
    again = await ask(ada, path, block_id=first)
    assert [r["status"] for r in again["results"]] == ["not_trashed"]
    await ask(ada, path, 400)


async def test_an_open_editor_sees_the_restore(ada: Guest) -> None:
    """It is an edit of the document."""
    device = Device(ada)
    block = await thrown(device)
    editor = await ada.y(block)
    await editor.sync()
    before = len(editor.heard)
    await ask(ada, f"/api/trash/{ada.workspace}/restore", block_id=block)
    await editor.until(lambda: len(editor.heard) > before)

    assert editor.replica.doc.get("meta_v0", type=pycrdt.Map).to_py() == {"deletedAt": None}


async def test_a_device_that_was_offline_does_not_undo_a_restore(ada: Guest) -> None:
    """It knows of the trash, edits, and syncs after the restore."""
    device = Device(ada)
    block = await thrown(device)
    device.write("edited offline ", block)
    await ask(ada, f"/api/trash/{ada.workspace}/restore", block_id=block)
    await device.push(block)
    shown = await ask(ada, f"/api/block/{block}")

    assert shown["deleted_at"] is None
    assert "edited offline" in shown["text"]
    assert block in [
        b["id"] for b in (await ask(ada, "/api/heap", heap_id=ada.workspace))["blocks"]
    ]


async def test_an_emptied_trash_is_gone_for_good(inside: Inside, ada: Guest) -> None:
    """The content is dropped, the id stays known as deleted, and no device brings it back."""
    device = Device(ada)
    block, kept = await thrown(device), device.write("kept")
    await device.push(kept)
    await ask(ada, "/api/heap_count", heap_id=ada.workspace)
    editor = await ada.y(block)
    await editor.sync()
    answer = await call(ada, "DELETE", f"/api/trash/{ada.workspace}")

    assert (answer["deleted"], answer["remaining"]) == (1, 0)
    await editor.closed(5)
    record = await inside.store.by_global_id(block)
    assert record is not None
    assert record.purged_at is not None
    for table in ("updates", "snapshots", "history", "block_texts", "relations"):
        sql = f"SELECT count(*) FROM {table} WHERE document = $1"
        assert await inside.pool.fetchval(sql, record.id) == 0, table
    device.write("more ", block)
    (result,) = await device.push(block)
    assert result["status"] == "deleted"
    await ask(ada, f"/api/block/{block}", 404)
    restored = await ask(ada, f"/api/trash/{ada.workspace}/restore", block_id=block)
    assert [r["status"] for r in restored["results"]] == ["not_found"]
    assert (await device.changes())[1] == [block]
    assert (await ask(ada, f"/api/block/{kept}"))["text"] == "kept"
    assert (await call(ada, "DELETE", f"/api/trash/{ada.workspace}"))["deleted"] == 0


async def test_a_block_that_says_it_is_gone_loses_its_content(inside: Inside, ada: Guest) -> None:
    """However its document was edited; the background clears it away."""
    device = Device(ada)
    block = await thrown(device)
    meta(device.blocks[block], permanentlyDeletedAt=AT)
    await device.push(block)
    await device.changes()

    assert await inside.app[CATALOGUE].clear() == 1
    record = await inside.store.by_global_id(block)
    assert record is not None
    assert record.purged_at is not None


async def test_a_viewer_only_looks(inside: Inside, ada: Guest, bob: Guest) -> None:
    """Emptying and restoring need the right to edit; strangers see nothing."""
    device = Device(ada)
    block = await thrown(device)
    path = f"/api/trash/{ada.workspace}"
    await call(bob, "GET", path, 404)
    await ask(bob, f"{path}/restore", 404, block_id=block)
    await inside.grants.set_member(ada.workspace, bob.account, Role.VIEWER)

    assert [b["id"] for b in (await call(bob, "GET", path))["blocks"]] == [block]
    await call(bob, "DELETE", path, 403)
    await ask(bob, f"{path}/restore", 403, block_id=block)


@pytest.mark.parametrize("body", [{"block_ids": "x"}, {"block_ids": [7]}, {"block_id": ["x"]}])
async def test_bad_bodies_are_400(ada: Guest, body: dict[str, Any]) -> None:
    """And more than a thousand blocks."""
    await ask(ada, f"/api/trash/{ada.workspace}/restore", 400, **body)
    await ask(ada, f"/api/trash/{ada.workspace}/restore", 400, block_ids=["x"] * 1001)
