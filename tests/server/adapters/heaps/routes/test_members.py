"""Members over HTTP, and how fast a change of theirs reaches what they have open."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from crdt import wire
from tests.clients import HocuspocusClient, YClient
from tests.inside import Guest
from tests.patience import in_time, prompt
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import new_id, push_titled
from tests.server.adapters.heaps.routes.test_invites import invite

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

END_S_MAX = 2.0


async def shared(ada: Guest, bob: Guest, role: str = "editor") -> str:
    """A workspace of Ada's with Bob in it."""
    heap = await made(ada)
    link = await invite(ada, heap, role)
    await ask(bob, f"/api/invite/{link['token']}")
    return heap


async def patch(guest: Guest, path: str, role: str, status: int = 200) -> dict[str, object]:
    """Change a role, with the status that it must have."""
    async with guest.http.patch(path, headers=guest.bearer, json={"role": role}) as response:
        answer = await response.json()
        assert response.status == status, answer
        return dict(answer)


async def test_members_see_one_another(ada: Guest, bob: Guest) -> None:
    """With role and key; strangers see nothing."""
    heap = await shared(ada, bob, "viewer")
    found = (await call(bob, "GET", f"/api/heap/{heap}/members"))["members"]

    assert [(one["user_id"], one["role"], one["is_you"]) for one in found] == [
        (ada.account, "owner", False),
        (bob.account, "viewer", True),
    ]
    assert found[0]["public_key"] == ada.person.public_key
    async with Guest(ada.inside) as stranger:
        await stranger.log_in()
        await call(stranger, "GET", f"/api/heap/{heap}/members", 404)


async def test_only_owners_change_roles(ada: Guest, bob: Guest) -> None:
    """An editor raises nobody, himself included; he may step down and leave."""
    heap = await shared(ada, bob)
    members = f"/api/heap/{heap}/members"
    await patch(bob, f"{members}/{bob.account}", "owner", 403)
    await patch(bob, f"{members}/{ada.account}", "viewer", 403)
    await call(bob, "DELETE", f"{members}/{ada.account}", 403)
    await patch(ada, f"{members}/{'Z' * 26}", "viewer", 404)
    await patch(ada, f"{members}/%00", "viewer", 404)
    await patch(ada, f"{members}/{bob.account}", "king", 400)
    await patch(bob, f"{members}/{bob.account}", "viewer")
    left = await ask(bob, f"/api/heap/{heap}/leave")

    assert (left["user_id"], left["role"]) == (bob.account, None)
    await call(ada, "DELETE", f"{members}/{bob.account}", 404)
    assert len((await call(ada, "GET", members))["members"]) == 1


async def test_at_least_one_owner_stays(ada: Guest, bob: Guest) -> None:
    """The last one cannot leave or step down; with a second one he can, who then owns it."""
    heap = await shared(ada, bob)
    members = f"/api/heap/{heap}/members"
    refused = [
        (await ask(ada, f"/api/heap/{heap}/leave", 409))["error"],
        (await patch(ada, f"{members}/{ada.account}", "editor", 409))["error"],
    ]
    await patch(ada, f"{members}/{bob.account}", "owner")
    await ask(ada, f"/api/heap/{heap}/leave")

    assert refused == ["last_owner"] * 2
    assert heap in [one["id"] for one in await ask(bob, "/api/heaps")]
    assert heap not in [one["id"] for one in await ask(ada, "/api/heaps", include_shared=True)]


async def test_an_account_keeps_its_default_workspace(ada: Guest, bob: Guest) -> None:
    """Names without a workspace belong there, so not even a second owner takes it away."""
    link = await invite(ada, ada.workspace)
    await ask(bob, f"/api/invite/{link['token']}")
    members = f"/api/heap/{ada.workspace}/members"
    await patch(ada, f"{members}/{bob.account}", "owner")

    assert (await ask(ada, f"/api/heap/{ada.workspace}/leave", 409))["error"] == (
        "default_workspace"
    )
    await patch(bob, f"{members}/{ada.account}", "viewer", 409)


