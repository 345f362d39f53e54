"""Open documents in which nobody writes are kept as bytes, and nobody notices."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from crdt import wire
from crdt.awareness import Entry, encode
from crdt.sleeping import LIGHT_BYTES
from server.feed import FEED
from server.live import LiveRoom
from tests.clients import YClient
from tests.inside import Guest, Inside, serving
from tests.patience import until


async def _room(inside: Inside, guest: Guest, name: str = "doc") -> LiveRoom:
    live = inside.documents.peek((await inside.record(guest, name)).id)
    assert live is not None
    return live


async def _opened(guest: Guest) -> YClient:
    return await (await guest.y("doc")).sync()


def _asleep(live: LiveRoom) -> Callable[[], bool]:
    return lambda: live.room.document.is_asleep


async def test_who_edits_once_leaves_bytes_and_who_goes_on_does_not(
    database: str, tmp_path: Path
) -> None:
    """The first edit for long finds it asleep and leaves it so; the second wakes it."""
    async with serving(database, tmp_path, room_doze_s=600.0) as inside, inside.visitor() as guest:
        reader, writer = await _opened(guest), await _opened(guest)
        live = await _room(inside, guest)

        await writer.stored(await writer.write("one"))
        assert live.room.document.is_asleep
        await writer.stored(await writer.write(" two"))
        assert not live.room.document.is_asleep

        await until(lambda: reader.replica.text == "one two")


async def test_quiet_lets_it_sleep_and_the_next_edit_wakes_it(
    database: str, tmp_path: Path
) -> None:
    """Those who are there, who come, and the feed see all of it at any time."""
    async with (
        serving(database, tmp_path, room_doze_s=0.1, sweep_s=0.02) as inside,
        inside.visitor() as guest,
    ):
        writer = await _opened(guest)
        live = await _room(inside, guest)
        for word in ("a", "b", "c"):
            await writer.stored(await writer.write(word))
        await until(_asleep(live))

        newcomer = await _opened(guest)
        assert newcomer.replica.text == "abc"
        await inside.app[FEED].settle(live.record.scope)
        assert live.room.document.is_asleep

        for word in ("d", "e"):
            await newcomer.stored(await newcomer.write(word))
        await until(lambda: writer.replica.text == "abcde")
        await until(_asleep(live))
        assert len(live.room.sessions) == 2


async def test_one_that_cannot_sleep_is_left_alone_until_an_edit(
    database: str, tmp_path: Path
) -> None:
    """It is not encoded anew at each sweep."""
    async with (
        serving(database, tmp_path, room_doze_s=0.1, sweep_s=0.02) as inside,
        inside.visitor() as guest,
    ):
        writer = await _opened(guest)
        live = await _room(inside, guest)
        await writer.stored(await writer.write("x" * LIGHT_BYTES))
        await until(lambda: live.written_at == math.inf)
        assert not live.room.document.is_asleep

        await writer.stored(await writer.write("y"))
        await until(lambda: live.written_at < math.inf)
        await until(lambda: live.written_at == math.inf)


async def test_sleeping_rooms_survive_a_crowd_of_edits_and_pauses(
    database: str, tmp_path: Path
) -> None:
    """Two who write in turns with pauses around the limit end with the same text, all stored."""
    async with (
        serving(database, tmp_path, room_doze_s=0.02, sweep_s=0.01) as inside,
        inside.visitor() as guest,
    ):
        one, two = await _opened(guest), await _opened(guest)
        for number in range(12):
            author = (one, two)[number % 2]
            await author.stored(await author.write(f"{number} "))
            await asyncio.sleep(0.005 * (number % 7))
        await until(lambda: one.replica.text == two.replica.text)
        assert sorted(one.replica.text.split(), key=int) == [str(n) for n in range(12)]
        assert (await _opened(guest)).replica.text == one.replica.text


async def test_a_room_in_which_time_changes_nothing_is_not_told_of_it(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until somebody writes, or shows a cursor: that one goes when it was silent for long."""
    told: list[LiveRoom] = []
    tick = LiveRoom.tick

    def noted(live: LiveRoom) -> None:
        told.append(live)
        tick(live)

    monkeypatch.setattr(LiveRoom, "tick", noted)
    async with serving(database, tmp_path, sweep_s=9.0) as inside, inside.visitor() as guest:
        writer = await _opened(guest)
        live = await _room(inside, guest)
        now = live.documents.turns.clock()

        inside.documents.sweep(now + 1)
        assert told == []

        await writer.stored(await writer.write("word"))
        for _ in range(3):
            inside.documents.sweep(now + 1)
        assert told == [live, live]  # The second one finds nothing new, and lets go of repeats.

        await writer.send(wire.awareness(encode([Entry(7, 1, b"{}")])))
        await until(lambda: not live.room.cursors.is_idle)
        for _ in range(3):
            inside.documents.sweep(now + 1)
        assert told == [live] * 5
