"""Long work in slices."""

import asyncio

import pytest

from server import pace
from server.pace import SLICE_S, Pace


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
