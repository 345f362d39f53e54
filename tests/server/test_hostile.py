"""Clients that want to hurt: each costs the server little, and the others nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from crdt import wire
from tests.clients import Closed, HocuspocusSocket, Replica, becomes
from tests.inside import Guest, Inside, fresh_database, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIGHT = {
    "request_head_s": 0.5,
    "request_body_s": 0.5,
    "transfer_stuck_s": 0.5,
    "sweep_s": 0.1,
    "http_connections_per_address_max": 60,
    "connections_per_account_max": 5,
    "preauth_bytes_process_max": 1 << 20,
    "awareness_per_s_max": 50,
    "requests_per_account_per_minute": 300,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tight(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """A server that bears little, so that little shows it."""
    folder = tmp_path_factory.mktemp("tight")
    async with fresh_database(postgres) as database, serving(database, folder, **TIGHT) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def ada(tight: Inside) -> AsyncIterator[Guest]:
    """An honest person, whose account is used up by nobody else."""
    async with tight.visitor() as guest:
        yield guest


class Raw:
    """A bare connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, inside: Inside) -> Raw:
        """Connect."""
        host, _, port = inside.url.removeprefix("http://").partition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def send(self, data: bytes) -> None:
        """Send, as far as the server reads."""
        self.writer.write(data)
        await self.writer.drain()

    async def rest(self, within_s: float = 20) -> bytes:
        """All that comes until the server hangs up."""
        async with asyncio.timeout(within_s):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""
            finally:
                self.cut()

    def cut(self) -> None:
        """Hang up."""
        self.writer.transport.abort()


def refused(inside: Inside, reason: str) -> int:
    """How often something was refused for a reason."""
    return inside.metrics.refusals[reason]


# -- HTTP ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"", b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: "])
async def test_who_never_ends_a_head_is_cut(tight: Inside, said: bytes) -> None:
    """Silent or dribbling, after request_head_s; honest requests are answered meanwhile."""
    slow = await Raw.to(tight)
    before = refused(tight, "http-slow-head")

    async def dribble() -> None:
        while said:
            await slow.send(b"x")
            await asyncio.sleep(0.05)

    await slow.send(said)
    dribbling = asyncio.create_task(dribble())
    ended = await slow.rest()
    dribbling.cancel()
    await asyncio.gather(dribbling, return_exceptions=True)

    assert ended == b""
    assert refused(tight, "http-slow-head") > before


async def test_a_body_that_drips_is_given_up(tight: Inside) -> None:
    """With 408, in the time that its bytes are worth."""
    slow = await Raw.to(tight)
    head = b"POST /api/auth/create_session HTTP/1.1\r\nHost: localhost\r\n"
    await slow.send(head + b"Content-Length: 9999\r\n\r\n")
    answer = b""
    async with asyncio.timeout(20):
        while b"\r\n\r\n" not in answer:
            slow.writer.write(b" ")
            try:
                async with asyncio.timeout(0.1):
                    answer += await slow.reader.read(4096)
            except TimeoutError:
                continue
    slow.cut()

    assert answer.startswith(b"HTTP/1.1 408")


async def test_a_reader_that_takes_nothing_of_its_answers_is_cut(tight: Inside) -> None:
    """However much it asked for; its answers do not pile up."""
    greedy = await Raw.to(tight)
    before = refused(tight, "http-stuck-reader")
    request = b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    try:
        async with asyncio.timeout(20):
            while not tight.metrics.refusals["http-stuck-reader"] > before:
                greedy.writer.write(request)
                await asyncio.sleep(0.01)
    finally:
        greedy.cut()

    assert refused(tight, "http-stuck-reader") == before + 1


async def test_one_address_gets_so_many_connections(tight: Inside) -> None:
    """The ones beyond are cut; when they are gone there is room again."""
    many = [await Raw.to(tight) for _ in range(100)]
    await becomes(lambda: refused(tight, "http-address-full") >= 20)
    for each in many:
        each.cut()
    fresh = await Raw.to(tight)
    await fresh.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    assert (await fresh.rest()).startswith(b"HTTP/1.1 200")


async def test_one_account_asks_so_often(tight: Inside, ada: Guest) -> None:
    """Whatever its tokens and addresses; others are not told to wait."""
    statuses = [(await ada.post("/api/me"))[0] for _ in range(400)]
    async with tight.visitor() as other:
        others = (await other.post("/api/me"))[0]

    assert 429 in statuses
    assert statuses[:200] == [200] * 200
    assert others == 200


# -- before it is known who it is -----------------------------------------------------------------


