"""POST /api/sync/pull, sentence by sentence."""

from __future__ import annotations

from typing import Any

import pytest

from auth.principal import Role
from crdt.blocks import restore
from tests.inside import Guest, Inside
from tests.patience import until
from tests.server.adapters.heaps.device import (
    EMPTY,
    Device,
    bytes64,
    meta,
    new_id,
    replica,
    text64,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT = 1_790_000_000_000


async def test_a_device_gets_what_it_is_missing(ada: Guest) -> None:
    """The difference to its state vector, and no more than that."""
    one, two = Device(ada), Device(ada)
    block = one.write("x" * 1000)
    await one.push(block)
    await two.pull(block)
    one.write("!", block)
    await one.push(block)
    (result,) = await two.pull(block)

    assert two.blocks[block].text == "x" * 1000 + "!"
    assert (result["success"], result["status"]) == (True, "updated")
    assert len(bytes64(result["update"])) < 100
    assert result["state_vector"] == text64(two.blocks[block].vector)
    assert (result["workspace_id"], result["sync_version"]) == (ada.workspace, 1)
    assert "deleted" not in result


@pytest.mark.parametrize("vector", ["", None, [], text64(b"\0")], ids=["text", "null", "[]", "0"])
async def test_without_a_state_vector_everything_comes(ada: Guest, vector: Any) -> None:
    """Empty, null and absent mean that nothing is known."""
    device = Device(ada)
    block = device.write("everything")
    await device.push(block)
    item = {"block_id": block, "state_vector": vector}
    absent = {"block_id": block}
    for one in (item, absent):
        (result,) = (await device.ask(one))["results"]
        fresh = replica()
        fresh.apply(bytes64(result["update"]))
        assert fresh.text == "everything"


async def test_equal_state_vectors_are_answered_with_the_deletions(ada: Guest) -> None:
    """Deletions do not move a state vector; only where nothing was ever deleted nothing comes."""
    one, two = Device(ada), Device(ada)
    block, untouched = one.write("hello world"), one.write("never deleted")
    await one.push(block, untouched)
    await two.pull(block, untouched)
    one.blocks[block].delete(0, 6)
    await one.push(block)
    results = await two.pull(block, untouched)

    assert two.blocks[block].text == "world"
    assert [(r["status"], r["update"] == EMPTY) for r in results] == [
        ("updated", False),
        ("unchanged", True),
    ]


async def test_a_pull_of_what_is_known_opens_no_document(inside: Inside, ada: Guest) -> None:
    """A thousand blocks that did not change are answered from the index of blocks."""
    device = Device(ada)
    blocks = [device.write(f"n{number}") for number in range(300)]
    await device.push(*blocks)
    await device.changes()
    for block in blocks:
        record = await inside.store.by_global_id(block)
        assert record is not None
        inside.documents.forget(inside.documents.room(record))
    loads = inside.metrics.loads
    results = await device.pull(*blocks)

    assert {(r["status"], r["update"]) for r in results} == {("unchanged", EMPTY)}
    assert inside.metrics.loads == loads


async def test_a_version_that_is_not_the_blocks_gets_the_full_state(ada: Guest) -> None:
    """Also where the state vectors are equal; a version that is not said is none."""
    device = Device(ada)
    block = device.write("all of it")
    await device.push(block)
    vector = text64(device.blocks[block].vector)
    for version, key in ((0, "full_state"), (2, "full_state"), (1, "update"), (None, "update")):
        (result,) = (
            await device.ask({"block_id": block, "state_vector": vector, "sync_version": version})
        )["results"]
        assert key in result
        assert ("full_state" in result) != ("update" in result)
        if key == "full_state":
            fresh = replica()
            fresh.apply(bytes64(result["full_state"]))
            assert (fresh.text, result["status"]) == ("all of it", "full_state")


async def test_who_knows_only_a_retired_lineage_gets_the_full_state(
    inside: Inside, ada: Guest
) -> None:
    """Even if it says no version: its state vector names clients that are gone."""
    device = Device(ada)
    block = device.write("old")
    await device.push(block)
    record = await inside.store.by_global_id(block)
    assert record is not None
    fresh = replica()
    await inside.store.replace(record.id, fresh.insert("new"), ada.account)
    (result,) = (
        await device.ask({"block_id": block, "state_vector": text64(device.blocks[block].vector)})
    )["results"]

    assert (result["status"], result["sync_version"]) == ("full_state", 2)
    seen = replica()
    seen.apply(bytes64(result["full_state"]))
    assert seen.text == "new"


async def test_unknown_and_foreign_blocks_are_answered_alike(ada: Guest, bob: Guest) -> None:
    """Whoever asks learns nothing of what is another's, in whatever state it is."""
    device = Device(ada)
    block = device.write("ada's")
    await device.push(block)
    thief = Device(bob)
    results = (
        await thief.ask(
            {"block_id": block},
            {"block_id": new_id()},
            {"block_id": f"{ada.workspace}:{block}"},
            {"block_id": block, "workspace_id": ada.workspace},
            {"block_id": "notes", "workspace_id": ada.workspace},
            {"block_id": "nothing of this name"},
        )
    )["results"]

    bodies = [{k: v for k, v in r.items() if k != "block_id"} for r in results]
    assert bodies == [{"success": False, "status": "not_found", "error": "not_found"}] * 6


async def test_a_viewer_may_pull(inside: Inside, ada: Guest, bob: Guest) -> None:
    """Reading needs no more than being a member."""
    device = Device(ada)
    block = device.write("shared")
    await device.push(block)
    await inside.grants.set_member(ada.workspace, bob.account, Role.VIEWER)
    guest = Device(bob, ada.workspace)
    (result,) = await guest.pull(block)

    assert result["success"]
    assert guest.blocks[block].text == "shared"


async def test_trashed_blocks_are_marked_and_their_content_still_comes(ada: Guest) -> None:
    """The marker is of now: it comes with the document that says so, and goes with it."""
    device, other = Device(ada), Device(ada)
    block = device.write("a")
    meta(device.blocks[block], deletedAt=AT)
    await device.push(block)
    (trashed,) = await other.pull(block)
    meta(device.blocks[block], deletedAt=None)
    await device.push(block)
    (restored,) = await other.pull(block)

    assert (trashed["deleted"], trashed["deleted_at"], trashed["success"]) == (True, AT, True)
    assert other.blocks[block].text == "a"
    assert "permanently_deleted" not in trashed
    assert "deleted" not in restored


async def test_deleted_blocks_have_a_marker_and_no_content(inside: Inside, ada: Guest) -> None:
    """Deleted for good by the document itself, by the store, and purged."""
    device = Device(ada)
    own, stored, purged = device.write("a"), device.write("b"), device.write("c")
    meta(device.blocks[own], permanentlyDeletedAt=AT)
    await device.push(own, stored, purged)
    await device.changes()
    for block in (stored, purged):
        record = await inside.store.by_global_id(block)
        assert record is not None
        await inside.store.delete(record.id)
    await inside.store.purge(record.id)
    results = await Device(ada).pull(own, stored, purged)

    assert [r["status"] for r in results] == ["deleted"] * 3
    assert all(r["deleted"] and r["permanently_deleted"] for r in results)
    assert all(r["deleted_at"] > 1_700_000_000_000 for r in results)
    assert not any("update" in r or "full_state" in r for r in results)


async def test_one_bad_block_does_not_fail_the_rest(ada: Guest) -> None:
    """Results stand in the order of the request."""
    device = Device(ada)
    block = device.write("good")
    await device.push(block)
    answer = await device.ask(
        7,
        {"block_id": block, "state_vector": "%%"},
        {"block_id": block, "state_vector": text64(b"\x05")},
        {"block_id": None},
        {"block_id": block},
    )

    assert [r["status"] for r in answer["results"]] == [*["invalid"] * 4, "updated"]
    assert answer["results"][1]["block_id"] == block


async def test_a_pull_sees_committed_rows_only(
    inside: Inside, ada: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an editor typed and is not stored yet is not given to a device."""
    monkeypatch.setitem(inside.settings.__dict__, "commit_timeout_s", 0.5)
    device = Device(ada)
    block = device.write("stored")
    await device.push(block)
    record = await inside.store.by_global_id(block)
    assert record is not None
    live = inside.documents.room(record)
    async with inside.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM heads WHERE document = $1 FOR UPDATE", record.id)
        editor = await ada.open(f"{ada.workspace}:{block}")
        await editor.write(" typed")
        await until(lambda: live.room.uncommitted > 0)
        early = Device(ada)
        await early.pull(block)
    await editor.settled(2)
    late = Device(ada)
    await late.pull(block)

    assert (early.blocks[block].text, late.blocks[block].text) == ("stored", "stored typed")


async def test_a_pull_returns_a_stamp_of_before(ada: Guest) -> None:
    """It is no newer than the latest change of those workspaces."""
    device = Device(ada)
    block = device.write("a")
    await device.push(block)
    page = await device.page()
    answer = await device.ask({"block_id": block})

    assert answer["server_time"] == page["server_time"]


async def test_a_reply_has_a_bound_and_says_what_to_ask_for_again(serve: Any, ada: Guest) -> None:
    """The first block always comes; those that do not fit are `later`."""
    server = await serve(pull_bytes_max=20_000)
    async with server.visitor() as guest:
        device = Device(guest)
        blocks = [device.write("x" * 15_000) for _ in range(4)]
        await device.push(*blocks)
        for other in (Device(guest), Device(guest)):
            missing = list(blocks)
            rounds = []
            while missing:
                results = await other.pull(*missing)
                missing = [r["block_id"] for r in results if r["status"] == "later"]
                assert all(r["success"] is (r["status"] != "later") for r in results)
                rounds.append(len(missing))
            assert rounds == [2, 0]
            assert all(other.blocks[b].text == device.blocks[b].text for b in blocks)
            for block in blocks:
                record = await server.store.by_global_id(block)
                assert record is not None
                server.documents.forget(server.documents.room(record))


async def test_a_restoration_by_the_server_reaches_devices(inside: Inside, ada: Guest) -> None:
    """A change that the server makes to a block is pulled like any other."""
    device = Device(ada)
    block = device.write("a")
    meta(device.blocks[block], deletedAt=AT)
    await device.push(block)
    record = await inside.store.by_global_id(block)
    assert record is not None
    await inside.documents.edit(record, restore(), account=ada.account)
    await device.pull(block)
    device.write("edited offline", block)
    await device.push(block)
    changed, gone = await device.changes()

    assert block in changed
    assert block not in gone
