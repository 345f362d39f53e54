"""Any socket: heard or let go, bounded in what it holds, told why it is closed."""

from __future__ import annotations

import asyncio
import errno
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from uuid import uuid4

import psutil
import pytest
from aiohttp import WSServerHandshakeError

from crdt import wire
from crdt.awareness import Entry, encode
from crdt.wire.lib0 import var_uint
from server.realtime.codes import MALFORMED, OVERLOADED, TIMEOUT, TOO_MANY
from tests.clients import YClient
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S, in_time, prompt, until
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

KIB, MIB = 1 << 10, 1 << 20


def name_of() -> str:
    """A document's name that nobody used before."""
    return f"doc-{uuid4().hex[:8]}"


# -- too much ---------------------------------------------------------------------------


async def send_on(client: YClient, data: bytes) -> None:
    """Send although the server has stopped listening."""
    try:
        await client.send(data)
    except ConnectionError:
        return


async def test_a_frame_over_its_bound_closes_with_1009(ada: Guest) -> None:
    """The sender hears it although it is still sending; else it would come back and send again."""
    for client in (await ada.y(name_of()), await ada.hocuspocus()):
        sending = asyncio.create_task(send_on(client, bytes(17 * MIB)))

        assert await client.closed() == 1009
        await sending


async def test_the_reason_reaches_a_peer_that_is_still_sending(ada: Guest) -> None:
    """A close code that is lost to a reset would be a reconnect, and the same again."""
    for _ in range(5):
        client = await (await ada.y(name_of())).sync()
        frames = [wire.update(client.replica.insert("x" * 1000)) for _ in range(300)]
        frames.insert(10, b"\x00\x07")

        await asyncio.gather(*(send_on(client, frame) for frame in frames))

        assert await client.closed() == MALFORMED


async def test_nothing_large_is_kept_for_a_peer_that_is_not_let_in(serve: Serve) -> None:
    """Before a document is open a frame may have preauth_bytes_max; after that frame_bytes_max."""
    inside = await serve(preauth_bytes_max=100 * KIB)
    async with inside.visitor() as guest:
        stranger = await guest.hocuspocus()
        await stranger.send(bytes(200 * KIB))
        assert await stranger.closed() == 1009

        session = await guest.open("a")
        await session.write("x" * 200 * KIB)
        await session.settled(2)


# -- alive ------------------------------------------------------------------------------


@prompt
async def test_a_silent_socket_hears_something_within_the_keepalive(serve: Serve) -> None:
    """An empty awareness frame on every dialect, again and again, and nobody is closed."""
    inside = await serve(keepalive_s=0.5, sweep_s=0.02, idle_s=30)
    async with inside.visitor() as guest:
        y, session = await (await guest.y("a")).sync(), await guest.open("a")
        sweet = await (await guest.sweet("a", await guest.document_token("a"))).sync()
        started = time.monotonic()
        for client in (y, session, sweet):
            await client.until(lambda c=client: len(c.payloads(wire.AWARENESS)) >= 3)
            assert set(client.payloads(wire.AWARENESS)) == {b"\x00"}
        in_time(time.monotonic() - started, 0.5 * 3 + 1)


@prompt
async def test_the_keepalive_is_never_later_than_its_setting(serve: Serve) -> None:
    """Providers drop a server that is silent for 30 s: no two frames are further apart."""
    inside = await serve(keepalive_s=1.0, sweep_s=0.1, idle_s=30)
    async with inside.visitor() as guest:
        clients = [await (await guest.y(f"a{n}")).sync() for n in range(10)]
        heard = {client: [time.monotonic()] for client in clients}
        for client in clients:
            client.on_frame = lambda _, c=client: heard[c].append(time.monotonic())  # type: ignore[method-assign]
        await until(lambda: all(len(times) > 2 for times in heard.values()))

    gaps = [b - a for times in heard.values() for a, b in pairwise(times)]
    in_time(max(gaps), 1.0 + 0.15)  # The event loop of a busy machine comes on top.


async def test_a_dead_peer_is_let_go_and_a_silent_one_is_not(serve: Serve) -> None:
    """Pings are answered by whoever is alive; who answers nothing is closed with 4408."""
    inside = await serve(idle_s=1.5, keepalive_s=0.3, sweep_s=0.02)
    async with inside.visitor() as guest:
        alive = await (await guest.y("a")).sync()
        dead = await guest.y("a", autoping=False)

        assert await dead.closed() == TIMEOUT
        await alive.sync()
        assert alive.code is None


# -- slow readers -----------------------------------------------------------------------