async def test_strangers_together_hold_so_much_memory(tight: Inside, ada: Guest) -> None:
    """Each within its own bound; those that hold most are closed until all fit."""
    sockets: list[HocuspocusSocket] = []
    frame = wire.address_prefix("x") + wire.update(bytes(200_000))
    async with Guest(tight) as stranger:
        for _ in range(12):
            socket = await stranger.hocuspocus()
            sockets.append(socket)
            for _ in range(2):
                await socket.send(frame)
        await becomes(lambda: refused(tight, "preauth-process-full") > 0)
        await becomes(lambda: sum(each.held_bytes for each in tight.realtime.connections) < 1 << 20)
        closed = [each for each in sockets if each.code is not None]
        honest = await ada.open("notes")
        await honest.write("words")
        settled = await honest.settled(1)

    assert 0 < len(closed) < len(sockets) + 1
    assert settled[-1]


async def test_half_frames_of_strangers_count_too(tight: Inside) -> None:
    """Bytes that are no whole frame yet are memory like any other."""
    async with Guest(tight) as stranger:
        sockets = [await stranger.hocuspocus() for _ in range(8)]
        responses: list[Any] = [socket._socket._response for socket in sockets]
        transports = [response.connection.transport for response in responses]
        before = refused(tight, "preauth-process-full")
        head = b"\x82\xff" + (400_000).to_bytes(8, "big") + bytes(4)
        for transport in transports:
            transport.write(head + bytes(300_000))
        await becomes(lambda: refused(tight, "preauth-process-full") > before)
        for transport in transports:
            transport.abort()


# -- afterwards ---------------------------------------------------------------------------------


async def test_one_account_opens_so_many_documents(tight: Inside, ada: Guest) -> None:
    """By every door; another account still gets in, and this one when it has closed some."""
    sockets = [await (await ada.y(f"d{n}")).sync() for n in range(5)]
    status = (await ada.http.get("/ws/d6", params={"token": ada.token}, headers=UPGRADE)).status
    hocuspocus = await ada.hocuspocus()
    session = hocuspocus.session("d7")
    await session.show(ada.token)
    denied = await session.denied()
    async with tight.visitor() as other:
        theirs = await (await other.y("notes")).sync()
    await sockets.pop().close()
    again = await ada.open("d8")

    assert (status, denied) == (429, "permission-denied")
    assert theirs.replica.text == ""
    assert again.scopes == ["read-write"]


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


async def test_a_flood_of_presence_slows_down_whoever_makes_it(tight: Inside, ada: Guest) -> None:
    """It is not read for the rest of each second; edits of others in the room go on."""
    flooder = await (await ada.y("room")).sync()
    writer = await (await ada.y("room")).sync()
    before = tight.metrics.awareness_in
    for clock in range(1, 2000):
        await flooder.send(presence(clock))
    await becomes(lambda: any("budget" in each._held for each in tight.realtime.connections))
    await writer.stored(await writer.write("x"))
    await becomes(lambda: tight.metrics.awareness_in - before == 1999, 60)  # Late, and not lost.

    assert writer.replica.text == "x"


def presence(clock: int) -> bytes:
    """A presence frame of one client."""
    body = b"\x01\x05" + bytes([clock & 127 | 128, clock >> 7]) + b"\x02{}"
    return b"\x01" + bytes([len(body)]) + body


async def test_a_document_does_not_grow_beyond_its_bound_by_any_door(
    postgres: str, tmp_path: Path
) -> None:
    """Sockets of each dialect and REST refuse the same; nothing of it is stored."""
    small = {"document_bytes_max": 50_000, "update_bytes_max": 40_000, "frame_bytes_max": 45_000}
    async with (
        fresh_database(postgres) as database,
        serving(database, tmp_path, **small) as inside,
        inside.visitor() as guest,
    ):
        replica = Replica()
        first, second = replica.insert("a" * 30_000), replica.insert("b" * 30_000)
        y = await (await guest.y("large")).sync()
        await y.send(wire.update(first))
        await y.stored(first)
        hocuspocus = await guest.open("large")
        await hocuspocus.send(wire.update(second))
        await hocuspocus.until(lambda: False in hocuspocus.statuses)
        await y.send(wire.update(second))
        code = await y.closed()
        rest, answer, _ = await guest.post("/d/large/update", data=second)
        huge, _, _ = await guest.post("/d/large/update", data=Replica().insert("c" * 60_000))
        record = await inside.record(guest, "large")
        sizes = await inside.store.sizes(record.id)

    assert code == 4413
    assert (rest, huge) == (413, 413), answer
    assert sizes.rows == 1
    with pytest.raises(Closed):
        await y.until(lambda: False)
