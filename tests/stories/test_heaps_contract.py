"""The API page, sentence by sentence: each test quotes the one that it holds the server to.

Files and the deprecated /api/ws have tests of their own. What the page leaves open is tested beside
the routes; here stands only what it says.
"""

from __future__ import annotations

from typing import Any

import pytest
from nacl.signing import VerifyKey

from auth.keys import decode_base58
from crdt import wire
from tests.inside import Guest
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import Device, bytes64, meta, new_id, replica, text64, title
from tests.server.person import Person
from tests.server.realtime.conftest import Serve

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

AT = 1_790_000_000_000
NEEDS_TOKEN = [
    ("POST", "/api/me"),
    ("GET", "/api/sync/delta"),
    ("POST", "/api/sync/push"),
    ("POST", "/api/sync/pull"),
    ("POST", "/api/heaps"),
    ("POST", "/api/workspaces"),
    ("POST", "/api/block/x"),
    ("POST", "/api/block_updates/x"),
    ("GET", "/api/trash/x"),
    ("DELETE", "/api/trash/x"),
    ("POST", "/api/trash/x/restore"),
    ("POST", "/api/heap"),
    ("POST", "/api/heap_count"),
    ("POST", "/api/heap/add"),
    ("DELETE", "/api/heap/x"),
    ("GET", "/api/heap/stats/x"),
    ("POST", "/api/heap/changed_blocks"),
]


async def bare(guest: Guest, method: str, path: str, **more: Any) -> tuple[int, Any]:
    """A request without any credential."""
    async with guest.http.request(method, path, **more) as answer:
        return answer.status, await answer.json()


# -- Route inventory: the column "Auth" ---------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), NEEDS_TOKEN)
async def test_authentication_yes(ada: Guest, method: str, path: str) -> None:
    """Page: "Auth: Yes"."""
    status, answer = await bare(ada, method, path, data=b"{}")

    assert (status, answer["success"]) == (401, False)


@pytest.mark.parametrize("path", ["/api/", "/api", "/api/health", "/sync/health"])
async def test_authentication_no_or_optional(ada: Guest, path: str) -> None:
    """Page: "Auth: No", "Auth: Optional"."""
    status, _ = await bare(ada, "GET", path)

    assert status == 200


@pytest.mark.parametrize("route", ["verify_key", "create_session", "verify_session"])
async def test_logging_in_needs_no_token(ada: Guest, route: str) -> None:
    """Page: "Auth: No": an empty body is a bad one, not a missing token."""
    status, answer = await bare(ada, "POST", f"/api/auth/{route}", json={})

    assert (status, answer["error"]) == (400, "bad_request")


# -- Instance -----------------------------------------------------------------------------------


async def test_instance_metadata(ada: Guest) -> None:
    """Page: "`status`, `version`, `public_key`, `name`, `public_url`, and `selfhosted`"."""
    _, said = await bare(ada, "GET", "/api/")

    assert {"status", "version", "public_key", "name", "public_url", "selfhosted"} == set(said)
    assert decode_base58(said["public_key"]) is not None
    assert (said["selfhosted"], said["public_url"]) == (True, ada.url)


async def test_instance_metadata_of_the_authenticated(ada: Guest) -> None:
    """Page: "If the caller is authenticated, the payload may also include `is_admin`"."""
    said = await call(ada, "GET", "/api/")

    assert isinstance(said["is_admin"], bool)


async def test_health(ada: Guest) -> None:
    """Page: "`server.status`, `database.status`, `version`, `name`, `public_url`, and ..."."""
    _, said = await bare(ada, "GET", "/api/health")
    _, instance = await bare(ada, "GET", "/api/")

    assert (said["server"]["status"], said["database"]["status"]) == ("ok", "ok")
    for name in ("version", "name", "public_url", "public_key"):
        assert said[name] == instance[name]


async def test_health_diagnostics(ada: Guest) -> None:
    """Page: "Low-level live-sync counters are exposed under `diagnostics.realtime`"."""
    _, before = await bare(ada, "GET", "/api/health")
    editor = await ada.open(new_id())
    await editor.write("x")
    await editor.settled(1)
    _, after = await bare(ada, "GET", "/api/health")

    counters = before["diagnostics"]["realtime"], after["diagnostics"]["realtime"]
    assert counters[1]["updates_in"] > counters[0]["updates_in"]


# -- Auth and session ---------------------------------------------------------------------------


async def test_create_session(ada: Guest) -> None:
    """Page: "Returns `{ success, challenge }`", for a "required base58 public key"."""
    person = Person()
    for more in ({}, {"email": "ada@example.org"}, {"email": None}):
        status, said = await bare(
            ada, "POST", "/api/auth/create_session", json={"public_key": person.public_key, **more}
        )
        assert status == 200
        assert set(said) == {"success", "challenge"}
        assert said["success"] is True
        assert len(said["challenge"]) >= 32
    status, said = await bare(ada, "POST", "/api/auth/create_session", json={"public_key": "0OIl"})
    assert (status, said["success"]) == (400, False)


