"""A right that ends reaches open sockets within two seconds, whatever ended it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from auth.principal import Role
from crdt import wire
from server.documents import DOCUMENTS
from tests.clients import Replica
from tests.patience import PATIENCE_S, in_time, prompt
from tests.server.person import Person
from tests.stories.world import NAME, World

END_S_MAX = 2.0


async def joined(world: World, person: Person) -> aiohttp.ClientWebSocketResponse:
    """A y-websocket session of somebody in the owner's document, from its first frame on."""
    socket = await world.web.websocket(f"/ws/{NAME}", person.access)
    frame = await socket.receive_bytes()
    assert wire.decode_y(frame)[0] == wire.STEP1
    return socket


async def ended(socket: aiohttp.ClientWebSocketResponse) -> int:
    """Wait for the end; its close code."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = await socket.receive()
            if message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}:
                return socket.close_code or 0


async def editor(world: World) -> Person:
    """A new member of the owner's workspace who may edit."""
    web: Any = world.web
    person = await Person().log_in(web)
    await world.identity.grants.set_member(world.owner.workspace, person.account, Role.EDITOR)
    return person


async def remove(world: World, person: Person) -> None:
    """Take the member out of the workspace."""
    await world.identity.grants.set_member(world.owner.workspace, person.account, Role.NONE)


async def disable(world: World, person: Person) -> None:
    """Close the account."""
    await world.identity.accounts.disable(person.account)


async def log_out(world: World, person: Person) -> None:
    """End every login of the account."""
    await world.identity.credentials.revoke_all(person.account)


async def reuse(world: World, person: Person) -> None:
    """Show a refresh token whose successor was used, as a thief would."""
    first = await world.identity.logins.renew(person.refresh)
    await world.identity.logins.renew(first.refresh)
    response = await world.web.post(
        "/api/auth/refresh_token", headers={"Authorization": f"Bearer {person.refresh}"}
    )
    assert response.status == 401


async def delete(world: World, person: Person) -> None:
    """Put the document into the trash, as another node would."""
    del person
    assert world.server.app is not None
    store = world.server.app[DOCUMENTS].store
    record = await store.by_global_id(NAME)
    assert record is not None
    await store.delete(record.id)


Ending = Callable[[World, Person], Awaitable[None]]


@pytest.mark.parametrize("end", [remove, disable, log_out, reuse, delete])
@prompt
async def test_an_open_socket_is_closed_within_two_seconds(world: World, end: Ending) -> None:
    """And with a code that tells the provider not to come back as it is."""
    person = await editor(world)
    socket = await joined(world, person)
    started = time.monotonic()
    await end(world, person)
    code = await ended(socket)
    took = time.monotonic() - started

    in_time(took, END_S_MAX)
    assert 4400 <= code < 4500
    await socket.close()


@prompt
async def test_a_downgrade_stops_writing_and_not_reading(world: World) -> None:
    """Within two seconds an editor who became a viewer changes nothing; others' edits arrive."""
    person = await editor(world)
    owner, demoted = await joined(world, world.owner), await joined(world, person)
    started = time.monotonic()
    await world.identity.grants.set_member(world.owner.workspace, person.account, Role.VIEWER)
    heard: list[tuple[int, Any]] = []
    async with asyncio.timeout(PATIENCE_S):
        while wire.AUTH_DENIED not in dict(heard):
            await demoted.send_bytes(wire.update(Replica().insert("a")))
            await demoted.send_bytes(wire.step1(b"\0"))
            heard += await frames(demoted, lambda kind, _: kind == wire.STEP2)
            await asyncio.sleep(0.02)
        took = time.monotonic() - started
        edit = Replica().insert("b")
        await owner.send_bytes(wire.update(edit))
        heard += await frames(demoted, lambda _, payload: payload == edit)
    await owner.close()
    await demoted.close()

    in_time(took, END_S_MAX)


async def frames(
    socket: aiohttp.ClientWebSocketResponse, ends: Callable[[int, Any], bool]
) -> list[tuple[int, Any]]:
    """Whatever comes, up to the first frame that ends it."""
    heard = [wire.decode_y(await socket.receive_bytes())]
    while not ends(*heard[-1]):
        heard.append(wire.decode_y(await socket.receive_bytes()))
    return heard
