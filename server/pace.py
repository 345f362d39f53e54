"""Long work on the event loop, in slices that nobody notices; and looks that come at one time."""

from __future__ import annotations

import asyncio
from time import perf_counter

SLICE_S = 0.008
_EARLY_S = 0.002
"""What a timer of the loop may be too early."""


class Pace:
    """Ask it between two pieces of work: when a slice is used up, everybody else has their turn."""

    def __init__(self) -> None:
        self._since = perf_counter()

    @property
    def is_over(self) -> bool:
        """Whether the slice is used up; asked where thousands of pieces are too small to `rest`."""
        return perf_counter() - self._since > SLICE_S

    async def rest(self) -> None:
        """Let others run, if this has run for long enough."""
        if perf_counter() - self._since > SLICE_S:
            await asyncio.sleep(0)
            self.start()

    def start(self) -> None:
        """Work begins again: something else was awaited, which is no work."""
        self._since = perf_counter()


def until_next(period_s: float, now: float) -> float:
    """Seconds until the next whole multiple of a period, by the clock of the loop.

    Who looks around now and then does it in the same moment as the others: that an idle process
    wakes costs more, 0.1 ms with cold caches, than most of what it then does.
    """
    rest = period_s - now % period_s
    return rest if rest > min(_EARLY_S, period_s / 4) else rest + period_s
