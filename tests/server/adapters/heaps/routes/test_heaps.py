"""Workspaces over HTTP: listed, made, counted, deleted and restored."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pycrdt
import pytest

from auth.principal import Role
from server.catalogue import CATALOGUE
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import Device, meta, new_id, title

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

HASH = "ab" * 32


async def test_own_workspaces_are_listed_under_both_names(ada: Guest) -> None:
    """The default one and new ones, each with its root block."""
    heap = await made(ada)
    listed = await ask(ada, "/api/heaps")

    assert [(one["id"], one["title"]) for one in listed][1:] == [(heap, "Garden")]
    assert listed[0]["id"] == listed[0]["block_id"] == ada.workspace
    for one in listed:
        assert one["id"] == one["heap_id"] == one["workspace_id"]
        assert (one["type"], one["role"]) == ("heap", "owner")
        assert 0 < one["created_at"] <= one["updated_at"]
    assert await ask(ada, "/api/workspaces") == listed
    assert await ask(ada, "/api/heaps", limit=1, offset=1) == listed[1:]


async def test_shared_workspaces_are_listed_on_request(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """Only owned ones without include_shared."""
    heap = await made(ada)
    await inside.grants.set_member(heap, bob.account, Role.VIEWER)

    assert heap not in [one["id"] for one in await ask(bob, "/api/heaps")]
    shared = await ask(bob, "/api/heaps", include_shared=True)
    assert [(one["id"], one["role"]) for one in shared][1:] == [(heap, "viewer")]


async def test_a_workspace_is_made_once_with_its_root_block(ada: Guest) -> None:
    """The owner's repeat with the same id is the same workspace; the title is the root block's."""
    heap = new_id()
    first = await ask(ada, "/api/heap/add", id=heap, title="Garden")
    again = await ask(ada, "/api/heap/add", heap_id=heap, title="Other")
    root = await ask(ada, f"/api/block/{first['block_id']}")

    assert first["success"] is True
    assert (first["id"], first["heap_id"], first["workspace_id"]) == (heap, heap, heap)
    assert (again["block_id"], again["title"]) == (first["block_id"], "Garden")
    assert (root["title"], root["heap_id"]) == ("Garden", heap)


async def test_the_title_of_a_workspace_is_its_root_blocks(ada: Guest) -> None:
    """Whoever edits that block renames the workspace."""
    added = await ask(ada, "/api/heap/add", id=new_id())
    device = Device(ada, added["id"])
    device.write("", added["block_id"])
    title(device.blocks[added["block_id"]], "Renamed")
    await device.push(added["block_id"])
    await ask(ada, "/api/heap_count", heap_id=added["id"])

    titles = {one["id"]: one["title"] for one in await ask(ada, "/api/heaps")}
    assert (added["title"], titles[added["id"]]) == ("", "Renamed")


async def test_many_who_make_one_workspace_make_one(ada: Guest) -> None:
    """A device that sends the same request several times at once."""
    heap = new_id()
    answers = await asyncio.gather(*(ask(ada, "/api/heap/add", id=heap) for _ in range(8)))

    assert len({answer["block_id"] for answer in answers}) == 1
    assert [one["id"] for one in await ask(ada, "/api/heaps")].count(heap) == 1


async def test_an_id_of_somebody_else_cannot_be_made(ada: Guest, bob: Guest) -> None:
    """Nor taken over; a root block whose id is taken gets another."""
    heap = await made(ada)
    await ask(bob, "/api/heap/add", 409, id=heap)
    other = await ask(bob, "/api/heap/add", id=new_id(), block_id=heap)

    assert other["block_id"] != heap
    assert (await ask(ada, f"/api/block/{heap}"))["title"] == "Garden"


@pytest.mark.parametrize(
    "body", [{"id": "x"}, {"id": "a:b"}, {"id": 7}, {"title": "t" * 501}, {"block_id": "no\u0000"}]
)
async def test_bad_ids_and_titles_are_400(ada: Guest, body: dict[str, Any]) -> None:
    """An id is a ULID or a UUID."""
    await ask(ada, "/api/heap/add", 400, **body)


async def test_contents_counts_and_stats(ada: Guest) -> None:
    """By type, last changed first, with pages; what is in the trash is counted apart."""
    heap = await made(ada)
    device = Device(ada, heap)
    plain, filed, trashed = device.write("a"), device.write("b"), device.write("c")
    files = device.blocks[filed]
    files.edit(lambda: files.doc.get("files_v0", type=pycrdt.Map).update({f"{HASH}:12": {}}))
    meta(device.blocks[trashed], deletedAt=5)
    for block in (plain, filed, trashed):
        await device.push(block)
        await ask(ada, "/api/heap_count", heap_id=heap)
    contents = await ask(ada, "/api/heap", workspace_id=heap)
    names = {
        kind: [
            b["block_id"] for b in (await ask(ada, "/api/heap", heap_id=heap, type=kind))["blocks"]
        ]
        for kind in ("", "all", "block", "file", "trash")
    }
    stats = await call(ada, "GET", f"/api/heap/stats/{heap}")

    assert names[""] == names["block"] == [filed, plain, heap]
    assert names["all"] == [trashed, filed, plain, heap]
    assert (names["file"], names["trash"]) == ([filed], [trashed])
    assert (contents["total"], contents["has_more"]) == (3, False)
    assert contents["heap"]["title"] == "Garden"
    assert contents["blocks"][0]["files"] == 1
    for kind, count in (("", 3), ("all", 4), ("file", 1), ("trash", 1)):
        assert (await ask(ada, "/api/heap_count", heap_id=heap, type=kind))["count"] == count
    page = await ask(ada, "/api/heap", heap_id=heap, limit=1, offset=1)
    assert ([b["id"] for b in page["blocks"]], page["has_more"]) == ([plain], True)
    assert (stats["blocks"], stats["trashed"]) == (3, 1)
    assert (stats["files"], stats["file_bytes"], stats["members"]) == (1, 12, 1)
    assert stats["bytes"] > 0


async def test_a_workspace_must_be_named_and_ones_own(ada: Guest, bob: Guest) -> None:
    """None named is 400; unknown, foreign and impossible ones are all 404."""
    heap = await made(ada)
    for path in ("/api/heap", "/api/heap_count"):
        await ask(ada, path, 400)
        for foreign in (heap, new_id(), "x", "\u0000", "ü"):
            await ask(bob, path, 404, heap_id=foreign)
    for path in (f"/api/heap/stats/{heap}", f"/api/trash/{heap}", "/api/heap/stats/%00"):
        await call(bob, "GET", path, 404)
    await call(bob, "DELETE", f"/api/heap/{heap}", 404)


async def test_whatever_peers_write_is_counted(ada: Guest) -> None:
    """Sizes beyond any number of ours, and titles that no database holds."""
    heap = await made(ada, "a\u0000b")
    device = Device(ada, heap)
    for sizes in ([9 * 10**14] * 3, [2**62, 2**62], [True, -5, 1e300, "x"]):
        block = device.write("")
        files = {f"{n:064x}": {"file_size": size} for n, size in enumerate(sizes)}
        mine = device.blocks[block]
        mine.edit(lambda mine=mine, f=files: mine.doc.get("files_v0", type=pycrdt.Map).update(f))
        odd = mine.doc.get("\u0000", type=pycrdt.Map)
        mine.edit(lambda odd=odd: odd.update({"\u0000": "\u0000"}))
        await device.push(block)
        await ask(ada, f"/api/block/{block}")

    stats = await call(ada, "GET", f"/api/heap/stats/{heap}")
    assert (stats["files"], stats["file_bytes"]) == (9, 10**15)


@pytest.mark.parametrize("body", [{"limit": 0}, {"limit": 1001}, {"offset": -1}, {"type": "x"}])
async def test_lists_are_bounded(ada: Guest, body: dict[str, Any]) -> None:
    """What is out of bounds is 400."""
    await ask(ada, "/api/heap", 400, heap_id=ada.workspace, **body)


async def test_only_the_owner_deletes_and_not_the_default(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """An editor gets 403; names without a workspace need the default one."""
    heap = await made(ada)
    await inside.grants.set_member(heap, bob.account, Role.EDITOR)

    await call(bob, "DELETE", f"/api/heap/{heap}", 403)
    await call(ada, "DELETE", f"/api/heap/{ada.workspace}", 409)


async def test_deleting_closes_sockets_and_shows_in_the_delta(ada: Guest) -> None:
    """Editors are told to leave, the feed says that every block is gone, lists forget it."""
    heap = await made(ada)
    device = Device(ada, heap)
    block = device.write("a")
    await device.push(block)
    await device.changes()
    editor = await ada.y(f"{heap}:{block}")
    await editor.sync()
    deleted = await call(ada, "DELETE", f"/api/heap/{heap}")

    assert deleted["restorable_until"] > datetime.now(UTC).timestamp() * 1000
    await editor.closed(5)
    assert heap not in [one["id"] for one in await ask(ada, "/api/heaps")]
    assert sorted((await device.changes())[1]) == sorted([heap, block])
    await ask(ada, f"/api/block/{block}", 404)
    await ask(ada, "/api/heap", 404, heap_id=heap)
    assert await call(ada, "DELETE", f"/api/heap/{heap}") == deleted
    assert (await ask(ada, "/api/heap/add", 409, id=heap))["error"] == "workspace_deleted"


async def test_who_deletes_twice_has_to_be_the_owner(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """To anybody else the workspace is not there any more, and its id is somebody's."""
    heap = await made(ada)
    await inside.grants.set_member(heap, bob.account, Role.EDITOR)
    await call(ada, "DELETE", f"/api/heap/{heap}")

    await call(bob, "DELETE", f"/api/heap/{heap}", 404)
    assert (await ask(bob, "/api/heap/add", 409, id=heap))["error"] == "id_taken"


