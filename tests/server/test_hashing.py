"""Passwords are hashed beside the event loop, a few at a time."""

import asyncio
from collections.abc import Iterator

import pytest

from server.errors import Busy
from server.hashing import Hashing


@pytest.fixture
def hashing() -> Iterator[Hashing]:
    """One at a time, and one that waits."""
    made = Hashing(at_once=1, waiting_max=1)
    yield made
    made.close()


async def test_the_loop_goes_on_meanwhile(hashing: Hashing) -> None:
    """Others are served while a password is hashed."""
    turns = 0
    async with hashing.slot():
        work = asyncio.create_task(hashing.hash("secret"))
        while not work.done():
            await asyncio.sleep(0)
            turns += 1

    assert turns > 10
    assert await hashing.verify("secret", work.result())


async def test_who_comes_when_too_many_wait_is_told_to_come_back(hashing: Hashing) -> None:
    """The one in work does not count, and places become free again."""

    async def work() -> None:
        async with hashing.slot():
            await released.wait()

    released = asyncio.Event()
    first, second = asyncio.create_task(work()), asyncio.create_task(work())
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await work()
    released.set()
    await asyncio.gather(first, second)

    async with hashing.slot():
        pass


async def test_a_right_one_is_known_from_then_on_and_a_wrong_one_never(hashing: Hashing) -> None:
    """For this stored form only."""
    stored = await hashing.hash("secret")
    hashing_anew = Hashing(at_once=1, waiting_max=1)
    assert not hashing_anew.is_known("secret", stored)
    assert not await hashing_anew.verify("wrong", stored)
    assert await hashing_anew.verify("secret", stored)
    hashing_anew.close()

    assert hashing_anew.is_known("secret", stored)
    assert not hashing_anew.is_known("wrong", stored)
    assert not hashing_anew.is_known("secret", await hashing.hash("secret"))
