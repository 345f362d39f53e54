"""POST /api/sync/push, sentence by sentence."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from auth.principal import Role
from crdt.document import Document
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S
from tests.server.adapters.heaps.device import EMPTY, Device, bytes64, new_id, replica, text64

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_unknown_block_is_made_with_the_clients_id(inside: Inside, ada: Guest) -> None:
    """In the workspace that the client says, owned by who pushed."""
    device = Device(ada)
    block = device.write("made offline")
    (result,) = (await device.send(device.item(block)))["results"]

    assert (result["block_id"], result["success"], result["status"]) == (block, True, "created")
    assert (result["workspace_id"], result["sync_version"]) == (ada.workspace, 1)
    assert bytes64(result["state_vector"]) == device.blocks[block].vector
    assert "error" not in result
    record = await inside.store.by_global_id(block)
    assert record is not None
    assert (record.scope, record.owner, record.name) == (ada.workspace, ada.account, block)


async def test_results_stand_in_the_order_of_the_request_and_one_bad_block_fails_alone(
    ada: Guest,
) -> None:
    """Whatever stands between two good blocks, both are stored and the reply is 200."""
    device = Device(ada)
    first, last = device.write("first"), device.write("last")
    bad: list[Any] = [
        7,
        None,
        "text",
        [],
        {},
        {"block_id": 7},
        {"block_id": ""},
        {"block_id": "a\u0000b"},
        {"block_id": "x" * 600},
        device.item(first, block_id=new_id(), update="***"),
        device.item(first, block_id=new_id(), update={"type": "Buffer", "data": [256]}),
        device.item(first, block_id=new_id(), update=[-1]),
        device.item(first, block_id=new_id(), update=text64(b"\1\2\3")),
        device.item(first, block_id=new_id(), state_vector="%"),
        device.item(first, block_id=new_id(), state_vector=text64(b"\5")),
        device.item(first, block_id=new_id(), workspace_id=7),
        device.item(first, block_id=new_id(), workspace_id="w\u0000"),
    ]
    answer = await device.send(device.item(first), *bad, device.item(last))
    results = answer["results"]

    assert [r["status"] for r in results] == ["created", *["invalid"] * len(bad), "created"]
    assert all(r["success"] is (r["status"] == "created") for r in results)
    assert all(r.get("error") for r in results[1:-1])
    assert {r["error"] for r in results[1:-1]} == {
        "bad_block",
        "bad_block_id",
        "bad_update_encoding",
        "update_malformed",
        "bad_state_vector",
    }
    assert [r["block_id"] for r in results[10:14]] == [item["block_id"] for item in bad[9:13]]


async def test_a_bad_update_of_an_unknown_block_makes_nothing(inside: Inside, ada: Guest) -> None:
    """Bad input changes nothing: there is no empty block afterwards."""
    device = Device(ada)
    block = new_id()
    for update in (b"\1\2\3", b"\0\0\0", b"\1\1\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0\4\1\1a\1b\0"):
        (result,) = (
            await device.send(
                {"block_id": block, "workspace_id": ada.workspace, "update": text64(update)}
            )
        )["results"]
        assert (result["success"], result["status"]) == (False, "invalid")

    assert await inside.store.by_global_id(block) is None


@pytest.mark.parametrize("form", ["standard", "url", "bare", "array", "buffer"])
async def test_binary_values_come_in_every_form_that_clients_send(ada: Guest, form: str) -> None:
    """Base64 in both alphabets, padded or not, an array of numbers, and a Buffer of Node."""
    device = Device(ada)
    block = device.write("~~~???>>>" * 3)

    def encode(data: bytes) -> Any:
        return {
            "standard": base64.b64encode(data).decode(),
            "url": base64.urlsafe_b64encode(data).decode(),
            "bare": base64.urlsafe_b64encode(data).decode().rstrip("="),
            "array": list(data),
            "buffer": {"type": "Buffer", "data": list(data)},
        }[form]

    mine = device.blocks[block]
    item = device.item(block, state_vector=encode(mine.vector), update=encode(mine.missing(b"\0")))
    (result,) = (await device.send(item))["results"]

    assert result["success"], result
    other = Device(ada)
    await other.pull(block)
    assert other.blocks[block].text == mine.text


async def test_the_same_push_again_changes_nothing(inside: Inside, ada: Guest) -> None:
    """Neither the document nor its log nor the feed; so a lost answer costs nothing."""
    device = Device(ada)
    block = device.write("once")
    item = device.item(block)
    (first,) = (await device.send(item))["results"]
    record = await inside.store.by_global_id(block)
    assert record is not None
    await device.changes()
    inside.documents.forget(inside.documents.room(record))
    (again,) = (await device.send(item))["results"]
    (thrice,) = (await device.send(item))["results"]

    assert [r["status"] for r in (first, again, thrice)] == ["created", "unchanged", "unchanged"]
    assert first["state_vector"] == again["state_vector"] == thrice["state_vector"]
    assert len((await inside.store.load(record.id)).rows) == 1
    assert await device.changes() == ([], [])


async def test_the_answer_holds_what_the_server_has_beyond_the_state_vector(ada: Guest) -> None:
    """A device that pushes is up to date with those blocks afterwards; nothing new, no update."""
    one, two = Device(ada), Device(ada)
    block = one.write("one ")
    await one.push(block)
    await two.pull(block)
    one.write("more ", block)
    await one.push(block)
    two.write("two ", block)
    (result,) = await two.push(block)
    await one.pull(block)

    assert one.blocks[block].text == two.blocks[block].text
    assert sorted(one.blocks[block].text.split()) == ["more", "one", "two"]
    assert "update" in result
    (nothing,) = await two.push(block)
    assert "update" not in nothing


async def test_without_a_state_vector_the_answer_is_all_of_it(ada: Guest) -> None:
    """Empty, null and absent mean that nothing is known."""
    device = Device(ada)
    block = device.write("all of it")
    for vector in ("", None, [], text64(b"\0")):
        (result,) = (await device.send(device.item(block, state_vector=vector)))["results"]
        fresh = replica()
        fresh.apply(bytes64(result["update"]))
        assert fresh.text == "all of it"


async def test_a_push_without_an_update_asks_what_is_missing(ada: Guest) -> None:
    """An unknown block is made, empty."""
    device = Device(ada)
    block = device.write("there")
    await device.push(block)
    known, unknown = (
        await device.send(
            {"block_id": block, "workspace_id": ada.workspace},
            {"block_id": new_id(), "workspace_id": ada.workspace, "update": None},
        )
    )["results"]

    assert (known["status"], unknown["status"]) == ("unchanged", "created")
    assert "update" in known
    assert "update" not in unknown


async def test_an_open_editor_sees_a_push_at_once_and_a_push_gets_what_it_typed(ada: Guest) -> None:
    """REST and sockets meet in one document."""
    device = Device(ada)
    block = device.write("from REST ")
    await device.push(block)
    editor = await ada.open(f"{ada.workspace}:{block}:v1")
    device.write("more ", block)
    await device.push(block)
    await editor.until(lambda: "more" in editor.replica.text)
    await editor.write("typed")
    await editor.settled(2)
    await device.push(block)

    assert device.blocks[block].text == editor.replica.text
    assert "typed" in device.blocks[block].text


async def test_a_push_is_in_the_log_before_its_answer(inside: Inside, ada: Guest) -> None:
    """Every update of the batch is a committed row."""
    device = Device(ada)
    blocks = [device.write(f"block {number}") for number in range(40)]
    await device.push(*blocks)

    for block in blocks:
        record = await inside.store.by_global_id(block)
        assert record is not None
        loaded = await inside.store.load(record.id)
        document = Document.rebuild([row.data for row in loaded.rows])
        assert document.state_vector() == device.blocks[block].vector


async def test_who_wrote_what_is_kept(inside: Inside, ada: Guest) -> None:
    """Each row has its account and device."""
    device = Device(ada)
    block = device.write("mine")
    await device.push(block)
    record = await inside.store.by_global_id(block)
    assert record is not None
    row = await inside.pool.fetchrow(
        "SELECT author, device FROM updates WHERE document = $1", record.id
    )

    assert row is not None
    assert row["author"] == ada.account
    assert row["device"]


async def test_foreign_blocks_are_not_found_whatever_their_state(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """Foreign, foreign and deleted, new in a foreign workspace or one that is not: one answer."""
    device = Device(ada)
    there, deleted, readable = (device.write("ada's") for _ in range(3))
    await device.push(there, deleted)
    record = await inside.store.by_global_id(deleted)
    assert record is not None
    await inside.store.delete(record.id)
    thief = Device(bob)
    thief.blocks = {block: replica() for block in device.blocks}
    shared = await bob.inside.pool.fetchval("SELECT id FROM scopes WHERE owner = $1", ada.account)
    results = (
        await thief.send(
            thief.item(there),
            thief.item(deleted),
            thief.item(there, workspace_id=ada.workspace),
            thief.item(readable, workspace_id=ada.workspace),
            thief.item(readable, workspace_id="01J8ZQ4T9Y3K8M2N5P7R9S1T3V"),
            thief.item(readable, block_id="notes", workspace_id=ada.workspace),
        )
    )["results"]

    assert shared == ada.workspace
    bodies = [{k: v for k, v in r.items() if k != "block_id"} for r in results]
    assert bodies == [{"success": False, "status": "not_found", "error": "not_found"}] * 6
    assert await inside.store.by_global_id(readable) is None


async def test_a_viewer_may_not_push_and_an_editor_may(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """Without the right to write a push is answered as if the block were not there."""
    device = Device(ada)
    block = device.write("shared ")
    await device.push(block)
    guest = Device(bob, ada.workspace)
    guest.blocks[block] = replica()
    told = []
    for role in (Role.VIEWER, Role.EDITOR):
        await inside.grants.set_member(ada.workspace, bob.account, role)
        await _until_role(inside, bob, ada.workspace, role)
        guest.blocks[block].insert("bob")
        told.append((await guest.send(guest.item(block)))["results"][0]["status"])

    assert told == ["not_found", "updated"]


async def _until_role(inside: Inside, guest: Guest, scope: str, role: Role) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await inside.realtime.rights.role_in(guest.account, scope) is not role:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_deleted_block_is_not_resurrected(inside: Inside, ada: Guest) -> None:
    """In the store's trash, purged, or deleted for good by its own document."""
    device = Device(ada)
    deleted, purged = device.write("a"), device.write("b")
    await device.push(deleted, purged)
    for block in (deleted, purged):
        record = await inside.store.by_global_id(block)
        assert record is not None
        await inside.store.delete(record.id)
    await inside.store.purge(record.id)
    device.write("resurrect", deleted)
    device.write("resurrect", purged)
    results = (await device.send(device.item(deleted), device.item(purged)))["results"]
    changed, gone = await device.changes()

    assert [(r["success"], r["status"]) for r in results] == [(False, "deleted")] * 2
    assert not any("update" in r or "state_vector" in r for r in results)
    assert {deleted, purged} <= set(gone)
    assert not {deleted, purged} & set(changed)