async def test_the_names_of_an_id_may_not_differ(ada: Guest) -> None:
    """Nothing is made then; the same id in other letters is the same."""
    one, other = new_id(), new_id()
    await ask(ada, "/api/heap/add", 400, id=one, heap_id=other)
    await ask(ada, "/api/heap/add", 400, heap_id=one, workspace_id=other)
    assert not {one, other} & {heap["id"] for heap in await ask(ada, "/api/heaps")}

    await ask(ada, "/api/heap/add", id=one, heap_id=one.lower(), workspace_id=one)


@pytest.mark.parametrize("path", ["/api/heaps", "/api/workspaces"])
async def test_the_list_says_a_new_title_at_once(ada: Guest, path: str) -> None:
    """Right after the edit of a root block was confirmed."""
    heap = await made(ada)
    device = Device(ada, heap)
    await device.pull(heap)
    title(device.blocks[heap], " of Eden")
    await device.push(heap)
    assert [one["title"] for one in await ask(ada, path) if one["id"] == heap] == ["Garden of Eden"]


async def test_a_limit_of_null_is_none(ada: Guest) -> None:
    """Wherever a body may have one."""
    heap = ada.workspace
    await ask(ada, "/api/heaps", limit=None)
    await ask(ada, "/api/heap", heap_id=heap, limit=None)
    await ask(ada, "/api/heap/changed_blocks", heap_id=heap, limit=None)
    await ask(ada, "/api/search", heap_id=heap, query="x", limit=None)
    await ask(ada, f"/api/block_updates/{heap}", limit=None)
    await ask(ada, f"/api/block/{heap}", backlinks_limit=None)