async def test_verify_session(ada: Guest) -> None:
    """Page: "`accessToken`, `refreshToken`, `server_public_key`, and server identity fields"."""
    person = Person()
    _, said = await person.attempt(ada.http, server_challenge="c" * 16)  # type: ignore[arg-type]
    _, instance = await bare(ada, "GET", "/api/")

    assert said["accessToken"].count(".") == 2
    assert said["refreshToken"]
    assert said["server_public_key"] == instance["public_key"]
    assert (said["server_name"], said["server_url"]) == (instance["name"], instance["public_url"])


async def test_a_server_challenge_is_signed(ada: Guest) -> None:
    """Page: "`server_challenge`: optional caller-provided challenge to be signed by the server"."""
    challenge = "prove who you are"
    _, said = await Person().attempt(ada.http, server_challenge=challenge)  # type: ignore[arg-type]
    key, signature = (
        decode_base58(said[name]) for name in ("server_public_key", "server_signature")
    )
    assert key is not None
    assert signature is not None

    assert VerifyKey(key).verify(challenge.encode(), signature)


async def test_verify_key(ada: Guest) -> None:
    """Page: "Returns verification status plus `access_token` and `refresh_token` when approved"."""
    person = Person()
    message = await person.challenge(ada.http)  # type: ignore[arg-type]
    status, said = await bare(
        ada,
        "POST",
        "/api/auth/verify_key",
        json={
            "public_key": person.public_key,
            "signed_message": person.sign(message),
            "message": message,
        },
    )

    assert (status, said["verified"], said["approval_required"]) == (200, True, False)
    token = said["access_token"]
    assert (await bare(ada, "POST", "/api/me", headers={"Authorization": f"Bearer {token}"}))[
        0
    ] == 200
    assert said["refresh_token"]


async def test_pending_accounts(serve: Serve) -> None:
    """Page: "Pending-approval accounts return `approval_required` without tokens"."""
    inside = await serve(registration="approval")
    async with Guest(inside) as guest:
        await guest.log_in()  # The first account is the administrator's.
        person = Person()
        message = await person.challenge(guest.http)  # type: ignore[arg-type]
        body = {"public_key": person.public_key, "message": message}
        status, said = await bare(
            guest,
            "POST",
            "/api/auth/verify_key",
            json=body | {"signed_message": person.sign(message)},
        )

    assert (status, said["approval_required"]) == (200, True)
    assert not [name for name in said if "token" in name.lower()]


async def test_refresh_token(ada: Guest) -> None:
    """Page: "Exchanges a refresh token for a new access token and refresh token pair"."""
    status, said = await bare(
        ada,
        "POST",
        "/api/auth/refresh_token",
        headers={"Authorization": f"Bearer {ada.person.refresh}"},
    )

    assert status == 200
    assert set(said) == {"success", "accessToken", "refreshToken"}
    assert said["refreshToken"] != ada.person.refresh
    headers = {"Authorization": f"Bearer {said['accessToken']}"}
    assert (await bare(ada, "POST", "/api/me", headers=headers))[0] == 200


async def test_refreshing_needs_a_refresh_token(ada: Guest) -> None:
    """Page: "Authentication: Refresh token": neither none nor an access token."""
    for headers in ({}, ada.bearer):
        status, _ = await bare(ada, "POST", "/api/auth/refresh_token", headers=headers)
        assert status == 401


async def test_me(ada: Guest) -> None:
    """Page: "Includes identity fields, subscription and entitlement arrays, usage stats, ..."."""
    device = Device(ada)
    await device.push(device.write("some text"))
    said = await ask(ada, "/api/me")

    assert (said["user_id"], said["public_key"]) == (ada.account, ada.person.public_key)
    assert isinstance(said["subscriptions"], list)
    assert isinstance(said["entitlements"], list)
    assert said["usage"]["documents"] >= 1
    assert said["usage"]["bytes"] > 0
    assert said["limits"]["update_bytes_max"] > 0


# -- Sync and realtime --------------------------------------------------------------------------


async def test_the_socket(ada: Guest, bob: Guest) -> None:
    """Page: "Primary WebSocket endpoint for live document sync, sync updates and more"."""
    block = new_id()
    one, two = await ada.open(block), await ada.open(block)
    await one.write("live")
    await two.until(lambda: two.replica.text == "live")
    socket = await bob.hocuspocus()
    stranger = socket.session(block)
    await stranger.show(bob.token)

    assert await stranger.denied() == "permission-denied"
    assert not stranger.payloads(wire.STEP2)


