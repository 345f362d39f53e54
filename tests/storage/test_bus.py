"""One suite for every bus: what one end says the others hear, in order, or see that it is lost."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from scripts._cluster.engines import Nats
from storage.bus import Bus, Hub, HubBus, bus_of
from tests.clients import becomes

pytestmark = pytest.mark.xdist_group("processes")


def _named(setting: str, dsn: str) -> Bus:
    made = bus_of(setting, dsn=dsn, subject="plait")
    assert made is not None
    return made


class End:
    """One node's end, and what it heard."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.frames: list[bytes] = []
        self.turns: list[bool] = []

    def turned(self, *, up: bool) -> None:
        """Keep it."""
        self.turns.append(up)

    async def heard(self, *frames: bytes) -> None:
        """Wait until exactly these came, in this order."""
        await becomes(lambda: self.frames[-len(frames) :] == list(frames))


class Engine:
    """What carries the frames, and how it is taken away."""

    def __init__(self, make: Callable[[], Bus]) -> None:
        self.make = make

    async def away(self) -> None:
        """Cut everybody off."""

    async def back(self) -> None:
        """Let them come again."""


class HubEngine(Engine):
    """The bus inside a process."""

    def __init__(self) -> None:
        self._hub = Hub()
        super().__init__(lambda: HubBus(self._hub))

    async def away(self) -> None:
        """Cut everybody off."""
        self._hub.turn(up=False)

    async def back(self) -> None:
        """Let them come again."""
        self._hub.turn(up=True)


class NotifyEngine(Engine):
    """PostgreSQL, which lets nobody in for a while."""

    def __init__(self, postgres: str, database: str) -> None:
        self._postgres = postgres
        self._name = urlsplit(database).path.strip("/")
        super().__init__(partial(_named, "notify", database))

    async def _say(self, *statements: str) -> None:
        connection = await asyncpg.connect(self._postgres)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    async def away(self) -> None:
        """Cut everybody off."""
        await self._say(
            f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{self._name}' AND application_name = 'plait bus'",
        )

    async def back(self) -> None:
        """Let them come again."""
        await self._say(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")


class NatsEngine(Engine):
    """A real server, killed and started again on its port."""

    def __init__(self, server: Nats) -> None:
        self._server = server
        super().__init__(partial(_named, server.url, ""))

    async def away(self) -> None:
        """Cut everybody off."""
        await asyncio.to_thread(self._server.kill)

    async def back(self) -> None:
        """Let them come again."""
        await asyncio.to_thread(self._server.start)


@pytest.fixture(params=["hub", "notify", "nats"])
async def engine(
    request: pytest.FixtureRequest, postgres: str, database: str, tmp_path: Path
) -> AsyncIterator[Engine]:
    """Each of the three."""
    if request.param == "hub":
        yield HubEngine()
    elif request.param == "notify":
        yield NotifyEngine(postgres, database)
    else:
        server = Nats(tmp_path)
        await asyncio.to_thread(server.start)
        yield NatsEngine(server)
        await asyncio.to_thread(server.kill)


@pytest.fixture
async def ends(engine: Engine) -> AsyncIterator[list[End]]:
    """Three nodes' ends."""
    async with AsyncExitStack() as stack:
        made = [End(engine.make()) for _ in range(3)]
        for end in made:
            await end.bus.start(end.frames.append, end.turned)
            stack.push_async_callback(end.bus.close)
        await becomes(lambda: all(end.turns == [True] for end in made))
        yield made


async def test_what_one_says_all_others_hear_in_order(ends: list[End]) -> None:
    """Any bytes, up to the longest frame, in the order in which they were said."""
    one, *others = ends
    said = [bytes([n % 256]) * n for n in range(1, 300)] + [b"\0" * one.bus.frame_bytes_max]
    for frame in said:
        one.bus.publish(frame)
    for other in others:
        await other.heard(*said)
    others[0].bus.publish(b"answer")
    await one.heard(b"answer")
    assert one.frames == [b"answer"]  # and nothing of its own


async def test_what_is_said_at_once_shares_few_words_with_the_engine(ends: list[End]) -> None:
    """A thousand frames of one moment cost an engine with round trips a handful of them."""
    one, other, _ = ends
    said = [b"%d" % n for n in range(1000)]
    for frame in said:
        one.bus.publish(frame)
    await other.heard(*said)
    if one.bus.frame_bytes_max < 10_000:  # NOTIFY; the others have nobody to wait for
        assert one.bus.round_trips < 20


async def test_it_comes_back_by_itself(engine: Engine, ends: list[End]) -> None:
    """What is said while it is away is lost, nobody waits, and both turns are told."""
    numbers = itertools.count()
    await engine.away()
    await becomes(lambda: all(end.turns == [True, False] for end in ends))
    assert not any(end.bus.is_up for end in ends)
    ends[0].bus.publish(b"lost")
    await engine.back()
    await becomes(lambda: all(end.turns == [True, False, True] for end in ends))
    assert all(end.bus.is_up for end in ends)
    ends[0].bus.publish(b"%d" % next(numbers))
    for other in ends[1:]:
        await other.heard(b"0")
        assert b"lost" not in other.frames


async def test_a_start_does_not_wait_for_an_engine_that_is_away(
    engine: Engine, ends: list[End]
) -> None:
    """It is there without it, and joins when it comes."""
    await engine.away()
    await becomes(lambda: all(end.turns == [True, False] for end in ends))
    late = End(engine.make())
    await late.bus.start(late.frames.append, late.turned)
    await engine.back()
    await becomes(lambda: late.turns[-1:] == [True] and late.bus.is_up)
    await becomes(lambda: ends[0].bus.is_up)
    ends[0].bus.publish(b"welcome")
    await late.heard(b"welcome")
    await late.bus.close()


def test_alone_there_is_no_bus() -> None:
    """A server whose setting is empty has none, and pays nothing."""
    assert bus_of("", dsn="", subject="plait") is None