async def test_an_administrator_restores_a_deleted_workspace(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """With everything in it; nobody else may, and not after its time."""
    heap = await made(ada)
    device = Device(ada, heap)
    block = device.write("kept")
    await device.push(block)
    await call(ada, "DELETE", f"/api/heap/{heap}")
    await inside.pool.execute("UPDATE accounts SET is_admin = id = $1", bob.account)
    await bob.log_in()

    await call(ada, "POST", f"/api/heap/{heap}/restore", 403)
    await call(bob, "POST", f"/api/heap/{heap}/restore")
    await call(bob, "POST", f"/api/heap/{heap}/restore", 404)
    assert (await ask(ada, f"/api/block/{block}"))["text"] == "kept"

    await call(ada, "DELETE", f"/api/heap/{heap}")
    long_ago = datetime.now(UTC) - timedelta(days=31)
    await inside.pool.execute("UPDATE scopes SET deleted_at = $2 WHERE id = $1", heap, long_ago)
    await call(bob, "POST", f"/api/heap/{heap}/restore", 404)
    assert await inside.app[CATALOGUE].clear() == 2
    record = await inside.store.by_global_id(block)
    assert record is not None
    assert record.purged_at is not None
    assert (
        await inside.pool.fetchval("SELECT count(*) FROM block_texts WHERE scope = $1", heap) == 0
    )