async def test_sync_health(ada: Guest) -> None:
    """Page: "Returns sync subsystem health information"."""
    _, said = await bare(ada, "GET", "/sync/health")

    assert said["status"] == "ok"


async def test_delta_needs_a_workspace(ada: Guest) -> None:
    """Page: "`workspace_id`: required workspace identifier"."""
    said = await call(ada, "GET", "/api/sync/delta?since=0", 400)

    assert said["success"] is False


async def test_delta_since(ada: Guest) -> None:
    """Page: "`since`: Unix milliseconds. Defaults to `0` if omitted or invalid"."""
    device = Device(ada)
    block = device.write("a")
    await device.push(block)
    everything = await device.page()
    for odd in ("", "x", "-3", "1.5", "NaN", "1e9", "\0", "9" * 40 + "x"):
        assert (await device.page(odd))["changed_blocks"] == everything["changed_blocks"]
    assert everything["server_time"] > AT
    assert (await device.page(everything["server_time"]))["changed_blocks"] == []


async def test_delta_reply(ada: Guest) -> None:
    """Page: "`changed_blocks`, `deleted_blocks`, `server_time`, `has_more`, ..."."""
    device = Device(ada)
    kept, gone = device.write("kept"), device.write("gone")
    meta(device.blocks[gone], deletedAt=AT)
    await device.push(kept, gone)
    page = await device.page(limit=1)

    assert (page["total_changed"], page["total_deleted"], page["has_more"]) == (1, 1, True)
    rest = await device.page(page["server_time"])
    both = page["changed_blocks"] + rest["changed_blocks"]
    assert [one["block_id"] for one in both] == [kept]
    both = page["deleted_blocks"] + rest["deleted_blocks"]
    assert [one["block_id"] for one in both] == [gone]
    assert rest["has_more"] is False


async def test_push(ada: Guest) -> None:
    """Page: "Pushes YDoc updates for one or more blocks", "per-block push results"."""
    device = Device(ada)
    blocks = [device.write(f"text {number}") for number in range(3)]
    answer = await device.send(*(device.item(block) for block in blocks))

    assert [one["block_id"] for one in answer["results"]] == blocks
    assert all(one["success"] for one in answer["results"])
    assert isinstance(answer["server_time"], int)
    for number, block in enumerate(blocks):
        assert (await ask(ada, f"/api/block/{block}"))["text"] == f"text {number}"


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"blocks": null}', '{"blocks": {"0": {}}}'])
async def test_blocks_are_required(ada: Guest, body: str) -> None:
    """Page: "`blocks`: required array", of push and of pull."""
    for route in ("push", "pull"):
        status, said, _ = await ada.post(f"/api/sync/{route}", data=body)
        assert (status, said["success"]) == (400, False)


async def test_fields_of_a_push(ada: Guest) -> None:
    """Page: "array of `{ block_id, workspace_id, state_vector, update, sync_version }`"."""
    workspace = await made(ada)
    device = Device(ada, workspace)
    block = device.write("one")
    (first,) = await device.push(block)
    other = replica()
    other.apply(device.blocks[block].missing(b"\0"))
    edit = other.insert(" two")
    answer = await device.send(
        {
            "block_id": block,
            "workspace_id": workspace,
            "state_vector": text64(other.vector),
            "update": text64(edit),
            "sync_version": first["sync_version"],
        }
    )

    assert first["status"] == "created"
    assert answer["results"][0]["status"] == "updated"
    assert "update" not in answer["results"][0]
    assert (await ask(ada, f"/api/block/{block}"))["text"] == "one two"


async def test_pull(ada: Guest) -> None:
    """Page: "Requests missing YDoc updates or full state for one or more blocks"."""
    device, other = Device(ada), Device(ada)
    block = device.write("words")
    await device.push(block)
    mine = replica()
    (result,) = (
        await other.ask({"block_id": block, "state_vector": text64(mine.vector), "sync_version": 1})
    )["results"]
    mine.apply(bytes64(result["update"]))

    assert mine.text == "words"


async def test_pull_reply(ada: Guest) -> None:
    """Page: "per-block updates, full states for version mismatches, deletion markers, ..."."""
    device = Device(ada)
    block, gone = device.write("here"), device.write("gone")
    meta(device.blocks[gone], deletedAt=AT)
    await device.push(block, gone)
    answer = await device.ask(
        {"block_id": block, "sync_version": 1},
        {"block_id": block, "sync_version": 9},
        {"block_id": gone, "sync_version": 1},
        {"block_id": new_id(), "sync_version": 1},
    )
    updated, full, deleted, unknown = answer["results"]

    assert updated["update"]
    assert "full_state" not in updated
    assert full["full_state"]
    assert "update" not in full
    assert deleted["deleted"] is True
    assert unknown["status"] == "not_found"
    assert isinstance(answer["server_time"], int)


