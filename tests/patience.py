"""How long tests wait for what should happen, and how they judge what must happen soon.

A machine that others use stalls now and then. Waiting long costs nothing where the thing comes; a
promise of seconds is judged by the best of a few tries.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE_S = 60.0
"""Seconds after which what should have happened will not."""
TRIES = 3


async def until(
    true: Callable[[], object], timeout_s: float = PATIENCE_S, every_s: float = 0.005
) -> None:
    """Wait for a condition that no event announces; it may have to be awaited itself."""
    async with asyncio.timeout(timeout_s):
        while True:
            holds = true()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            await asyncio.sleep(every_s)


class Late(AssertionError):
    """It came, after the time that is promised."""


def in_time(took_s: float, most_s: float) -> None:
    """Judge a duration in a test that is `prompt`. Raises Late."""
    if took_s > most_s:
        raise Late(f"it took {took_s:.2f} s, and {most_s} s are promised")


def prompt(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Try a test again that was right but late: others may have had the machine meanwhile."""

    @functools.wraps(test)
    async def best(*given: Any, **named: Any) -> None:
        for _ in range(TRIES - 1):
            try:
                return await test(*given, **named)
            except Late:
                continue
        return await test(*given, **named)

    return best