async def test_a_version_that_is_not_the_blocks_is_no_reason_to_refuse(ada: Guest) -> None:
    """Compaction changes nothing for clients; the current version is reported."""
    device = Device(ada)
    block = device.write("a")
    await device.push(block)
    for version in (0, 7, None, 7.0):
        (result,) = (await device.send(device.item(block, sync_version=version)))["results"]
        assert (result["status"], result["sync_version"]) == ("unchanged", 1)


async def test_a_rebuilt_block_is_not_written_by_who_knows_the_old_one(
    inside: Inside, ada: Guest
) -> None:
    """The stale push gets the full state instead; a push on the new state is taken."""
    device = Device(ada)
    block = device.write("old")
    await device.push(block)
    record = await inside.store.by_global_id(block)
    assert record is not None
    fresh = replica()
    await inside.store.replace(record.id, fresh.insert("new"), ada.account)
    device.write(" stale", block)
    (stale,) = (await device.send(device.item(block)))["results"]
    (unsaid,) = (await device.send(device.item(block, sync_version=None)))["results"]
    again = Device(ada)
    again.blocks[block] = replica()
    again.blocks[block].apply(bytes64(stale["full_state"]))
    again.write(" and on", block)
    (taken,) = (await again.send(again.item(block, sync_version=2)))["results"]

    for refused in (stale, unsaid):
        assert (refused["success"], refused["status"], refused["sync_version"]) == (
            False,
            "stale",
            2,
        )
        seen = replica()
        seen.apply(bytes64(refused["full_state"]))
        assert seen.text == "new"
    assert (taken["success"], taken["sync_version"]) == (True, 2)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"blocks": None}, 400),
        ({"blocks": {}}, 400),
        ({"blocks": "x"}, 400),
        ([], 400),
        ({"blocks": []}, 200),
        ({"blocks": [1] * 1001}, 413),
    ],
    ids=["none", "null", "object", "text", "array", "empty", "too-many"],
)
@pytest.mark.parametrize("route", ["push", "pull"])
async def test_the_body_must_hold_an_array_of_blocks(
    ada: Guest, route: str, body: Any, status: int
) -> None:
    """Missing or another thing is 400, an empty one is fine, too many are 413."""
    got, answer, _ = await ada.post(f"/api/sync/{route}", json=body)

    assert got == status
    if status == 200:
        assert answer["results"] == []
        assert answer["server_time"] > 1_700_000_000_000
    else:
        assert answer["success"] is False


