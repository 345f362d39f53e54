"""Long work in slices."""

import asyncio

import pytest

from server import pace
from server.pace import SLICE_S, Pace, until_next


async def test_others_have_their_turn_when_a_slice_is_used_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And not before; what was waited for is no work."""
    turns, now = 0, 0.0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    monkeypatch.setattr(pace, "perf_counter", lambda: now)
    task = asyncio.create_task(others())
    await asyncio.sleep(0)
    before = turns
    work = Pace()
    now += SLICE_S
    await work.rest()
    assert turns == before
    for _ in range(3):
        now += SLICE_S * 1.1
        await work.rest()
    after = turns
    now += 5.0
    work.start()
    now += SLICE_S / 2
    await work.rest()
    task.cancel()

    assert before + 3 <= after == turns


async def test_those_who_look_now_and_then_look_at_one_time() -> None:
    """At the multiples of their periods, and not twice where a timer was a little early."""
    assert until_next(1.0, 7.25) == 0.75
    assert until_next(2.0, 7.25) == 0.75
    assert until_next(1.0, 8.0) == 1.0
    assert until_next(1.0, 7.999) == pytest.approx(1.001)
    assert until_next(0.001, 7.0004) == pytest.approx(0.0006)
