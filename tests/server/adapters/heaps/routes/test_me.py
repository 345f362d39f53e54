"""Who one is, one's sessions and one's devices, over HTTP."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import Any

import aiohttp
import pytest

from tests.inside import Guest, Inside
from tests.patience import in_time, prompt
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import new_id, push_titled
from tests.server.person import Person
from tests.server.realtime.conftest import Serve

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

END_S_MAX = 2.0


async def test_me_tells_the_account(inside: Inside, ada: Guest) -> None:
    """Identity, workspaces, usage against limits; GET and POST alike."""
    body = await ask(ada, "/api/me")
    again = await call(ada, "GET", "/api/me")

    assert body == again
    assert (body["user_id"], body["public_key"]) == (ada.account, ada.person.public_key)
    assert body["default_workspace_id"] == ada.workspace
    assert [(w["id"], w["role"], w["is_default"]) for w in body["workspaces"]] == [
        (ada.workspace, "owner", True)
    ]
    assert body["subscriptions"] == []
    assert body["limits"]["update_bytes_max"] == inside.settings.update_bytes_max
    assert (body["usage"]["devices"], body["usage"]["sessions"]) == (1, 1)


async def test_workspaces_have_the_titles_of_their_root_blocks(ada: Guest) -> None:
    """As every list of workspaces says them, as soon as the push is answered."""
    heap = await made(ada, "")
    await push_titled(ada, heap, heap, "Orchard")
    (told,) = [one for one in (await ask(ada, "/api/me"))["workspaces"] if one["id"] == heap]
    (listed,) = [one for one in await ask(ada, "/api/heaps") if one["id"] == heap]

    assert listed["title"] == told["title"] == "Orchard"


async def test_usage_follows_what_is_stored(ada: Guest) -> None:
    """Workspaces, documents and bytes grow by what was pushed."""
    before = (await ask(ada, "/api/me"))["usage"]
    heap = await made(ada)
    await push_titled(ada, heap, new_id(), "x" * 1000)
    body = await ask(ada, "/api/me")
    after = body["usage"]
    used = {one["feature"]: one["used"] for one in body["entitlements"]}

    assert after["workspaces"] == before["workspaces"] + 1
    assert after["documents"] == before["documents"] + 2  # Its root block, too.
    assert after["bytes"] >= before["bytes"] + 1000
    kept = sum(after[f"{kind}_bytes"] for kind in ("log", "snapshot", "history"))
    assert after["total_bytes"] == after["bytes"] == kept
    assert used["document_bytes"] == after["bytes"]


async def test_an_uploaded_file_counts(ada: Guest) -> None:
    """Against the bytes that the account's files may have."""
    heap, block, data = await made(ada), new_id(), b"a file" * 100
    await push_titled(ada, heap, block, "x")
    form = aiohttp.FormData({"hash": sha256(data).hexdigest()})
    form.add_field("file", data, filename="a.txt")
    path = f"/api/upload/file/{heap}/{block}"
    async with ada.http.post(path, data=form, headers=ada.bearer) as response:
        assert response.status == 200, await response.text()
    body = await ask(ada, "/api/me")
    (entitled,) = [one for one in body["entitlements"] if one["feature"] == "file_bytes"]

    assert (body["usage"]["files"], body["usage"]["file_bytes"]) == (1, len(data))
    assert body["usage"]["total_bytes"] == body["usage"]["bytes"] + len(data)
    assert entitled["used"] == len(data)
    assert entitled["limit"] == body["limits"]["files_bytes_max"]


async def test_a_personal_token_asks_who_its_account_is(ada: Guest) -> None:
    """With the key of the first device, and no session."""
    made_token = await ask(ada, "/api/access-tokens", 201, name="x", scopes=["heaps:read"])
    status, body, _ = await ada.post("/api/me", token=made_token["token"])

    assert (status, body["user_id"]) == (200, ada.account)
    assert (body["public_key"], body["session_id"]) == (ada.person.public_key, "")
    assert body["usage"]["access_tokens"] == 1


# -- sessions -----------------------------------------------------------------------------


