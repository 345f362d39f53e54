"""Invitations by link over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from auth.principal import Role
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import new_id, push_titled
from tests.server.realtime.conftest import Serve

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def invite(guest: Guest, heap: str, role: str = "editor", **more: Any) -> dict[str, Any]:
    """A new invitation."""
    return dict(await ask(guest, f"/api/heap/{heap}/invites", 201, role=role, **more))


async def test_an_invitation_is_looked_at_and_accepted(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """Whoever has the link sees what it is for; logged in, he becomes a member."""
    heap = await made(ada, "Garden")
    link = await invite(ada, heap, max_uses=2, name="neighbours")
    path = link["url"].removeprefix(inside.url)
    async with bob.http.get(path) as response:  # Without a login.
        looked = await response.json()
    joined = await ask(bob, path)
    shared = await ask(bob, "/api/heaps", include_shared=True)
    contents = await ask(bob, "/api/heap", heap_id=heap)

    assert path == f"/api/invite/{link['token']}"
    assert (looked["title"], looked["role"], looked["uses_left"]) == ("Garden", "editor", 2)
    assert looked["workspace_id"] == heap
    assert (joined["workspace_id"], joined["role"]) == (heap, "editor")
    assert (heap, "editor") in [(one["id"], one["role"]) for one in shared]
    assert heap not in [one["id"] for one in await ask(bob, "/api/heaps")]
    assert contents["heap"]["title"] == "Garden"


async def test_who_comes_by_a_link_syncs_like_a_member(ada: Guest, bob: Guest) -> None:
    """Pushes and deltas of an editor; a viewer's push is refused."""
    heap, block = await made(ada), new_id()
    link = await invite(ada, heap, "viewer")
    await ask(bob, f"/api/invite/{link['token']}/accept")
    refused = await push_titled(bob, heap, block, "x")
    raised = await invite(ada, heap, "editor")
    await ask(bob, f"/api/invite/{raised['token']}")
    accepted = await push_titled(bob, heap, block, "x")

    assert (refused["success"], accepted["success"]) == (False, True)
    assert (await ask(ada, f"/api/block/{block}"))["title"] == "x"


async def test_invitations_are_listed_without_their_secrets(ada: Guest) -> None:
    """With how often they were used; one is taken back once."""
    heap = await made(ada)
    link = await invite(ada, heap, "viewer", expires_in=None, max_uses=1)
    path = f"/api/heap/{heap}/invites"
    (listed,) = (await call(ada, "GET", path))["invites"]

    assert listed == link["invite"]
    assert (listed["uses"], listed["max_uses"], listed["expires_at"]) == (0, 1, None)
    assert listed["is_open"] is True
    assert link["token"] not in str(listed)
    assert (await call(ada, "DELETE", f"{path}/{listed['id']}"))["id"] == listed["id"]
    await call(ada, "DELETE", f"{path}/{listed['id']}", 404)
    await call(ada, "GET", f"/api/invite/{link['token']}", 404)
    await ask(ada, f"/api/invite/{link['token']}", 404)


async def test_only_owners_invite(inside: Inside, ada: Guest, bob: Guest) -> None:
    """An editor may not share, nor see who is invited; strangers find nothing."""
    heap = await made(ada)
    link = await invite(ada, heap)
    path = f"/api/heap/{heap}/invites"
    await ask(bob, path, 404, role="viewer")
    await ask(bob, f"/api/invite/{link['token']}")

    await ask(bob, path, 403, role="viewer")
    await call(bob, "GET", path, 403)
    await call(bob, "DELETE", f"{path}/{link['invite']['id']}", 403)
    await inside.grants.set_member(heap, bob.account, Role.OWNER)
    await inside.realtime.rights._watch.look()
    await invite(bob, heap)


async def test_an_invitation_ends_when_it_is_used_up_or_revoked(ada: Guest, bob: Guest) -> None:
    """404 as for one that never was."""
    heap = await made(ada)
    link = await invite(ada, heap, max_uses=1)
    await ask(bob, f"/api/invite/{link['token']}")
    async with Guest(ada.inside) as third:
        await third.log_in()
        await ask(third, f"/api/invite/{link['token']}", 404)
        for unknown in ("x", "plait_inv_" + "A" * 43, "%00", ada.token[:200]):
            await ask(third, f"/api/invite/{unknown}", 404)
            await call(third, "GET", f"/api/invite/{unknown}", 404)
    (listed,) = (await call(ada, "GET", f"/api/heap/{heap}/invites"))["invites"]

    assert (listed["uses"], listed["is_open"]) == (1, False)


async def test_who_lost_the_answer_may_accept_again(ada: Guest, bob: Guest) -> None:
    """Though it is used up by then; not after being removed."""
    heap = await made(ada)
    link = await invite(ada, heap, max_uses=1)
    first = await ask(bob, f"/api/invite/{link['token']}")

    assert await ask(bob, f"/api/invite/{link['token']}") == first
    (listed,) = (await call(ada, "GET", f"/api/heap/{heap}/invites"))["invites"]
    assert listed["uses"] == 1
    await call(ada, "DELETE", f"/api/heap/{heap}/members/{bob.account}")
    await ask(bob, f"/api/invite/{link['token']}", 404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": "owner"},
        {"role": "viewer", "max_uses": 0},
        {"role": "viewer", "expires_in": 0},
        {"role": "viewer", "expires_in": "x"},
        {"role": "viewer", "name": "x" * 101},
    ],
)
async def test_what_cannot_be_offered_is_refused(ada: Guest, body: dict[str, Any]) -> None:
    """With 400; nobody is made an owner by a link."""
    answer = await ask(ada, f"/api/heap/{ada.workspace}/invites", 400, **body)

    assert answer["error"] == "bad_request"


async def test_bounds_are_conflicts(serve: Serve) -> None:
    """Of invitations and of members."""
    inside = await serve(invites_per_workspace_max=1, members_per_workspace_max=1)
    async with inside.visitor() as owner, inside.visitor() as guest:
        link = await invite(owner, owner.workspace)
        path = f"/api/heap/{owner.workspace}/invites"
        many = await ask(owner, path, 409, role="viewer")
        full = await ask(guest, f"/api/invite/{link['token']}", 409)

    assert (many["error"], full["error"]) == ("too_many_invites", "too_many_members")
