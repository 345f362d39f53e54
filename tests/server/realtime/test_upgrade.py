"""What stands in a WebSocket handshake is answered with 101 or a documented 4xx, never a 500."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from crdt import wire
from server.guard import Guard
from server.realtime.register import REALTIME
from tests.clients import HocuspocusClient
from tests.inside import Guest
from tests.patience import PATIENCE_S
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


async def shake_hands(
    guest: Guest, path: str, *headers: bytes, key: bytes = _KEY, behind: bytes = b""
) -> bytes:
    """The head of the answer to a handshake, written byte for byte with `behind` behind it."""
    place = urlsplit(guest.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    lines = [
        f"GET {path} HTTP/1.1".encode() if path.startswith("/") else path.encode(),
        b"Host: " + place.netloc.encode(),
        b"Upgrade: websocket",
        b"Connection: keep-alive, Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + key,
        *headers,
    ]
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + behind)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return head


@pytest.mark.parametrize(
    "key", [b"\xff\xff", "dé".encode(), b"", b"short"], ids=["bytes", "letter", "empty", "short"]
)
async def test_a_bad_key_is_a_bad_request(ada: Guest, key: bytes) -> None:
    """Whatever stands in Sec-WebSocket-Key, the answer is 400 and no fault of ours."""
    assert b" 400 " in await shake_hands(ada, "/ws", key=key)


async def test_http_1_0_has_no_websocket(ada: Guest) -> None:
    """RFC 6455 asks for HTTP/1.1; an older request is told so."""
    assert b" 426 " in await shake_hands(ada, "GET /ws HTTP/1.0")


async def test_subprotocols_may_stand_in_several_headers(ada: Guest) -> None:
    """A token that is offered in the second header of that name counts."""
    head = await shake_hands(
        ada,
        "/ws/several-headers",
        b"Sec-WebSocket-Protocol: chat",
        b"Sec-WebSocket-Protocol: plait-" + ada.token.encode(),
    )

    assert b" 101 " in head
    assert b"Sec-WebSocket-Protocol: plait-" in head


async def test_a_metrics_token_that_is_no_text_is_refused(serve: Serve) -> None:
    """A header that is not UTF-8 is a wrong token."""
    running = await serve(metrics_token="right")
    async with running.visitor() as guest:
        head = await shake_hands(guest, "/metrics", b"Authorization: Bearer \xff")

    assert b" 401 " in head


async def test_a_refused_token_says_nothing_about_the_next_one(ada: Guest) -> None:
    """Closed and opened again before the first token was looked at: the second token decides."""
    socket = await ada.hocuspocus()
    session: HocuspocusClient = socket.session("again")

    await asyncio.gather(
        session.show("not.a.token"),
        session.send(wire.close(None)),
        session.show(ada.token),
        session.send(wire.step1(session.replica.vector)),
    )
    await session.until(lambda: session.payloads(wire.STEP2))

    assert session.scopes == ["read-write"]


async def test_deadlines_of_sessions_that_ended_are_forgotten(serve: Serve) -> None:
    """However many sessions come and go on tokens of a day, few of their deadlines are kept."""
    running = await serve()
    async with running.visitor() as guest:
        token = await guest.document_token("busy", validForSeconds=86_400)
        socket = await guest.hocuspocus()
        for _ in range(600):
            session = await socket.open("busy", token)
            await session.send(wire.close(None))

        guard: Guard = running.app[REALTIME].documents.guard
        kept = len(guard._deadlines)

    assert running.metrics.joins == 600
    assert kept < 1100


@pytest.mark.parametrize(
    "frame", [b"\x89\x81\0\0\0\0p", b"\x81\x81\0\0\0\0x", b"\x88\x82\0\0\0\0\x03\xe8"]
)
@pytest.mark.parametrize("path", ["/ws", "/ws/behind"])
async def test_nothing_overtakes_the_answer_to_the_handshake(
    ada: Guest, path: str, frame: bytes
) -> None:
    """A frame in the segment of the handshake is answered behind the 101."""
    authorization = b"Authorization: Bearer " + ada.token.encode()
    head = await shake_hands(ada, path, authorization, behind=frame)

    assert head.startswith(b"HTTP/1.1 101 ")
