"""Long work on the event loop, in slices that nobody notices."""

from __future__ import annotations

import asyncio
from time import perf_counter

SLICE_S = 0.008


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