class Stubborn:
    """A socket that joins and then reads nothing until it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def join(cls, guest: Guest, name: str) -> Stubborn:
        """Do the handshake by hand and ask for the document."""
        port = int(guest.url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        step1 = wire.step1(b"\x00")
        writer.write(
            f"GET /ws/{name}?token={guest.token} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
            + bytes([0x82, 0x80 | len(step1), 0, 0, 0, 0])
            + step1
        )
        await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    async def frames(self, last: bytes) -> list[bytes]:
        """Read on to the frame in which something stands; the payloads."""
        found = [b""]
        async with asyncio.timeout(PATIENCE_S):
            while last not in found[-1]:
                _, size = await self.reader.readexactly(2)
                if size > 125:
                    length = await self.reader.readexactly(2 if size == 126 else 8)
                    size = int.from_bytes(length, "big")
                found.append(await self.reader.readexactly(size))
        return found

    async def close(self) -> None:
        """Go."""
        self.writer.transport.abort()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


async def blocked(inside: Inside, guest: Guest, name: str, mib: int) -> tuple[Stubborn, YClient]:
    """A reader that stopped reading while a writer sent so much, all stored."""
    slow = await Stubborn.join(guest, name)
    writer = await (await guest.y(name)).sync()
    for _ in range(mib * 4):
        await writer.stored(await writer.write("x" * 250 * KIB))
        await writer.send(wire.update(writer.replica.delete(0, 250 * KIB)))
    await until(lambda: inside.metrics.fell_behind > 0)
    return slow, writer


async def test_a_slow_reader_catches_up_with_one_difference(serve: Serve) -> None:
    """What it missed comes as one update when it reads again, far smaller than what was sent."""
    inside = await serve(outbox_stuck_s=60)
    async with inside.visitor() as guest:
        slow, writer = await blocked(inside, guest, "a", 24)
        await writer.stored(await writer.write("the end"))

        frames = await slow.frames(b"the end")
        await slow.close()

    assert sum(map(len, frames)) < 12 * MIB
    assert inside.metrics.caught_up >= 1


async def test_a_reader_that_takes_nothing_is_cut_off(serve: Serve) -> None:
    """After outbox_stuck_s; everybody else goes on."""
    inside = await serve(outbox_stuck_s=0.5, sweep_s=0.02)
    async with inside.visitor() as guest:
        slow, writer = await blocked(inside, guest, "a", 16)
        await until(lambda: inside.metrics.aborted == 1)
        await writer.stored(await writer.write("fine"))
        await slow.close()

    assert len(inside.realtime.connections) <= 1


async def test_a_reader_on_a_slow_line_is_not_cut_off(serve: Serve) -> None:
    """A large first sync that takes longer than outbox_stuck_s, but moves, is let through."""
    inside = await serve(outbox_stuck_s=1.0, sweep_s=0.02)
    async with inside.visitor() as guest:
        writer = await (await guest.y("large")).sync()
        for _ in range(6):
            await writer.stored(await writer.write("x" * 2 * MIB))
        slow = await Stubborn.join(guest, "large")
        started = time.monotonic()
        got = 0
        while got < 12 * MIB:
            got += len(await slow.reader.readexactly(256 * KIB))
            await asyncio.sleep(0.07)
        await slow.close()

    assert time.monotonic() - started > 3 * 1.0
    assert inside.metrics.aborted == 0


# -- floods -----------------------------------------------------------------------------


async def test_a_flood_of_questions_in_one_segment_is_answered_once(serve: Serve) -> None:
    """Thousands of step 1 in 20 kB would otherwise be thousands of copies of the document."""
    inside = await serve()
    async with inside.visitor() as guest:
        writer = await (await guest.y("a")).sync()
        await writer.stored(await writer.write("x" * 200_000))
        flooder = await (await guest.y("a")).sync()
        sent = inside.realtime.turns.bytes_out

        await flooder.send(wire.step1(b"\x00") * 2000)
        await flooder.sync()

        assert inside.realtime.turns.bytes_out - sent < 5 * MIB


async def test_a_flood_of_questions_for_presence_is_answered_once(serve: Serve) -> None:
    """Likewise for awareness: a question of one byte, an answer of many."""
    inside = await serve()
    async with inside.visitor() as guest:
        writer = await (await guest.y("a")).sync()
        state = b'"' + b"x" * 10_000 + b'"'
        await writer.send(wire.awareness(encode([Entry(n, 1, state) for n in range(1, 30)])))
        flooder = await (await guest.y("a")).sync()
        await flooder.until(lambda: flooder.payloads(wire.AWARENESS))

        sent = inside.realtime.turns.bytes_out

        await flooder.send(wire.query_awareness() * 3000)
        await flooder.sync()

        assert inside.realtime.turns.bytes_out - sent < 5 * MIB


# -- budgets ----------------------------------------------------------------------------


@prompt
async def test_a_peer_over_its_budget_of_frames_waits_and_is_sent_away_in_the_end(
    serve: Serve,
) -> None:
    """Over it for a second, it is not read for the rest; over it for long, 4429."""
    inside = await serve(frames_per_s_max=50, budget_strikes_max=2)
    async with inside.visitor() as guest:
        flooder, other = await (await guest.y("a")).sync(), await guest.open("b")
        started = time.monotonic()
        written = 0
        while flooder.code is None:
            await asyncio.gather(*(send_on(flooder, wire.awareness(b"\x00")) for _ in range(60)))
            await other.write("fine")
            await other.settled(written + 2)
            written += 1
            await asyncio.sleep(0.1)

        assert flooder.code == TOO_MANY
        took = time.monotonic() - started
        assert took > 1
        assert other.socket.code is None
        in_time(took, 8)


async def test_a_peer_over_its_budget_of_bytes_is_read_more_slowly(serve: Serve) -> None:
    """Ten megabytes at four a second take two seconds; nothing of them is lost."""
    inside = await serve(bytes_per_s_max=4 * MIB, budget_strikes_max=60)
    async with inside.visitor() as guest:
        client = await (await guest.y("a")).sync()
        started = time.monotonic()
        last = b""
        for _ in range(40):
            last = client.replica.insert("x" * 256 * KIB)
            await client.send(wire.update(last))
        await client.stored(last)

        assert time.monotonic() - started > 1
        assert len(await guest.stored_text("a")) == 40 * 256 * KIB


@prompt
async def test_so_many_handshakes_a_second_and_no_more(serve: Serve) -> None:
    """A storm is told to come back: 503 with a wait; the next second lets more in."""
    inside = await serve(handshakes_per_s_max=10)
    async with inside.visitor() as guest:
        started = time.monotonic()
        ended = await asyncio.gather(*(guest.y("a") for _ in range(40)), return_exceptions=True)
        in_time(time.monotonic() - started, 2)
        refused = [one for one in ended if isinstance(one, WSServerHandshakeError)]
        assert {error.status for error in refused} == {503}
        assert 10 <= len(ended) - len(refused) <= 30
        await asyncio.sleep(1)

        await (await guest.y("a")).sync()
    assert inside.metrics.refusals["handshakes-full"] == len(refused)


@prompt
async def test_one_address_does_not_use_up_the_handshakes_of_the_others(serve: Serve) -> None:
    """Over its own share an address is told 429, and what it tried beyond is nobody's loss."""
    inside = await serve(
        handshakes_per_s_max=30, handshakes_per_address_per_s_max=10, trusted_proxies=("127.0.0.1",)
    )
    async with inside.visitor() as guest:
        here, there = ({"X-Forwarded-For": f"2001:db8:0:{n}::{n}"} for n in (1, 2))
        # Both crowds within one second of the server's clock.
        await asyncio.sleep(1 - asyncio.get_running_loop().time() % 1)
        started = time.monotonic()
        ended = await asyncio.gather(
            *(guest.y("a", headers=here) for _ in range(40)),
            *(guest.y("a", headers=there) for _ in range(5)),
            return_exceptions=True,
        )
        in_time(time.monotonic() - started, 1)

    refused = [one for one in ended[:40] if isinstance(one, WSServerHandshakeError)]
    assert {error.status for error in refused} == {429}
    assert 10 <= 40 - len(refused) <= 20
    assert not [one for one in ended[40:] if isinstance(one, Exception)]


