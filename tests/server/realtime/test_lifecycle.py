"""The end of a server: nothing that was sent is lost, everybody is told to come back later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from crdt import wire
from server.app import Server
from server.realtime.codes import RESTART
from server.settings import Settings
from tests.clients import Closed, Replica, Visitor, YClient
from tests.inside import Guest, Inside, serving
from tests.patience import in_time, prompt, until
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def head_locked(inside: Inside, name: str, guest: Guest) -> AsyncIterator[None]:
    """Nothing is committed for a document until the block ends."""
    record = await inside.record(guest, name)
    async with inside.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM heads WHERE document = $1 FOR UPDATE", record.id)
        yield


async def test_everybody_is_told_1012(serve: Serve) -> None:
    """Each dialect, idle or not let in yet."""
    inside = await serve()
    async with inside.visitor() as guest:
        y = await (await guest.y("a")).sync()
        session = await guest.open("a")
        sweet = await (await guest.sweet("a", await guest.document_token("a"))).sync()
        stranger = await guest.hocuspocus()

        await inside.server.stop()

        for socket in (y, session.socket, sweet, stranger):
            assert await socket.closed() == RESTART


async def test_what_was_sent_is_committed_before_the_end(serve: Serve) -> None:
    """A commit that is held up while the server is told to stop is waited for and confirmed."""
    inside = await serve(shutdown_grace_s=5)
    async with inside.visitor() as guest:
        session = await guest.open("a")
        await session.settled(1)
        async with head_locked(inside, "a", guest):
            await session.write("kept")
            await until(lambda: inside.documents.flusher.unsaved_rows == 1)
            stopping = asyncio.create_task(inside.server.stop())
            await until(lambda: inside.realtime.draining)
            assert session.statuses == [True]
        await stopping

        assert await session.socket.closed() == RESTART
        assert session.statuses == [True, True]
        document = (await inside.record(guest, "a")).id
    assert (await inside.store.load(document)).head == 1


async def test_what_arrives_while_sockets_are_closed_is_stored_or_not_confirmed(
    serve: Serve,
) -> None:
    """Writers go on through the whole shutdown: every confirmed update is in the log."""
    inside = await serve(shutdown_grace_s=1)
    async with inside.visitor() as guest:
        sessions = [await guest.open(f"doc-{n % 3}") for n in range(30)]

        async def type_on(number: int) -> int:
            session, confirmed = sessions[number], 0
            try:
                while True:
                    await session.write(f"<{number}:{confirmed}>")
                    await session.settled(confirmed + 2)
                    confirmed += 1
            except (Closed, ConnectionError, aiohttp.ClientError):
                return len(session.statuses) - 1

        typing = [asyncio.create_task(type_on(number)) for number in range(30)]
        await until(lambda: sum(len(session.statuses) - 1 for session in sessions) > 100)
        await inside.server.stop()
        confirmed = await asyncio.gather(*typing)

        for name in ("doc-0", "doc-1", "doc-2"):
            replica = Replica()
            loaded = await inside.store.load((await inside.record(guest, name)).id)
            if loaded.snapshot is not None:
                replica.apply(loaded.snapshot)
            for row in loaded.rows:
                replica.apply(row.data)
            for number in range(int(name[-1]), 30, 3):
                words = [f"<{number}:{n}>" for n in range(confirmed[number])]
                assert all(word in replica.text for word in words)
        assert {session.socket.code for session in sessions} == {RESTART}
    assert sum(confirmed) > 100


async def test_nobody_joins_a_server_that_is_going(serve: Serve) -> None:
    """503 for a handshake on a connection that is open; a new document on an open socket waits."""
    inside = await serve(shutdown_grace_s=5)
    async with inside.visitor() as guest:
        session = await guest.open("a")
        host, port = guest.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /api/health HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        assert b" 200 " in await reader.readline()
        async with head_locked(inside, "a", guest):
            await session.write("held up")
            await until(lambda: inside.documents.flusher.unsaved_rows == 1)
            stopping = asyncio.create_task(inside.server.stop())
            await until(lambda: inside.realtime.draining)
            late = session.socket.session("late")
            await late.show(guest.token)
            await late.send(wire.step1(b"\x00"))
            writer.write(
                f"GET /ws/a?token={guest.token} HTTP/1.1\r\nHost: {host}:{port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
            )
            said = b""
            while b" 503 " not in said and b" 101 " not in said:
                said = await reader.readline()
                assert said, "closed without an answer"
        await stopping
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

        assert b" 503 " in said
        assert late.payloads(wire.STEP2) == []
        assert await session.socket.closed() == RESTART


@prompt
async def test_closing_is_spread_over_the_grace_period(serve: Serve) -> None:
    """A hundred connections are not told in one moment, lest they come back in one."""
    inside = await serve(shutdown_grace_s=1.0)
    async with inside.visitor() as guest:
        clients = [await guest.y("a") for _ in range(100)]
        ended: list[float] = []

        async def watch(client: YClient) -> None:
            await client.closed()
            ended.append(time.monotonic())

        watching = [asyncio.create_task(watch(client)) for client in clients]
        started = time.monotonic()
        await inside.server.stop()
        took = time.monotonic() - started
        await asyncio.gather(*watching)

    assert {client.code for client in clients} == {RESTART}
    assert max(ended) - min(ended) > 0.5
    in_time(took, 1.0 + 2.5)


@prompt
async def test_a_database_that_hangs_does_not_hold_up_the_end(serve: Serve) -> None:
    """What cannot be committed in the grace period stays unconfirmed; the server goes."""
    inside = await serve(shutdown_grace_s=0.2)
    async with inside.visitor() as guest:
        session = await guest.open("a")
        await session.settled(1)
        async with head_locked(inside, "a", guest):
            await session.write("never confirmed")
            await until(lambda: inside.documents.flusher.unsaved_rows == 1)
            started = time.monotonic()
            await inside.server.stop()

        took = time.monotonic() - started
        assert session.statuses == [True]
        in_time(took, 10)


async def test_a_server_starts_again_where_it_left_off(
    database_of_module: str, tmp_path: Path
) -> None:
    """Stopped and started: the same keys, the same documents, tokens that still hold."""
    async with serving(database_of_module, tmp_path) as first, first.visitor() as guest:
        client = await (await guest.y("a")).sync()
        await client.stored(await client.write("kept"))
        settings, token = first.settings, guest.token
        await first.server.stop()
        second = Server(settings)
        await second.start()
        try:
            async with Visitor(second.address, token) as again:
                assert (await (await again.y("a")).sync()).replica.text == "kept"
        finally:
            await second.stop()


async def test_stopping_twice_and_stopping_what_never_started_does_no_harm(tmp_path: Path) -> None:
    """An operator's second Ctrl-C finds nothing to break."""
    server = Server(Settings(port=0, data=tmp_path / "data"))
    await server.stop()
    await server.stop()
