"""Long work in slices."""

import asyncio
from time import perf_counter

from server.pace import SLICE_S, Pace


async def test_others_have_their_turn_when_a_slice_is_used_up() -> None:
    """And not before; what was waited for is no work."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    await asyncio.sleep(0)
    before = turns
    pace = Pace()
    await pace.rest()
    assert turns == before
    for _ in range(3):
        end = perf_counter() + SLICE_S * 1.1
        while perf_counter() < end:
            pass
        await pace.rest()
    pace.stop()
    worked = pace.worked_s
    await asyncio.sleep(0.02)
    pace.start()
    pace.stop()
    task.cancel()

    assert turns >= before + 3
    assert worked >= 3 * SLICE_S
    assert pace.worked_s < worked + 0.02