# -- open sockets -------------------------------------------------------------------------


@dataclass
class Opened:
    """Bob's connections to one document, one of each dialect."""

    y: YClient
    sweet: YClient
    hocuspocus: HocuspocusClient


async def opened(ada: Guest, bob: Guest, heap: str) -> tuple[str, Opened]:
    """A block of Ada's that Bob has open three times."""
    block = new_id()
    await push_titled(ada, heap, block, "x")
    token = await bob.document_token(block)
    return block, Opened(
        y=await (await bob.y(block)).sync(),
        sweet=await (await bob.sweet(block, token=token)).sync(),
        hocuspocus=await bob.open(block),
    )


@prompt
async def test_a_removal_reaches_every_dialect(ada: Guest, bob: Guest) -> None:
    """Closed, or the document denied, within two seconds; nothing opens it again."""
    heap = await shared(ada, bob)
    block, bobs = await opened(ada, bob, heap)
    started = time.monotonic()
    await call(ada, "DELETE", f"/api/heap/{heap}/members/{bob.account}")
    codes = [await bobs.y.closed(), await bobs.sweet.closed()]
    reason = await bobs.hocuspocus.denied()
    took = time.monotonic() - started

    in_time(took, END_S_MAX)
    assert codes == [4403, 4403]
    assert reason == "permission-denied"
    await ask(bob, f"/api/block/{block}", 404)
    status, _ = await bob.get(f"/api/sync/delta?workspace_id={heap}")
    assert status == 403
    socket = await bob.hocuspocus()
    again = socket.session(block)
    await again.show(bob.token)
    assert await again.denied() == "permission-denied"


@prompt
async def test_a_downgrade_reaches_every_dialect(ada: Guest, bob: Guest) -> None:
    """Within two seconds writes are refused and reach nobody; reading goes on."""
    heap = await shared(ada, bob)
    block, bobs = await opened(ada, bob, heap)
    started = time.monotonic()
    await patch(ada, f"/api/heap/{heap}/members/{bob.account}", "viewer")
    await bobs.hocuspocus.until(lambda: bobs.hocuspocus.scopes[-1] == "readonly")
    took = time.monotonic() - started
    for client in (bobs.y, bobs.sweet, bobs.hocuspocus):
        await client.write("never")
    await bobs.hocuspocus.until(lambda: False in bobs.hocuspocus.statuses)
    for y in (bobs.y, bobs.sweet):
        await y.until(lambda y=y: y.payloads(wire.AUTH_DENIED))
    author = await ada.open(block)
    await author.write("seen")
    await author.settled(2)  # That of the handshake, and that of the stored word.
    for reader in (bobs.y, bobs.sweet, bobs.hocuspocus):
        await reader.until(lambda reader=reader: "seen" in reader.replica.text)

    in_time(took, END_S_MAX)
    assert author.replica.text == "seen"
    assert await ada.stored_text(block) == "seen"
    assert (bobs.y.code, bobs.sweet.code, bobs.hocuspocus.denials) == (None, None, [])
    assert (await push_titled(bob, heap, block, "y"))["success"] is False


async def test_an_upgrade_lets_write_what_is_open(ada: Guest, bob: Guest) -> None:
    """Without opening it anew."""
    heap = await shared(ada, bob, "viewer")
    block, bobs = await opened(ada, bob, heap)
    assert bobs.hocuspocus.scopes == ["readonly"]
    await patch(ada, f"/api/heap/{heap}/members/{bob.account}", "editor")
    await bobs.hocuspocus.until(lambda: bobs.hocuspocus.scopes[-1] == "read-write")
    await bobs.hocuspocus.write("now")
    assert (await bobs.hocuspocus.settled(2))[-1] is True

    assert await ada.stored_text(block) == "now"