# -- Heaps and blocks ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/heaps", "/api/workspaces"])
async def test_heaps(ada: Guest, bob: Guest, path: str) -> None:
    """Page: "Lists heaps owned by the authenticated user"; "Lists workspaces owned by ..."."""
    heap, foreign = await made(ada), await made(bob)
    ids = [one["id"] for one in await ask(ada, path)]

    assert {ada.workspace, heap} <= set(ids)
    assert foreign not in ids


async def test_block(ada: Guest) -> None:
    """Page: "Fetches one block with relations, apps, file metadata, and content"."""
    device = Device(ada)
    block = device.write("body")
    title(device.blocks[block], "Head")
    await device.push(block)
    said = await ask(ada, f"/api/block/{block}")

    assert {"relations", "backlinks", "apps", "files", "content"} <= set(said)
    assert (said["block_id"], said["title"], said["text"]) == (block, "Head", "body")


async def test_block_updates(ada: Guest) -> None:
    """Page: "Returns update history and YDoc payload for a block"."""
    device = Device(ada)
    block = device.write("one")
    await device.push(block)
    said = await ask(ada, f"/api/block_updates/{block}")
    mine = replica()
    mine.apply(bytes64(said["ydoc"]))

    assert len(said["updates"]) == 1
    assert said["updates"][0]["authors"] == [ada.account]
    assert mine.text == "one"


async def test_trash(ada: Guest) -> None:
    """Page: "Lists trashed blocks", "Restores one or more blocks", "Empties the trash"."""
    device = Device(ada)
    blocks = [device.write(text) for text in "abc"]
    for block in blocks:
        meta(device.blocks[block], deletedAt=AT)
    await device.push(*blocks)

    async def listed() -> set[str]:
        said = await call(ada, "GET", f"/api/trash/{ada.workspace}")
        return {one["block_id"] for one in said["blocks"]}

    assert await listed() == set(blocks)
    await ask(ada, f"/api/trash/{ada.workspace}/restore", block_id=blocks[0])
    assert await listed() == set(blocks[1:])
    await ask(ada, f"/api/trash/{ada.workspace}/restore", block_ids=[blocks[1]])
    said = await call(ada, "DELETE", f"/api/trash/{ada.workspace}")
    assert (said["deleted"], await listed()) == (1, set())
    assert (await ask(ada, f"/api/block/{blocks[0]}"))["deleted_at"] is None
    await ask(ada, f"/api/block/{blocks[2]}", 404)


async def test_heap_contents_and_counts(ada: Guest) -> None:
    """Page: "heap contents or heap-scoped block lists"; "heap-scoped block counts"."""
    device = Device(ada)
    await device.push(device.write("a"), device.write("b"))
    for name in ("heap_id", "workspace_id"):
        contents = await ask(ada, "/api/heap", **{name: ada.workspace})
        count = await ask(ada, "/api/heap_count", **{name: ada.workspace})
        assert set(device.blocks) <= {one["block_id"] for one in contents["blocks"]}
        assert count["count"] == contents["total"] == len(contents["blocks"])


async def test_heap_add(ada: Guest) -> None:
    """Page: "Creates a new workspace or heap"."""
    wanted = new_id()
    said = await ask(ada, "/api/heap/add", id=wanted, title="Kitchen")

    assert (said["id"], said["title"]) == (wanted, "Kitchen")
    assert wanted in [one["id"] for one in await ask(ada, "/api/heaps")]


async def test_heap_delete(ada: Guest) -> None:
    """Page: "Deletes a workspace or heap"."""
    heap = await made(ada)
    await call(ada, "DELETE", f"/api/heap/{heap}")

    assert heap not in [one["id"] for one in await ask(ada, "/api/heaps")]
    await ask(ada, "/api/heap", 404, heap_id=heap)


async def test_heap_stats(ada: Guest) -> None:
    """Page: "Returns heap-level statistics"."""
    device = Device(ada)
    gone = device.write("b")
    meta(device.blocks[gone], deletedAt=AT)
    await device.push(device.write("a"), gone)
    said = await call(ada, "GET", f"/api/heap/stats/{ada.workspace}")

    assert said["trashed"] == 1
    assert said["blocks"] >= 1
    assert said["bytes"] > 0
    assert said["files"] == 0


async def test_changed_blocks(ada: Guest) -> None:
    """Page: "Returns blocks changed in a heap since a given marker"."""
    device = Device(ada)
    await device.push(device.write("a"))
    marker = (await device.page())["server_time"]
    block = device.write("b")
    await device.push(block)
    said = await ask(ada, "/api/heap/changed_blocks", heap_id=ada.workspace, since=marker)

    assert [one["block_id"] for one in said["changed_blocks"]] == [block]
