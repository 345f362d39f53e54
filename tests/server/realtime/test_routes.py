"""Handshakes: whose token counts from where, what a path names, and when the door is shut."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import pytest

from crdt import wire
from tests.clients import Visitor, YClient
from tests.inside import Guest
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


def name_of() -> str:
    """A document's name that nobody used before."""
    return f"doc-{uuid4().hex[:8]}"


async def refused(visitor: Visitor, path: str, **options: Any) -> int:
    """The status of a handshake that is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        await visitor._connect(path, **options)
    return error.value.status


# -- tokens -----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["token", "yauth", "header", "plait-", "yauth-"])
async def test_a_token_is_found_wherever_a_client_can_put_it(ada: Guest, place: str) -> None:
    """Two names in the query, the header, two subprotocols (browsers have nothing else)."""
    name = name_of()
    options: dict[str, Any] = {}
    query = ""
    if place == "header":
        options = {"headers": ada.bearer}
    elif place.endswith("-"):
        options = {"protocols": ["y-sync", place + ada.token]}
    else:
        query = f"?{place}={ada.token}"
    client = YClient(await ada._connect(f"/ws/{name}{query}", **options))
    ada._open.append(client)

    await client.sync()

    wanted = place + ada.token if place.endswith("-") else None
    assert client.protocol == wanted


async def test_a_client_that_offers_subprotocols_gets_one_of_them(ada: Guest) -> None:
    """Browsers fail a handshake that is answered with none."""
    client = await ada.y(name_of(), protocols=["one", "two"])

    assert client.protocol == "one"
    await client.sync()


async def test_no_token_and_bad_tokens_are_401(ada: Guest) -> None:
    """Before the upgrade: y-websocket clients see a failed connection, not an empty document."""
    for path in (f"/ws/{name_of()}", "/ws/doc?token=nonsense", "/d/doc/ws/doc?token=nonsense"):
        assert await refused(ada, path) == 401


async def test_a_refresh_token_opens_nothing(ada: Guest) -> None:
    """Only access and document tokens do."""
    assert await refused(ada, f"/ws/doc?token={ada.person.refresh}") == 401


async def test_a_stranger_is_refused_whether_the_document_is_there_or_not(
    ada: Guest, bob: Guest
) -> None:
    """The same 403 for foreign, unknown and deleted."""
    block, deleted = str(uuid4()), str(uuid4())
    for name in (block, deleted):
        await (await ada.y(name)).sync()
    await ada.inside.store.delete((await ada.inside.record(ada, deleted)).id)
    paths = [
        f"/ws/{ada.workspace}:{block}",
        f"/ws/{ada.workspace}:{deleted}",
        f"/ws/{ada.workspace}:{uuid4()}",
        f"/ws/{block}",
        f"/ws/block/{block}?workspaceId={ada.workspace}&x=1",
    ]

    for path in paths:
        mark = "&" if "?" in path else "?"
        assert await refused(bob, f"{path}{mark}token={bob.token}") == 403, path


async def test_a_document_token_opens_its_own_document_only(ada: Guest) -> None:
    """On the y-websocket path as on Y-Sweet's."""
    mine, other = name_of(), name_of()
    token = await ada.document_token(mine)
    await ada.document_token(other)

    await (await ada.y(mine, token=token)).sync()
    await (await ada.sweet(mine, token)).sync()

    assert await refused(ada, f"/ws/{other}?token={token}") == 403
    assert await refused(ada, f"/d/{other}/ws/{other}?token={token}") == 403


# -- names ------------------------------------------------------------------------------

FORMS = ["{w}:{b}", "{w}:{b}:v7", "{b}", "block/{b}?workspaceId={w}", "{w}:{b}?x=1"]


async def test_every_form_of_a_name_is_one_document(ada: Guest) -> None:
    """In a path as in a frame."""
    block = str(uuid4())
    clients = []
    for form in FORMS:
        path = "/ws/" + form.format(w=ada.workspace, b=block)
        mark = "&" if "?" in path else "?"
        client = YClient(await ada._connect(f"{path}{mark}token={ada.token}"))
        ada._open.append(client)
        clients.append(await client.sync())

    await clients[0].write("one document")

    for client in clients:
        await client.until(lambda c=client: c.replica.text == "one document")


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a/b/c",
        "né\N{GRINNING FACE}",
        "a%b",
        "a+b&c=d",
        "100%25",
        "a:b",
        "..",
        "a//b",
        "x?y#z",
    ],
)
async def test_awkward_names_are_decoded_once(ada: Guest, name: str) -> None:
    """What a path spells is the document that a frame names in plain text."""
    name = f"{name} {uuid4().hex[:6]}"
    over_path = YClient(await ada._connect(f"/ws/{quote(name, safe='')}?token={ada.token}"))
    ada._open.append(over_path)
    over_frame = await ada.open(name)
    await over_path.sync()

    await over_frame.write(name)

    await over_path.until(lambda: over_path.replica.text == name)