@prompt
async def test_sessions_are_listed_and_ended(inside: Inside, ada: Guest) -> None:
    """An ended one's sockets close within two seconds; others stay."""
    first = ada.token
    async with Guest(inside) as second:
        second.person = ada.person
        await second.log_in()
        listed = (await call(second, "GET", "/api/sessions"))["sessions"]
        (old,) = [one["id"] for one in listed if not one["is_current"]]
        socket = await (await second.y("notes", token=first)).sync()
        stays = await (await second.y("notes")).sync()
        started = time.monotonic()
        await call(second, "DELETE", f"/api/sessions/{old}")
        assert await socket.closed() == 4403
        in_time(time.monotonic() - started, END_S_MAX)
        assert (await second.post("/api/me", token=first))[0] == 401
        assert (await second.post("/api/me"))[0] == 200
        await stays.sync()
        await call(second, "DELETE", f"/api/sessions/{old}", 404)
        await call(second, "DELETE", "/api/sessions/%00", 404)

    assert [one["is_current"] for one in listed] == [True, False]
    assert all(one["created_at"] <= one["expires_at"] for one in listed)


async def test_logging_out_ends_this_login(ada: Guest, bob: Guest) -> None:
    """Access and refresh token are dead at once; another account's session is not there."""
    (session,) = (await call(bob, "GET", "/api/sessions"))["sessions"]
    await call(ada, "DELETE", f"/api/sessions/{session['id']}", 404)
    assert (await ask(ada, "/api/auth/logout"))["ended"] == 1
    refreshed = await ada.post("/api/auth/refresh_token", token=ada.person.refresh)

    assert (await ada.post("/api/me"))[0] == 401
    assert refreshed[0] == 401
    await call(bob, "DELETE", "/api/sessions/current")
    assert (await bob.post("/api/me"))[0] == 401


async def test_all_other_sessions_end_at_once(inside: Inside, ada: Guest) -> None:
    """The one that asks goes on."""
    old = ada.token
    for _ in range(2):
        await ada.log_in()
    assert (await call(ada, "DELETE", "/api/sessions"))["ended"] == 2
    assert (await ada.post("/api/me", token=old))[0] == 401
    assert len((await call(ada, "GET", "/api/sessions"))["sessions"]) == 1


# -- devices ------------------------------------------------------------------------------


async def proof(guest: Guest, person: Person, name: str = "phone") -> dict[str, Any]:
    """What a new device signs, for one that is there already to send."""
    http: Any = guest.http
    message = await person.challenge(http)
    return {
        "public_key": person.public_key,
        "message": message,
        "signature": person.sign(message),
        "name": name,
    }


async def test_a_second_device_comes_into_the_account(ada: Guest) -> None:
    """With a key of its own, which a device that is there lets in."""
    phone = Person()
    added = await ask(ada, "/api/devices", 201, **await proof(ada, phone))
    http: Any = ada.http
    await phone.log_in(http)
    listed = (await call(ada, "GET", "/api/devices"))["devices"]
    device = added["device"]
    path = f"/api/devices/{device['id']}"
    async with ada.http.patch(path, headers=ada.bearer, json={"name": "old phone"}) as response:
        renamed = await response.json()
    await call(ada, "DELETE", path)
    message = await phone.attempt(http)

    assert phone.account == ada.account
    assert [one["is_current"] for one in listed] == [True, False]
    assert (device["name"], device["public_key"]) == ("phone", phone.public_key)
    assert renamed["device"]["name"] == "old phone"
    assert await phone.me(http) == 401
    assert message[1].get("user_id") != ada.account
    await call(ada, "DELETE", path, 404)


async def test_a_key_comes_in_by_its_own_signature_only(ada: Guest, bob: Guest) -> None:
    """Nobody else's key, no key of an account, no challenge twice, not the last device out."""
    phone, other = Person(), Person()
    good = await proof(ada, phone)
    forged = good | {"signature": other.sign(good["message"])}
    assert (await ask(ada, "/api/devices", 401, **forged))["error"] == "signature_invalid"
    await ask(ada, "/api/devices", 201, **good)
    assert (await ask(ada, "/api/devices", 401, **good))["error"] == "challenge_used"
    taken = await ask(ada, "/api/devices", 409, **await proof(ada, bob.person))
    (only,) = (await call(bob, "GET", "/api/devices"))["devices"]
    kept = await call(bob, "DELETE", f"/api/devices/{only['id']}", 409)

    assert (taken["error"], kept["error"]) == ("key_taken", "last_device")
    await call(ada, "DELETE", f"/api/devices/{only['id']}", 404)


async def test_devices_are_bounded(serve: Serve) -> None:
    """One more is a conflict."""
    inside = await serve(keys_per_account_max=1)
    async with inside.visitor() as guest:
        await ask(guest, "/api/devices", 409, **await proof(guest, Person()))
