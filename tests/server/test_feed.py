"""The change feed of a process: settled on demand and by the sweeper."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from server.feed import FEED, Feed, pause_after
from storage.changes import Settled
from storage.errors import Unavailable
from tests.inside import Guest, Inside, fresh_database, serving
from tests.patience import PATIENCE_S, until
from tests.server.adapters.heaps.conftest import ada, inside
from tests.server.adapters.heaps.device import Device, meta
from tests.storage.wire_cutter import WireCutter

__all__ = ["ada", "inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def feed(inside: Inside) -> Feed:
    """The server's own."""
    return inside.app[FEED]


async def test_the_sweeper_settles_what_nobody_asks_for(inside: Inside, ada: Guest) -> None:
    """Listeners hear of a change without a question."""
    heard: list[Settled] = []
    news = asyncio.Event()

    def listen(settled: list[Settled]) -> None:
        heard.extend(one for one in settled if one.scope == ada.workspace)
        if heard:
            news.set()

    end = feed(inside).listen(listen)
    device = Device(ada)
    block = device.write("a")
    await device.push(block)
    async with asyncio.timeout(PATIENCE_S):
        await news.wait()
    end()

    (one,) = heard
    assert (one.name, one.deleted, one.was_deleted, one.kind) == (block, False, None, "block")
    assert one.facts is not None


async def test_everything_committed_before_the_question_is_in_the_answer(
    inside: Inside, ada: Guest
) -> None:
    """Also when many ask at once, while devices write: each sees what was stored when it asked."""
    device = Device(ada)
    stored: set[str] = set()
    done = asyncio.Event()

    async def write_on(number: int) -> None:
        chance = random.Random(number)
        for _ in range(15):
            blocks = [device.write("x") for _ in range(chance.randint(1, 4))]
            await device.push(*blocks)
            stored.update(blocks)

    async def ask_on() -> None:
        other = Device(ada)
        known: set[str] = set()
        while not done.is_set():
            before = set(stored)
            changed, _ = await other.changes()
            known.update(changed)
            assert before <= known

    asking = [asyncio.create_task(ask_on()) for _ in range(6)]
    await asyncio.gather(*(write_on(number) for number in range(4)))
    done.set()
    await asyncio.gather(*asking)


async def test_sweeping_takes_a_twentieth_of_the_time_and_a_fiftieth_where_much_is_new() -> None:
    """Four times a second where it is quick, and every five seconds however long it takes."""
    few = [pause_after(took, 49) for took in (0.0, 0.01, 0.1, 30.0)]
    many = [pause_after(took, 50) for took in (0.0, 0.01, 0.1, 30.0)]

    assert few == pytest.approx([0.25, 0.25, 1.9, 5.0])
    assert many == pytest.approx([0.25, 0.49, 4.9, 5.0])


async def test_a_listener_that_fails_keeps_the_news_from_nobody(
    inside: Inside, ada: Guest, caplog: pytest.LogCaptureFixture
) -> None:
    """Its fault is logged."""
    heard: list[str] = []

    def broken(_settled: list[Settled]) -> None:
        raise ValueError("a listener's own")

    ends = [
        feed(inside).listen(broken),
        feed(inside).listen(lambda settled: heard.extend(one.name for one in settled)),
    ]
    device = Device(ada)
    block = device.write("a")
    await device.push(block)
    await device.changes()
    await until(
        lambda: block in heard
    )  # The sweeper may have settled it, and tell of it a moment later.
    for end in ends:
        end()

    assert "a listener of the change feed failed" in caplog.text


async def test_a_block_that_was_deleted_for_good_closes_its_editors(
    inside: Inside, ada: Guest
) -> None:
    """Those here at once, and nothing more is taken."""
    device = Device(ada)
    block = device.write("a")
    await device.push(block)
    editor = await ada.open(f"{ada.workspace}:{block}")
    meta(device.blocks[block], permanentlyDeletedAt=5)
    await device.push(block)
    await device.changes()
    await editor.denied()
    device.write("again", block)
    (result,) = (await device.send(device.item(block)))["results"]

    assert result["status"] == "deleted"


async def test_without_a_database_a_question_is_unavailable_and_the_feed_goes_on(
    postgres: str, tmp_path: Path
) -> None:
    """Nothing is lost by it: the next question settles."""
    async with (
        fresh_database(postgres) as database,
        WireCutter(database, tmp_path) as wire,
        serving(wire.dsn, tmp_path, database_connect_s=1.0) as server,
        server.visitor() as guest,
    ):
        device = Device(guest)
        block = device.write("a")
        await device.push(block)
        wire.open = False
        wire.cut()
        with pytest.raises(Unavailable):
            await feed(server).since(guest.workspace, 0, 10)
        wire.open = True
        changed, _ = await device.changes()

    assert changed == [block]


async def test_an_idle_feed_asks_nothing(inside: Inside, ada: Guest) -> None:
    """Four looks a second are for a server on which somebody writes."""
    device = Device(ada)
    await device.push(device.write("a"))
    written = feed(inside).sweeps
    await until(lambda: feed(inside).sweeps > written)  # All is swept now.
    before = feed(inside).sweeps
    await asyncio.sleep(1.0)

    assert feed(inside).sweeps - before <= 1
