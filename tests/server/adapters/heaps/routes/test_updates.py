"""Progress of scans on /api/ws: JSON text frames, for those whom it concerns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from auth.principal import Role
from server.scanning.desk import DESK
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S, until
from tests.server.adapters.heaps.asking import ask, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def until_over(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, Any]]:
    """The news up to the end of a scan."""
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1]["type"] in {"scan_started", "scan_progress"}:
        message = await socket.receive(PATIENCE_S)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        heard.append(json.loads(message.data))
    return heard


async def allowed(inside: Inside, guest: Guest, path: Path, files: int = 3) -> None:
    """A folder with files that a guest may scan."""
    for number in range(files):
        (path / f"{number}.txt").write_text(f"{guest.account} {number}")
    await inside.app[DESK].scans.set_root(guest.account, str(path.resolve()))


async def test_a_scan_is_told_from_its_start_to_its_end(
    inside: Inside, ada: Guest, tmp_path: Path
) -> None:
    """With its counts; the path is said from the allowed folder on."""
    await allowed(inside, ada, tmp_path)
    heap = await made(ada)
    async with ada.http.ws_connect("/api/ws", headers=ada.bearer) as socket:
        begun = await ask(ada, "/api/scan_folder", path=".", heap_id=heap)
        heard = await until_over(socket)

    assert {one["scan_id"] for one in heard} == {begun["scan_id"]}
    assert {(one["heap_id"], one["workspace_id"], one["path"]) for one in heard} == {
        (heap, heap, ".")
    }
    last = heard[-1]
    assert (last["type"], last["status"], last["counts"]["added"]) == (
        "scan_completed",
        "completed",
        3,
    )


async def test_members_hear_of_it_and_strangers_do_not(
    inside: Inside, ada: Guest, bob: Guest, tmp_path: Path
) -> None:
    """Bob is told of the workspace that he may read, and of no other."""
    await allowed(inside, ada, tmp_path)
    private, shared = await made(ada), await made(ada)
    await inside.grants.set_member(shared, bob.account, Role.VIEWER)
    async with bob.http.ws_connect(f"/api/ws?token={bob.token}") as socket:
        for heap in (private, shared):
            begun = await ask(ada, "/api/scan_folder", path=".", heap_id=heap)
            await inside.app[DESK].jobs.ended(begun["scan_id"])
        heard = await until_over(socket)

    assert {one["heap_id"] for one in heard} == {shared}


async def test_who_may_listen(inside: Inside, ada: Guest) -> None:
    """An access token in the header or the query; nobody else, and nothing but a WebSocket."""
    refused = {}
    for word, query in (
        ("none", ""),
        ("bad", "?token=x"),
        ("refresh", f"?token={ada.person.refresh}"),
    ):
        async with aiohttp.ClientSession(inside.url) as nobody:
            with pytest.raises(aiohttp.WSServerHandshakeError) as error:
                await nobody.ws_connect(f"/api/ws{query}")
            refused[word] = error.value.status
    async with ada.http.get("/api/ws", headers=ada.bearer) as plain:
        status = plain.status

    assert set(refused.values()) == {401}
    assert status == 426


async def test_a_listener_whose_login_ends_hears_no_more(inside: Inside, ada: Guest) -> None:
    """Within a few seconds, as everywhere."""
    socket = await ada.http.ws_connect(
        "/api/ws", headers={"Authorization": f"Bearer {ada.ending_token(1.0)}"}
    )
    message = await socket.receive(PATIENCE_S)

    assert message.type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == 4401


async def test_listeners_are_told_that_the_server_ends(serve: Any) -> None:
    """They come back to the next one."""
    other = await serve()
    async with other.visitor() as guest:
        socket = await guest.http.ws_connect("/api/ws", headers=guest.bearer)
        await other.server.stop()
        message = await socket.receive(PATIENCE_S)

        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1012)


async def test_a_listener_costs_nothing_when_it_is_gone(inside: Inside, ada: Guest) -> None:
    """Its place is free again."""
    desk = inside.app[DESK]
    before = len(desk.jobs._listeners)
    socket = await ada.http.ws_connect("/api/ws", headers=ada.bearer)
    await until(lambda: len(desk.jobs._listeners) == before + 1)
    await socket.close()
    await until(lambda: len(desk.jobs._listeners) == before)
