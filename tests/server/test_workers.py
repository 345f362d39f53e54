"""Helper processes do the work, and one that dies takes nothing with it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import pytest

from crdt.bounds import BOUNDS
from crdt.errors import UpdateError
from server.workers import WorkerDied, Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    """One helper process, made at its first use."""
    made = Workers(processes=1, memory_bytes=1 << 30, timeout_s=20)
    yield made
    made.close()


def die() -> None:
    """End the helper process as a crash would."""
    os.kill(os.getpid(), signal.SIGKILL)


def nest(depth: int) -> bytes:
    """An update with a value nested so deep that decoding it overflows a stack of 8 MB."""
    value = b"u\x01" * depth + b"\x7e"
    return b"\x01\x01\x01\x00\x08\x01\x01t\x01" + value + b"\x00"


async def test_work_is_done_in_another_process(workers: Workers) -> None:
    """The function runs outside this process, and the next one in the same helper."""
    first = await workers.run(os.getpid)
    second = await workers.run(os.getpid)

    assert first != os.getpid()
    assert second == first


async def test_an_error_of_the_function_is_raised_here(workers: Workers) -> None:
    """What the function raises is raised to the caller."""
    with pytest.raises(ValueError, match="invalid literal"):
        await workers.run(int, "no number")


async def test_a_helper_that_dies_is_replaced(workers: Workers) -> None:
    """A crash is told to its caller alone; the next piece of work has a new helper."""
    with pytest.raises(WorkerDied):
        await workers.run(die)

    assert await workers.run(abs, -3) == 3


async def test_waiting_for_a_helper_does_not_count_as_work() -> None:
    """Work behind other work is done, however long that takes, and outlives what is given up."""
    workers = Workers(processes=1, memory_bytes=1 << 30, timeout_s=6)
    try:
        await workers.run(abs, -1)
        outcomes = await asyncio.gather(
            workers.run(time.sleep, 2),
            workers.run(time.sleep, 60),
            workers.run(die),
            workers.run(abs, -3),
            return_exceptions=True,
        )
    finally:
        workers.close()

    assert [type(outcome) for outcome in outcomes] == [type(None), WorkerDied, WorkerDied, int]


async def test_work_that_needs_too_much_memory_is_given_up(workers: Workers) -> None:
    """A helper that may not have more memory fails at that piece of work alone."""
    with pytest.raises(WorkerDied):
        await workers.run(bytes, 2 << 30)

    assert await workers.run(abs, -3) == 3


async def test_work_that_takes_too_long_is_given_up() -> None:
    """A stuck helper is stopped and replaced."""
    workers = Workers(processes=1, memory_bytes=1 << 30, timeout_s=6)
    try:
        await workers.run(abs, -1)
        with pytest.raises(WorkerDied):
            await workers.run(time.sleep, 60)

        assert await workers.run(abs, -3) == 3
    finally:
        workers.close()


async def test_an_update_that_kills_decoders_is_refused(workers: Workers) -> None:
    """A value nested 100,000 levels deep is refused, and the helper lives or is replaced."""
    with pytest.raises(UpdateError):
        await workers.check(nest(100_000), BOUNDS)

    await workers.check(b"\x00\x00", BOUNDS)