async def test_a_push_returns_a_stamp_from_before_its_own_write(ada: Guest) -> None:
    """Who takes it for a marker misses nothing of what came after it."""
    device = Device(ada)
    block = device.write("a")
    answer = await device.send(device.item(block))
    page = await device.page(answer["server_time"])

    assert [entry["block_id"] for entry in page["changed_blocks"]] == [block]


async def test_a_thousand_blocks_are_one_push(ada: Guest) -> None:
    """All are made, all are stored, and pushing them again changes nothing."""
    device = Device(ada)
    blocks = [device.write(f"n{number}") for number in range(1000)]
    first = await device.push(*blocks)
    again = await device.push(*blocks)

    assert {r["status"] for r in first} == {"created"}
    assert {r["status"] for r in again} == {"unchanged"}
    assert [r["block_id"] for r in first] == blocks
    _, total = await device.changes(), (await device.page(0))["total_changed"]
    assert total >= 1000


async def test_one_block_twice_in_a_push_is_taken_twice_in_order(ada: Guest) -> None:
    """The second builds on the first; one of them made the block."""
    device = Device(ada)
    block = new_id()
    mine = device.blocks[block] = replica()
    first, second = mine.insert("a"), mine.insert("b")
    results = (await device.send(device.item(block, first), device.item(block, second)))["results"]

    assert [r["status"] for r in results] == ["created", "updated"]
    assert [r["state_vector"] for r in results] == [text64(mine.vector)] * 2


