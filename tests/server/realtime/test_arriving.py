"""Handshakes that are answered at once, and all those that go the whole way."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from server.realtime import arriving
from server.realtime.arriving import Front
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S, until
from tests.server.realtime.conftest import Serve
from tests.server.realtime.test_upgrade import shake_hands

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PLAIN = (
    b"GET /ws/doc?token=a.b-c_d HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\n"
    b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: a=b\r\nOrigin: http://y\r\n\r\n"
)


def front_of(inside: Inside) -> Front:
    """What meets each connection of a server: its warden knows."""
    for task in asyncio.all_tasks():
        frame = getattr(task.get_coro(), "cr_frame", None)
        if task.get_name() == "warden" and frame is not None:
            front = frame.f_locals["self"]._front
            if front._realtime is inside.realtime:
                assert isinstance(front, Front)
                return front
    raise AssertionError("nobody looks after its connections")


async def test_a_plain_handshake_is_read() -> None:
    """Its document, its token, its headers, and what came behind it."""
    shaken = arriving.read(_PLAIN + b"\x82\x80")

    assert shaken is not None
    assert (shaken.name, shaken.token, shaken.behind) == ("doc", "a.b-c_d", b"\x82\x80")
    assert shaken.fields["origin"] == "http://y"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GET /ws/doc", b"POST /ws/doc"),
        (b"/ws/doc?", b"/ws/d%6Fc?"),
        (b"/ws/doc?", b"/ws/a/../doc?"),
        (b"/ws/doc?", b"/ws/.?"),
        (b"/ws/doc?", b"/ws?"),
        (b"/ws/doc?token=a.b-c_d", b"/ws"),  # With a cookie, which may say who it is.
        (b"/ws/doc?token=a", b"/ws/doc?x=1&token=a"),
        (b"c_d HTTP", b"c_d&workspaceId=w HTTP"),
        (b"a.b-c_d", b"a%2Eb"),
        (b"HTTP/1.1\r\n", b"HTTP/1.0\r\n"),
        (b"Host: x", b"Host: x\r\nHost: y"),
        (b"Host: x", b"Host : x"),
        (b"Host: x", b"Host: x\r\n folded"),
        (b"Host: x", b"Host: x\nA: b"),
        (b"Host: x", b"Host: x\tz"),
        (b"Host: x", b"Host: \xff"),
        (b"Upgrade: WebSocket", b"Upgrade: h2c"),
        (b"keep-alive, Upgrade", b"keep-alive"),
        (b"Version: 13", b"Version: 12"),
        (b"dGhlIHNhb", b""),
        (b"Cookie: a=b", b"Content-Length: 3"),
        (b"Cookie: a=b", b"Transfer-Encoding: chunked"),
        (b"Cookie: a=b", b"Authorization: Bearer x"),
        (b"Cookie: a=b", b"Sec-WebSocket-Protocol: plait-x"),
        (b"Cookie: a=b", b"X: " + b"y" * 4096),
        (b"\r\n\r\n", b"\r\n"),
    ],
)
async def test_what_is_not_plain_is_not_read(old: bytes, new: bytes) -> None:
    """It goes the whole way, where it has always been read."""
    data = _PLAIN.replace(old, new)

    assert data != _PLAIN
    assert arriving.read(data) is None


async def test_a_handshake_that_names_nobody_is_read() -> None:
    """As Hocuspocus providers send it: documents and tokens come in frames."""
    bare = _PLAIN.replace(b"/ws/doc?token=a.b-c_d", b"/ws").replace(b"Cookie: a=b\r\n", b"")

    shaken = arriving.read(bare)

    assert shaken is not None
    assert (shaken.name, shaken.token) == (None, None)
    assert arriving.read(bare.replace(b"/ws ", b"/ws? ")) is None
    assert arriving.read(bare.replace(b"/ws ", b"/wsx ")) is None


async def test_providers_are_let_in_at_once_without_being_known(ada: Guest, bob: Guest) -> None:
    """Each of their documents is still asked for its token."""
    front, name = front_of(ada.inside), f"doc-{uuid4().hex[:8]}"
    first = await ada.open(name)
    await bob.open(name)
    before = front.taken  # Those may have come over connections that requests had used.

    second = await ada.open(name)
    await second.write("together")
    await second.settled(2)
    assert front.taken == before + 1
    await until(lambda: first.replica.text == "together")

    record = await ada.inside.record(ada, name)
    stranger = (await bob.hocuspocus()).session(f"{record.scope}:{name}")
    await stranger.show(bob.token)
    assert await stranger.denied() == "permission-denied"
    assert front.taken == before + 2


async def test_providers_count_against_their_address_until_a_document_is_open(
    serve: Serve,
) -> None:
    """As on the whole way: one more than fits is told so by HTTP."""
    inside = await serve(connections_per_address_max=1)
    async with inside.visitor() as guest:
        await guest.open("doc")
        socket = await guest.hocuspocus()
        assert front_of(inside).taken == 1
        assert b" 429 " in (await shake_hands(guest, "/ws")).split(b"\r\n", 1)[0]

        session = socket.session("doc")
        await session.show(guest.token)
        await session.sync()
        assert b" 101 " in (await shake_hands(guest, "/ws")).split(b"\r\n", 1)[0]


async def test_who_is_known_is_let_in_at_once(ada: Guest) -> None:
    """The second handshake with the same token, not the first; its edits are stored like any."""
    front, name = front_of(ada.inside), f"doc-{uuid4().hex[:8]}"
    first = await (await ada.y(name)).sync()
    before = front.taken

    second = await (await ada.y(name)).sync()
    assert front.taken == before + 1
    await second.stored(await second.write("together"))
    await until(lambda: first.replica.text == "together")

    head = await shake_hands(ada, f"/ws/{name}?token={ada.token}", behind=b"\x89\x80abcd")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert front.taken == before + 2


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("/ws/{name}?token={token}x", b"", b"401"),
        ("/ws/{name}", b"", b"401"),
        ("/ws/{name}?token={other}", b"", b"101"),
        ("/ws/{id}?token={other}", b"", b"403"),
        ("/ws/{name}?token={token}", b"Expect: 100-continue", b"100"),
        ("/ws/{name}", b"Authorization: Bearer {token}", b"101"),
    ],
)
async def test_everybody_else_goes_the_whole_way(
    ada: Guest, bob: Guest, path: str, header: bytes, status: bytes
) -> None:
    """And is answered there, even in the middle of those who are known."""
    front, name = front_of(ada.inside), f"doc-{uuid4().hex[:8]}"
    await (await ada.y(name)).sync()
    record = await ada.inside.record(ada, name)
    before = front.taken
    known = {"name": name, "token": ada.token, "other": bob.token, "id": f"{record.scope}:{name}"}
    headers = [header.replace(b"{token}", ada.token.encode())] if header else []

    head = await shake_hands(ada, path.format(**known), *headers)

    assert head.split(b" ", 2)[1] == status
    assert front.taken == before


async def test_a_right_that_is_gone_lets_nobody_in(serve: Serve) -> None:
    """Who is thrown out, and whose document is deleted, is refused within two seconds."""
    inside = await serve()
    async with inside.visitor() as guest:
        client = await (await guest.y("doc")).sync()
        again = await (await guest.y("doc")).sync()
        record = await inside.record(guest, "doc")
        await inside.store.delete(record.id)
        assert await client.closed() == await again.closed()

        head = await shake_hands(guest, f"/ws/doc?token={guest.token}")
        assert b" 403 " in head


async def test_a_silent_connection_is_in_the_wardens_books(serve: Serve) -> None:
    """It is cut when it has said nothing for long, as one of aiohttp's is."""
    inside = await serve(request_head_s=0.2, sweep_s=0.05)
    place = urlsplit(inside.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)

    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    assert inside.metrics.refusals["http-slow-head"] == 1
    writer.close()
