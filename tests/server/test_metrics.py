"""Each counter moves when what it counts happens, and Prometheus is shown all of them."""

from __future__ import annotations

import asyncio
import base64
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from crdt import wire
from crdt.awareness import Entry, encode
from server.metrics import COUNTERS
from tests.clients import becomes
from tests.inside import Guest, Inside, serving

Start = Callable[..., Awaitable[tuple[Inside, Guest]]]

MOVED_ELSEWHERE = {
    "quarantined": "tests/server/test_documents.py",
    "load_errors": "tests/server/test_documents.py",
}
"""Counters whose movement is asserted where their cause is tested."""


@pytest.fixture
async def start(database: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a server with settings of the test's own, and somebody who uses it."""
    async with AsyncExitStack() as stack:

        async def begin(**changes: Any) -> tuple[Inside, Guest]:
            inside = await stack.enter_async_context(serving(database, tmp_path, **changes))
            return inside, await stack.enter_async_context(inside.visitor())

        yield begin


async def two_people_write(start: Start) -> Inside:
    """Two editors in one document, with a cursor."""
    inside, guest = await start()
    one, two = await (await guest.y("doc")).sync(), await (await guest.y("doc")).sync()
    await one.send(wire.awareness(encode([Entry(7, 1, b'{"name":"ada"}')])))
    await one.stored(await one.write("hello"))
    await two.until(lambda: two.replica.text == "hello")
    await two.until(lambda: two.payloads(wire.AWARENESS))
    return inside


async def nobody_says_a_word(start: Start) -> Inside:
    """A connection that is silent for longer than the keep-alive."""
    inside, guest = await start(keepalive_s=0.6, sweep_s=0.05)
    client = await (await guest.y("doc")).sync()
    await client.until(lambda: client.payloads(wire.AWARENESS))
    return inside


async def a_log_gets_long(start: Start) -> Inside:
    """More rows than a snapshot is due for."""
    inside, guest = await start(compact_rows=3)
    client = await (await guest.y("doc")).sync()
    for letter in "abcdef":
        await client.stored(await client.write(letter))
    await becomes(lambda: inside.metrics.compactions)
    return inside


async def a_fault_of_ours(start: Start) -> Inside:
    """A room whose turn raises what nobody foresaw."""
    inside, guest = await start()
    client = await (await guest.y("doc")).sync()
    live = inside.documents.peek((await inside.record(guest, "doc")).id)
    assert live is not None
    live.room.cursors = None  # type: ignore[assignment]
    await client.send(wire.query_awareness())
    await client.closed()
    return inside


class Deaf:
    """A client that joins a document and then reads only when it is told to."""

    def __init__(self, guest: Guest, name: str) -> None:
        self._guest = guest
        self._name = name

    async def join(self) -> None:
        """Shake hands, and hear no more than that."""
        place = urlsplit(self._guest.url)
        # A small limit: the stream stops the socket when nobody takes what it has.
        self._reader, self._writer = await asyncio.open_connection(
            place.hostname, place.port, limit=1024
        )
        key = base64.b64encode(os.urandom(16)).decode()
        self._writer.write(
            f"GET /ws/{self._name}?token={self._guest.token} HTTP/1.1\r\nHost: {place.netloc}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        assert b"101" in await self._reader.readline()

    async def listen(self, until: Callable[[], object]) -> None:
        """Read on until something holds."""
        async with asyncio.timeout(20):
            while not until():
                await self._reader.read(1 << 20)

    async def leave(self) -> None:
        """Hang up."""
        self._writer.close()


async def flood(inside: Inside, guest: Guest, until: Callable[[], object]) -> None:
    """Write until something happens to a slow reader."""
    writer = await (await guest.y("doc")).sync()
    for _ in range(400):
        if until():
            return
        await writer.stored(await writer.write("x" * 100_000))
    assert until(), inside.metrics.snapshot()


async def a_reader_stops_and_reads_again(start: Start) -> Inside:
    """Its outbox fills, then one difference brings it up to date."""
    inside, guest = await start(outbox_bytes_max=65_536, outbox_stuck_s=60)
    deaf = Deaf(guest, "doc")
    await deaf.join()
    await flood(inside, guest, lambda: inside.metrics.fell_behind)
    await deaf.listen(lambda: inside.metrics.caught_up)
    await deaf.leave()
    return inside


async def a_reader_stops_for_good(start: Start) -> Inside:
    """Its connection is cut after a while."""
    inside, guest = await start(outbox_bytes_max=65_536, outbox_stuck_s=0.3, sweep_s=0.05)
    deaf = Deaf(guest, "doc")
    await deaf.join()
    await flood(inside, guest, lambda: inside.metrics.fell_behind)
    await becomes(lambda: inside.metrics.aborted)
    await deaf.leave()
    return inside


SCENES: dict[str, tuple[Callable[[Start], Awaitable[Inside]], set[str]]] = {
    "writing": (
        two_people_write,
        {
            *("connections", "joins", "frames_in", "bytes_in", "updates_in", "updates_out"),
            *("awareness_in", "awareness_out", "acknowledged", "loads"),
        },
    ),
    "silence": (nobody_says_a_word, {"keepalives"}),
    "long-log": (a_log_gets_long, {"compactions"}),
    "fault": (a_fault_of_ours, {"room_failures"}),
    "slow-reader": (a_reader_stops_and_reads_again, {"fell_behind", "caught_up"}),
    "stuck-reader": (a_reader_stops_for_good, {"aborted"}),
}
"""What happens, and the counters that it moves."""


@pytest.mark.parametrize("scene", SCENES)
async def test_each_counter_moves_when_what_it_counts_happens(start: Start, scene: str) -> None:
    """A counter that stays at zero while its cause happens would be worse than none."""
    play, counters = SCENES[scene]

    inside = await play(start)

    still = {name for name in counters if not getattr(inside.metrics, name)}
    assert not still


def test_no_counter_is_left_out() -> None:
    """Every counter is moved by a scene here, or by the test that is named for it."""
    moved = set().union(*(counters for _, counters in SCENES.values()), MOVED_ELSEWHERE)

    assert moved == set(COUNTERS)


async def test_refusals_are_counted_by_their_reason(start: Start) -> None:
    """A malformed update is one more refusal under its own word."""
    inside, guest = await start()
    client = await (await guest.y("doc")).sync()

    await client.send(wire.update(b"\xff"))
    await client.closed()

    assert inside.metrics.refusals["malformed"] == 1


async def test_prometheus_is_shown_every_counter_and_the_commits(start: Start) -> None:
    """All names are in the exposition, with numbers that fit each other."""
    _, guest = await start(metrics_token="show-me")
    client = await (await guest.y("doc")).sync()
    await client.stored(await client.write("hello"))

    status, body = await guest.get("/metrics", token="show-me")

    text = body.decode()
    assert status == 200
    for name in COUNTERS:
        assert re.search(rf"^plait_{name}_total \d", text, re.MULTILINE), name
    for name in ("rooms", "sessions", "connections_open", "unsaved_bytes"):
        assert re.search(rf"^plait_{name} \d", text, re.MULTILINE), name
    commits = re.search(r"^plait_commit_seconds_count (\d+)", text, re.MULTILINE)
    rows = re.search(r"^plait_log_rows_total (\d+)", text, re.MULTILINE)
    assert commits is not None
    assert rows is not None
    assert int(commits[1]) >= 1
    assert int(rows[1]) >= 1


async def test_health_shows_the_same_counters(start: Start) -> None:
    """`diagnostics.realtime` of /api/health holds what the metrics hold."""
    inside, guest = await start()
    client = await (await guest.y("doc")).sync()
    await client.stored(await client.write("hello"))

    async with guest.http.get("/api/health") as answer:
        shown = (await answer.json())["diagnostics"]["realtime"]

    assert shown["updates_in"] == inside.metrics.updates_in == 1
    assert shown["rooms"] == 1
    assert shown["connections_open"] == 1
    assert set(COUNTERS) <= shown.keys()
