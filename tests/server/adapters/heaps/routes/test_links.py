"""Links to one document over HTTP and at sockets."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import pytest

from auth.principal import Role
from tests.inside import Guest, Inside
from tests.patience import in_time, prompt
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import new_id, push_titled
from tests.server.realtime.conftest import Serve

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

END_S_MAX = 2.0


async def document(guest: Guest) -> str:
    """A block in a workspace of its own."""
    heap, block = await made(guest), new_id()
    await push_titled(guest, heap, block, "x")
    return block


async def link(guest: Guest, block: str, role: str = "editor", **more: Any) -> dict[str, Any]:
    """A new link."""
    return dict(await ask(guest, f"/api/block/{block}/links", 201, role=role, **more))


async def test_a_link_opens_its_document_for_people_without_an_account(
    inside: Inside, ada: Guest
) -> None:
    """At every socket, with its role, and nothing else."""
    block, other = await document(ada), await document(ada)
    write, read = await link(ada, block), await link(ada, block, "viewer")
    async with aiohttp.ClientSession(inside.url) as session:
        path = write["url"].partition("://")[2].partition("/")[2]
        async with session.ws_connect(f"/{path}") as socket:
            assert await socket.receive_bytes()
    writer = await ada.open(block, token=write["token"])
    reader = await ada.open(block, token=read["token"])
    await (await ada.sweet(block, token=read["token"])).sync()
    await writer.write("hello")
    await reader.until(lambda: reader.replica.text == "hello")

    assert (writer.scopes, reader.scopes) == (["read-write"], ["readonly"])
    assert (await ada.get(f"/d/{block}/as-update", token=read["token"]))[0] == 200
    assert (await ada.get(f"/d/{other}/as-update", token=read["token"]))[0] == 404
    assert (await ada.post("/api/me", token=write["token"]))[0] == 403
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await ada.y(other, token=write["token"])


async def test_links_are_listed_without_their_secrets(ada: Guest) -> None:
    """The newest first, with role, name and end."""
    block = await document(ada)
    made_link = await link(ada, block, "viewer", name="for Zoë", expires_in=3600)
    (listed,) = (await call(ada, "GET", f"/api/block/{block}/links"))["links"]

    assert listed == made_link["link"]
    assert (listed["role"], listed["name"], listed["is_expired"]) == ("viewer", "for Zoë", False)
    assert made_link["token"] not in str(listed)


@prompt
async def test_a_revoked_link_ends_what_is_open(ada: Guest) -> None:
    """Within two seconds, in every dialect; others stay."""
    block = await document(ada)
    made_link, other = await link(ada, block), await link(ada, block)
    token = made_link["token"]
    y = await (await ada.y(block, token=token)).sync()
    sweet = await (await ada.sweet(block, token=token)).sync()
    hocuspocus = await ada.open(block, token=token)
    stays = await ada.open(block, token=other["token"])
    started = time.monotonic()
    await call(ada, "DELETE", f"/api/block/{block}/links/{made_link['link']['id']}")
    codes = [await socket.closed() for socket in (y, sweet)]
    await hocuspocus.denied()

    in_time(time.monotonic() - started, END_S_MAX)
    assert codes == [4403, 4403]
    assert (await ada.get(f"/d/{block}/as-update", token=token))[0] == 401
    await stays.sync()
    await call(ada, "DELETE", f"/api/block/{block}/links/{made_link['link']['id']}", 404)
    await call(ada, "DELETE", f"/api/block/{block}/links/%00", 404)


@prompt
async def test_a_link_ends_by_itself(ada: Guest) -> None:
    """At its time, also while it is open."""
    block = await document(ada)
    began = time.monotonic()
    made_link = await link(ada, block, expires_in=1)
    y = await (await ada.y(block, token=made_link["token"])).sync()
    code = await y.closed()
    took = time.monotonic() - began

    assert code == 4501
    assert took > 0.5
    in_time(took, 1 + END_S_MAX)
    answer = await ada.get(f"/d/{block}/as-update", token=made_link["token"])
    assert answer[0] == 401


async def test_only_owners_make_links(inside: Inside, ada: Guest, bob: Guest) -> None:
    """An editor may not share; a stranger learns nothing; what cannot be is 400."""
    block = await document(ada)
    record = await inside.store.by_global_id(block)
    assert record is not None
    path = f"/api/block/{block}/links"
    await ask(bob, path, 404, role="viewer")
    await inside.grants.set_member(record.scope, bob.account, Role.EDITOR)
    await inside.realtime.rights._watch.look()

    await ask(bob, path, 403, role="viewer")
    await call(bob, "GET", path, 403)
    await ask(ada, path, 400, role="owner")
    await ask(ada, path, 400, role="viewer", expires_in=0)


async def test_a_link_falls_with_its_maker(inside: Inside, ada: Guest, bob: Guest) -> None:
    """It gives no more than whoever made it may do at the moment."""
    block = await document(ada)
    record = await inside.store.by_global_id(block)
    assert record is not None
    await inside.grants.set_member(record.scope, bob.account, Role.OWNER)
    await inside.realtime.rights._watch.look()
    made_link = await link(bob, block)
    opened = await ada.open(block, token=made_link["token"])
    await inside.grants.set_member(record.scope, bob.account, Role.NONE)

    assert await opened.denied() == "permission-denied"


async def test_links_to_one_document_are_bounded(serve: Serve) -> None:
    """One more is a conflict."""
    inside = await serve(links_per_document_max=1)
    async with inside.visitor() as guest:
        block = await document(guest)
        await link(guest, block)
        refused = await ask(guest, f"/api/block/{block}/links", 409, role="viewer")

    assert refused["error"] == "too_many_links"