@pytest.mark.parametrize("path", ["%ff", "%c3", "a%00b", "x" * 513, "%F0%9F%98%80" * 129])
async def test_a_bad_name_is_400(ada: Guest, path: str) -> None:
    """Bytes that are no UTF-8, control characters, more than 512 bytes."""
    assert await refused(ada, f"/ws/{path}?token={ada.token}") == 400


async def test_the_same_name_of_two_accounts_is_two_documents(ada: Guest, bob: Guest) -> None:
    """A name belongs to its caller's default workspace."""
    name = name_of()
    mine, theirs = await (await ada.y(name)).sync(), await (await bob.y(name)).sync()
    await mine.stored(await mine.write("mine"))
    await theirs.stored(await theirs.write("theirs"))

    assert (mine.replica.text, theirs.replica.text) == ("mine", "theirs")


async def test_a_y_sweet_path_names_its_document_twice(ada: Guest) -> None:
    """Two different names are nothing that a client ever asks for."""
    token = await ada.document_token(name := name_of())

    assert await refused(ada, f"/d/{name}/ws/other?token={token}") == 404


# -- when the door is shut --------------------------------------------------------------


async def test_a_plain_request_is_told_to_upgrade(ada: Guest) -> None:
    """426 with the word, for GET; nothing is created."""
    for path in ("/ws", f"/ws/{name_of()}"):
        async with ada.http.get(f"{path}?token={ada.token}") as answer:
            assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")


async def test_one_connection_too_many_is_503(serve: Serve) -> None:
    """With Retry-After; when somebody leaves there is room again."""
    inside = await serve(connections_max=2)
    async with inside.visitor() as guest:
        one = await (await guest.y("a")).sync()
        await (await guest.y("a")).sync()
        assert await refused(guest, f"/ws/a?token={guest.token}") == 503
        assert await refused(guest, "/ws") == 503
        await one.close()

        await (await guest.y("a")).sync()
    assert inside.metrics.refusals["connections-full"] == 2


async def test_the_bounds_hold_for_handshakes_at_the_same_moment(serve: Serve) -> None:
    """Twenty at once while there is room for three: three get in."""
    inside = await serve(connections_max=3)
    async with inside.visitor() as guest:
        ended = await asyncio.gather(*(guest.y("a") for _ in range(20)), return_exceptions=True)

        assert sum(isinstance(one, YClient) for one in ended) == 3
        assert len(inside.realtime.connections) == 3


async def test_unauthenticated_connections_of_one_address_are_bounded(serve: Serve) -> None:
    """429; those that opened a document do not count any more."""
    inside = await serve(connections_per_address_max=2)
    async with inside.visitor() as guest:
        one, two = await guest.hocuspocus(), await guest.hocuspocus()
        assert await refused(guest, "/ws") == 429
        await one.open("a", guest.token)
        await (await guest.hocuspocus()).close()
        await two.close()

        for _ in range(3):
            await (await guest.hocuspocus()).close()
        await guest.hocuspocus()
        await guest.hocuspocus()
        assert await refused(guest, "/ws") == 429


async def test_behind_a_trusted_proxy_each_client_has_its_own_address(serve: Serve) -> None:
    """Forwarded headers count from the proxy, and the bound is on the client's address."""
    inside = await serve(connections_per_address_max=1, trusted_proxies=("127.0.0.1",))
    async with inside.visitor() as guest:
        await guest.hocuspocus("/ws", headers={"X-Forwarded-For": "192.0.2.1"})
        await guest.hocuspocus("/ws", headers={"X-Forwarded-For": "192.0.2.2"})

        again = {"headers": {"X-Forwarded-For": "192.0.2.1"}}
        assert await refused(guest, "/ws", **again) == 429


async def test_a_full_memory_is_503_at_the_handshake(serve: Serve) -> None:
    """rooms_max: said while HTTP can still say it."""
    inside = await serve(rooms_max=1)
    async with inside.visitor() as guest:
        await (await guest.y("one")).sync()

        assert await refused(guest, f"/ws/two?token={guest.token}") == 503


async def test_a_foreign_host_is_421(ada: Guest) -> None:
    """A page that rebinds its name to this machine opens no socket."""
    assert await refused(ada, "/ws", headers={"Host": "evil.example"}) == 421


async def test_what_comes_right_behind_the_handshake_is_not_lost(ada: Guest) -> None:
    """A client may send its first frame in the same segment as its request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(ada.url.rsplit(":", 1)[1]))
    frame = wire.step1(b"\x00")
    writer.write(
        f"GET /ws/{name_of()}?token={ada.token} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        + bytes([0x82, 0x80 | len(frame), 0, 0, 0, 0])
        + frame
    )
    head = await reader.readuntil(b"\r\n\r\n")
    greeting = await reader.readexactly(2 + 4)
    answer = await reader.readexactly(2 + 5)
    writer.close()
    await writer.wait_closed()

    assert b" 101 " in head
    assert greeting[2:] == wire.step1(b"\x00")
    assert answer[2:] == wire.step2(b"\x00\x00")