async def test_an_update_whose_predecessor_is_missing_is_kept(ada: Guest) -> None:
    """It is stored and handed on, and whole once the predecessor came."""
    device = Device(ada)
    block = new_id()
    mine = device.blocks[block] = replica()
    first, second = mine.insert("a"), mine.insert("b")
    (waits,) = (await device.send(device.item(block, second)))["results"]
    early = Device(ada)
    await early.pull(block)
    await device.send(device.item(block, first))
    late = Device(ada)
    await late.pull(block)

    assert waits["success"]
    assert late.blocks[block].text == "ab"
    early.blocks[block].apply(first)
    assert early.blocks[block].text == "ab"


async def test_plain_names_belong_to_the_workspace_that_is_said(ada: Guest, bob: Guest) -> None:
    """Two people's `notes` are two blocks, and what a socket calls `notes` is the same one."""
    ours = [Device(ada), Device(bob)]
    for number, device in enumerate(ours):
        device.blocks["notes"] = replica()
        device.blocks["notes"].insert(f"text {number}")
        (result,) = (await device.send(device.item("notes", workspace_id=None)))["results"]
        assert result["workspace_id"] == device.workspace
    editor = await bob.open("notes")

    assert editor.replica.text == "text 1"


async def test_empty_bytes_are_the_empty_update(ada: Guest) -> None:
    """Nothing is stored for it."""
    device = Device(ada)
    block = device.write("a")
    await device.push(block)
    (result,) = (await device.send(device.item(block, update=EMPTY)))["results"]

    assert result["status"] == "unchanged"


@pytest.mark.parametrize("place", ["block_id", "workspace_id", "state_vector", "update"])
async def test_half_a_character_fails_its_own_block_alone(ada: Guest, place: str) -> None:
    """In a push and in a pull; a surrogate alone is no text, and the others are."""
    device = Device(ada)
    first, last = device.write("first"), device.write("last")
    bad = device.item(first) | {"block_id": new_id(), place: "\ud800"}
    answer = await device.send(device.item(first), bad, device.item(last))
    assert [one["status"] for one in answer["results"]] == ["created", "invalid", "created"]

    if place != "update":
        blocks = [{"block_id": first}, {"block_id": new_id(), place: "\udc00"}, {"block_id": last}]
        status, answer, _ = await ada.post("/api/sync/pull", json={"blocks": blocks})
        assert status == 200
        assert [one["status"] for one in answer["results"]] == ["updated", "invalid", "updated"]


@pytest.mark.parametrize("version", ["1", True, 1.5, "", [], {}])
async def test_a_version_that_is_no_number_fails_its_block(ada: Guest, version: object) -> None:
    """It is not taken as none."""
    device = Device(ada)
    block = device.write("text")
    (result,) = (await device.send(device.item(block, sync_version=version)))["results"]
    assert (result["status"], result["error"]) == ("invalid", "bad_sync_version")


async def test_a_version_may_be_written_as_a_float(ada: Guest) -> None:
    """1.0 is 1, in languages that know one kind of number."""
    device = Device(ada)
    block = device.write("text")
    (result,) = (await device.send(device.item(block, sync_version=1.0)))["results"]
    assert result["status"] == "created"
