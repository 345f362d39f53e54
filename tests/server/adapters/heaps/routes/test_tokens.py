"""Personal access tokens over HTTP and at every kind of socket."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from crdt import wire
from tests.clients import Socket
from tests.inside import Guest, Inside
from tests.patience import in_time, prompt
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import new_id
from tests.server.realtime.conftest import Serve

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

END_S_MAX = 2.0


async def token_of(guest: Guest, *scopes: str, **more: Any) -> str:
    """A new personal token."""
    body = {"name": "phone", "scopes": list(scopes or ["heaps:write"]), **more}
    return str((await ask(guest, "/api/access-tokens", 201, **body))["token"])


async def status(guest: Guest, method: str, path: str, token: str, **body: Any) -> tuple[int, str]:
    """Status and word of the error of a request with some token."""
    headers = {"Authorization": f"Bearer {token}"}
    async with guest.http.request(method, path, headers=headers, json=body) as response:
        answer = await response.json()
        is_error = isinstance(answer, dict) and "error" in answer
        return response.status, answer["error"] if is_error else ""


async def test_a_token_is_shown_once_and_listed_without_its_secret(ada: Guest) -> None:
    """The list has name, scopes, end and last use."""
    made_token = await ask(
        ada, "/api/access-tokens", 201, name="phone", scopes=["heaps:read"], expires_in=3600
    )
    (listed,) = (await call(ada, "GET", "/api/access-tokens"))["access_tokens"]

    assert made_token["token"].startswith("plait_pat_")
    assert listed == made_token["access_token"]
    assert (listed["name"], listed["scopes"]) == ("phone", ["heaps:read"])
    assert listed["last_used_at"] is None
    assert listed["expires_at"] > listed["created_at"]
    assert not listed["is_expired"]
    assert made_token["token"] not in str(listed)


async def test_the_last_use_is_seen_at_once(ada: Guest) -> None:
    """The list waits for nothing that this server knows."""
    token = await token_of(ada, "heaps:read")
    assert await status(ada, "POST", "/api/heaps", token) == (200, "")
    (listed,) = (await call(ada, "GET", "/api/access-tokens"))["access_tokens"]

    assert listed["last_used_at"] >= listed["created_at"]


async def test_a_read_token_reads_and_changes_nothing(ada: Guest) -> None:
    """Lists, contents and pulls; no push, no new workspace, no deletion."""
    heap = await made(ada)
    token = await token_of(ada, "heaps:read")
    read = [
        await status(ada, "POST", "/api/me", token),
        await status(ada, "POST", "/api/heap", token, heap_id=heap),
        await status(ada, "GET", f"/api/sync/delta?workspace_id={heap}", token),
        await status(ada, "POST", "/api/sync/pull", token, blocks=[]),
    ]
    written = [
        await status(ada, "POST", "/api/sync/push", token, blocks=[]),
        await status(ada, "POST", "/api/heap/add", token, title="x"),
        await status(ada, "DELETE", f"/api/heap/{heap}", token),
        await status(ada, "POST", "/doc/new", token),
    ]

    assert read == [(200, "")] * 4
    assert written == [(403, "token_read_only")] * 4


async def test_a_write_token_does_what_a_login_does_to_blocks(ada: Guest) -> None:
    """In the rights of its account."""
    token = await token_of(ada, "heaps:write")
    heap = new_id()

    assert await status(ada, "POST", "/api/heap/add", token, id=heap) == (200, "")
    assert await status(ada, "DELETE", f"/api/heap/{heap}", token) == (200, "")


async def test_a_token_of_another_scope_opens_nothing_here(ada: Guest) -> None:
    """Neither REST nor a socket."""
    token = await token_of(ada, "ascently:write")

    assert token.startswith("ascently_pat_")
    assert await status(ada, "POST", "/api/heaps", token) == (403, "scope_missing")
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await ada.y("notes", token=token)


async def test_a_token_never_makes_lists_or_revokes_tokens(ada: Guest) -> None:
    """Nor do document tokens; those routes take a login."""
    token = await token_of(ada)
    (listed,) = (await call(ada, "GET", "/api/access-tokens"))["access_tokens"]
    path = "/api/access-tokens"
    refused = [
        await status(ada, "POST", path, token, name="x", scopes=["heaps:read"]),
        await status(ada, "GET", path, token),
        await status(ada, "DELETE", path, token, all=True),
        await status(ada, "DELETE", f"{path}/{listed['id']}", token),
    ]

    assert refused == [(403, "login_required")] * 4
    document = await ada.document_token("notes")
    assert await status(ada, "GET", path, document) == (403, "forbidden")


@prompt
async def test_a_revoked_token_is_dead_within_two_seconds(ada: Guest, bob: Guest) -> None:
    """By its owner only; a second time it is not there."""
    token = await token_of(ada)
    (listed,) = (await call(ada, "GET", "/api/access-tokens"))["access_tokens"]
    path = f"/api/access-tokens/{listed['id']}"
    assert await status(ada, "POST", "/api/heaps", token) == (200, "")
    await call(bob, "DELETE", path, 404)
    assert (await call(ada, "DELETE", path))["revoked"] == 1
    ended = time.monotonic()
    while (await status(ada, "POST", "/api/heaps", token))[0] == 200:
        in_time(time.monotonic() - ended, END_S_MAX)
        await asyncio.sleep(0.05)

    assert (await status(ada, "POST", "/api/heaps", token))[0] == 401
    await call(ada, "DELETE", path, 404)
    await call(ada, "DELETE", "/api/access-tokens/%00", 404)


async def test_all_tokens_are_revoked_at_once(ada: Guest, bob: Guest) -> None:
    """Those of the caller; the body says so or names one."""
    for guest in (ada, ada, bob):
        await token_of(guest)
    path = "/api/access-tokens"

    assert await status(ada, "DELETE", path, ada.token) == (400, "bad_request")
    async with ada.http.delete(path, headers=ada.bearer, json={"all": True}) as response:
        assert (await response.json())["revoked"] == 2
    (left,) = (await call(bob, "GET", path))["access_tokens"]
    async with bob.http.delete(path, headers=bob.bearer, json={"id": left["id"]}) as response:
        assert (await response.json())["revoked"] == 1


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"name": "x", "scopes": ["heaps:own"]}, "bad_scopes"),
        ({"name": "x", "scopes": []}, "bad_scopes"),
        ({"name": "", "scopes": ["heaps:read"]}, "bad_name"),
        ({"name": "x", "scopes": ["heaps:read"], "expires_in": 0}, "bad_expires_in"),
        ({"name": "x", "scopes": ["heaps:read"], "expires_in": "soon"}, "bad_request"),
        ({"scopes": ["heaps:read"]}, "bad_request"),
    ],
)
async def test_what_cannot_be_made_is_named(ada: Guest, body: dict[str, Any], word: str) -> None:
    """With 400 and the field."""
    assert await status(ada, "POST", "/api/access-tokens", ada.token, **body) == (400, word)


async def test_an_account_has_a_bounded_number(serve: Serve) -> None:
    """One more is a conflict, until one is revoked."""
    inside = await serve(access_tokens_per_account_max=2)
    async with inside.visitor() as guest:
        await token_of(guest)
        await token_of(guest)
        refused = await ask(guest, "/api/access-tokens", 409, name="x", scopes=["heaps:read"])
        (listed, _) = (await call(guest, "GET", "/api/access-tokens"))["access_tokens"]
        await call(guest, "DELETE", f"/api/access-tokens/{listed['id']}")
        await token_of(guest)

    assert refused["error"] == "too_many_tokens"


# -- sockets ------------------------------------------------------------------------------


async def test_a_read_token_is_a_viewer_at_every_socket(inside: Inside, ada: Guest) -> None:
    """It reads what is there, and its writes reach nobody."""
    name = new_id()
    await ada.post("/doc/new", json={"docId": name})
    writer = await (await ada.y(name)).sync()
    await writer.stored(await writer.write("seen"))
    token = await token_of(ada, "heaps:read")
    document = await ask_document_token(ada, name, token)
    y = await (await ada.y(name, token=token)).sync()
    sweet = await (await ada.sweet(name, token=document)).sync()
    hocuspocus = await ada.open(name, token=token)
    for client in (y, sweet, hocuspocus):
        await client.write("never")
    await hocuspocus.until(lambda: False in hocuspocus.statuses)
    for client in (y, sweet):
        await client.until(lambda client=client: client.payloads(wire.AUTH_DENIED))

    assert hocuspocus.scopes == ["readonly"]
    assert [client.replica.text[:4] for client in (y, sweet)] == ["seen"] * 2
    assert await ada.stored_text(name) == "seen"


async def ask_document_token(guest: Guest, name: str, token: str) -> str:
    """A document token that is asked for with a personal one."""
    code, answer, _ = await guest.post(f"/doc/{name}/auth", json={}, token=token)
    assert code == 200, answer
    return str(answer["token"])


async def sockets(guest: Guest, name: str, token: str) -> list[Socket]:
    """One socket of each dialect that is open by a personal token."""
    document = await ask_document_token(guest, name, token)
    return [
        await (await guest.y(name, token=token)).sync(),
        await (await guest.sweet(name, token=document)).sync(),
    ]


@prompt
async def test_revocation_reaches_open_sockets(ada: Guest) -> None:
    """Within two seconds, with those of document tokens that were asked for with it."""
    name = new_id()
    await ada.post("/doc/new", json={"docId": name})
    token = await token_of(ada)
    opened = await sockets(ada, name, token)
    hocuspocus = await ada.open(name, token=token)
    await call_revoke_all(ada)
    started = time.monotonic()
    codes = [await socket.closed() for socket in opened]
    reason = await hocuspocus.denied()

    in_time(time.monotonic() - started, END_S_MAX)
    assert codes == [4403, 4403]
    assert reason == "permission-denied"


async def call_revoke_all(guest: Guest) -> None:
    """Revoke every token of somebody."""
    async with guest.http.delete(
        "/api/access-tokens", headers=guest.bearer, json={"all": True}
    ) as response:
        assert response.status == 200


@prompt
async def test_expiry_reaches_open_sockets(ada: Guest) -> None:
    """Within two seconds of the moment, whatever the dialect; REST says that it has expired."""
    name = new_id()
    await ada.post("/doc/new", json={"docId": name})
    began = time.monotonic()
    token = await token_of(ada, expires_in=2)
    y = await (await ada.y(name, token=token)).sync()
    hocuspocus = await ada.open(name, token=token)
    code = await y.closed()
    reason = await hocuspocus.denied()
    took = time.monotonic() - began

    assert took > 1.5
    in_time(took, 2 + END_S_MAX)
    assert (code, reason) == (4501, "token-expired")
    assert await status(ada, "POST", "/api/heaps", token) == (401, "token_expired")