@pytest.mark.parametrize("dialect", ["y-websocket", "hocuspocus"])
async def test_a_middling_update_of_many_structs_is_looked_at_by_a_helper(
    ada: Guest, dialect: str
) -> None:
    """100 kB of small structs take our own decoder 20 ms, in which nobody would be answered."""
    name = name_of()
    letters = b"\x04\x01\x01t\x01a" * 20_000
    update = b"\x01" + var_uint(20_000) + b"\x05\x00" + letters + b"\x00"
    client = await ada.open(name) if dialect == "hocuspocus" else await (await ada.y(name)).sync()
    ada.inside.documents.workers.close()
    before = set(psutil.Process().children())

    await client.send(wire.update(update))
    await until(lambda: set(psutil.Process().children()) - before)

    witness = await ada.open(name)
    await witness.until(
        lambda: [
            data for _, data in witness.heard if isinstance(data, bytes) and len(data) > 100_000
        ]
    )


async def test_an_update_that_nobody_could_look_at_is_not_called_malformed(
    ada: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is out of processes: the client is told to come back, and is let in again."""

    def submit(*_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    name = "out-of-processes"
    client = await (await ada.y(name)).sync()
    update = client.replica.insert("x" * 300 * KIB)
    with monkeypatch.context() as patch:
        patch.setattr(ProcessPoolExecutor, "submit", submit)
        await client.send(wire.update(update))
        assert await client.closed() == OVERLOADED

    again = await (await ada.y(name, replica=client.replica)).sync()
    await again.send(wire.update(update))
    await again.stored(update)
