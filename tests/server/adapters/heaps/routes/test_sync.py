"""GET /api/sync/delta and POST /api/heap/changed_blocks, sentence by sentence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from auth.principal import Role
from crdt import wire
from server.budget import BODIES
from server.feed import FEED
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import Device, meta, new_id, title

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

AT = 1_790_000_000_000


async def test_a_delta_lists_changed_and_deleted_blocks(ada: Guest) -> None:
    """With the fields of the page, ids as clients made them, times in Unix milliseconds."""
    device = Device(ada)
    block, trashed = device.write("a"), device.write("b")
    title(device.blocks[block], "Milk")
    meta(device.blocks[trashed], deletedAt=AT)
    await device.push(block, trashed)
    page = await device.page()

    assert set(page) == {
        "changed_blocks",
        "deleted_blocks",
        "server_time",
        "has_more",
        "total_changed",
        "total_deleted",
    }
    (changed,), (gone,) = page["changed_blocks"], page["deleted_blocks"]
    assert (changed["block_id"], changed["workspace_id"], changed["sync_version"]) == (
        block,
        ada.workspace,
        1,
    )
    assert changed["title"] == "Milk"
    assert (gone["block_id"], gone["deleted_at"]) == (trashed, AT)
    assert gone["permanently_deleted"] is False
    assert (page["total_changed"], page["total_deleted"], page["has_more"]) == (1, 1, False)
    assert page["server_time"] == max(changed["updated_at"], gone["updated_at"])
    assert 0 < changed["created_at"] <= changed["updated_at"]


@pytest.mark.parametrize("since", [None, "", "x", "-1", "1e3", "1.5", "null", "9" * 30, "0x10"])
async def test_since_omitted_or_invalid_is_zero(ada: Guest, since: str | None) -> None:
    """Never a 400 for it."""
    device = Device(ada)
    block = device.write("a")
    await device.push(block)
    page = await device.page(since)

    assert [entry["block_id"] for entry in page["changed_blocks"]] == [block]


async def test_since_is_a_marker_and_only_what_is_later_comes(ada: Guest) -> None:
    """The marker of the last answer; one from the future finds nothing."""
    device = Device(ada)
    first = device.write("a")
    await device.push(first)
    page = await device.page()
    again = await device.page(page["server_time"])
    second = device.write("b")
    await device.push(second)
    third = await device.page(again["server_time"])

    assert (again["changed_blocks"], again["server_time"]) == ([], page["server_time"])
    assert [entry["block_id"] for entry in third["changed_blocks"]] == [second]
    future = await device.page(1 << 62)
    assert (future["changed_blocks"], future["server_time"]) == ([], third["server_time"])


async def test_without_a_workspace_it_is_a_400(ada: Guest) -> None:
    """A delta is of one workspace."""
    for path in ("/api/sync/delta", "/api/sync/delta?since=5", "/api/sync/delta?workspace_id="):
        assert (await ada.get(path))[0] == 400
    assert (await ada.post("/api/heap/changed_blocks", json={"since": 0}))[0] == 400


@pytest.mark.parametrize("scope", ["ada", "unknown", "x" * 500, "a\u0000b", "é", "\U0001f600"])
async def test_foreign_and_unknown_workspaces_are_both_403(
    ada: Guest, bob: Guest, scope: str
) -> None:
    """The same answer, byte for byte."""
    scope = {"ada": ada.workspace, "unknown": new_id()}.get(scope, scope)
    answers = set()
    for name in (scope, ada.workspace):
        async with bob.http.get(
            "/api/sync/delta", params={"workspace_id": name}, headers=bob.bearer
        ) as response:
            answers.add((response.status, await response.text()))
        status, body, _ = await bob.post("/api/heap/changed_blocks", json={"heap_id": name})
        answers.add((status, str(body)))

    assert {status for status, _ in answers} == {403}
    assert len(answers) == 2


async def test_pages_are_followed_by_server_time_alone(ada: Guest) -> None:
    """Each entry once, in the order of its change, however small the pages are."""
    device = Device(ada)
    blocks = [device.write(f"n{number}") for number in range(25)]
    for block in blocks:
        meta(device.blocks[block], deletedAt=AT if blocks.index(block) % 3 == 0 else None)
    await device.push(*blocks)
    seen: list[str] = []
    since, pages, has_more = 0, 0, True
    while has_more:
        page = await device.page(since, limit=4)
        entries = page["changed_blocks"] + page["deleted_blocks"]
        assert page["total_changed"] + page["total_deleted"] == 25 - len(seen)
        stamps = sorted(entry["updated_at"] for entry in entries)
        assert stamps[-1] == page["server_time"]
        assert stamps[0] > since
        seen += [entry["block_id"] for entry in entries]
        since, has_more, pages = page["server_time"], page["has_more"], pages + 1

    assert sorted(seen) == sorted(blocks)
    assert pages == 7


async def test_trashed_and_restored_blocks_change_sides(ada: Guest) -> None:
    """A device that only follows the delta knows where each block is."""
    device = Device(ada)
    block = device.write("a")
    sides = []
    for at in (None, AT, None, AT):
        meta(device.blocks[block], deletedAt=at)
        await device.push(block)
        sides.append(await device.changes())

    assert sides == [([block], []), ([], [block]), ([block], []), ([], [block])]


async def test_an_edit_on_a_socket_shows_in_the_next_delta(ada: Guest) -> None:
    """However it came in: typed, trashed by an editor, or made by opening a new document."""
    device = Device(ada)
    block = device.write("a")
    await device.push(block)
    await device.changes()
    editor = await ada.open(f"{ada.workspace}:{block}")
    await editor.write("typed")
    await editor.settled(2)
    typed = await device.changes()
    update = meta(editor.replica, deletedAt=AT)
    await editor.send(wire.update(update))
    await editor.settled(3)
    trashed = await device.changes()

    assert typed == ([block], [])
    assert trashed == ([], [block])


async def test_the_delta_of_a_deleted_workspace_tells_its_members_so(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """All of it is deleted; strangers are refused as before; restored, all of it is back."""
    device = Device(ada)
    blocks = [device.write("a"), device.write("b")]
    await device.push(*blocks)
    await device.changes()
    changes = inside.app[FEED].changes
    await changes.set_scope_deleted(ada.workspace, AT, deleted=True)
    await _until_role(inside, ada, Role.NONE)
    gone = await device.changes()
    status, _ = await bob.get(f"/api/sync/delta?workspace_id={ada.workspace}")
    pushed = (await device.send(device.item(blocks[0])))["results"]
    await changes.set_scope_deleted(ada.workspace, AT, deleted=False)
    await _until_role(inside, ada, Role.OWNER)
    back = await device.changes()

    assert [sorted(side) for side in gone] == [[], sorted(blocks)]
    assert [sorted(side) for side in back] == [sorted(blocks), []]
    assert status == 403
    assert pushed[0]["status"] == "not_found"


async def _until_role(inside: Inside, guest: Guest, role: Role) -> None:
    rights = inside.realtime.rights
    async with asyncio.timeout(PATIENCE_S):
        while await rights.role_in(guest.account, guest.workspace) is not role:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("key", ["heap_id", "workspace_id"])
async def test_changed_blocks_is_the_same_feed(ada: Guest, key: str) -> None:
    """Under both names of a workspace; since may be a number or a text, or nothing."""
    device = Device(ada)
    block = device.write("a")
    await device.push(block)
    page = await device.page()
    answers: list[Any] = []
    for since in (0, "0", None, "x", 1.5, [], -7, page["server_time"], str(page["server_time"])):
        body = {key: ada.workspace, "since": since}
        status, answer, _ = await ada.post("/api/heap/changed_blocks", json=body)
        assert status == 200, answer
        answers.append(answer)

    assert answers[:7] == [page] * 7
    assert all(answer["changed_blocks"] == [] for answer in answers[7:])


async def test_a_body_over_the_bound_is_413_and_changes_nothing(serve: Any) -> None:
    """Said before it is sent, where its length is declared; large bodies at once wait outside."""
    server = await serve(push_bytes_max=2000, push_bytes_in_flight_max=2000)
    async with server.visitor() as guest:
        device = Device(guest)
        block = device.write("x" * 3000)
        for route in ("push", "pull"):
            status, answer, _ = await guest.post(
                f"/api/sync/{route}", json={"blocks": [device.item(block)]}
            )
            assert (status, answer["error"]) == (413, "too_large")

        assert await server.store.by_global_id(block) is None


async def test_a_budget_that_is_used_up_is_503_with_a_time_to_come_back(serve: Any) -> None:
    """Others' large bodies are in work."""
    server = await serve(push_bytes_in_flight_max=1000)
    async with server.visitor() as guest:
        device = Device(guest)
        block = device.write("x")
        with server.app[BODIES].take(990):
            status, answer, headers = await guest.post(
                "/api/sync/push", json={"blocks": [device.item(block)]}
            )
        (result,) = await device.push(block)

    assert (status, answer["error"]) == (503, "unavailable")
    assert int(headers["Retry-After"]) > 0
    assert result["status"] == "created"
