"""How long the longest of a crowd's writers waited for a confirmation."""

from __future__ import annotations

import asyncio
import time
from typing import Self

from tests.stories.crowd import Crowd, tell

LOOK_S = 0.02


class Outages:
    """Watches a crowd; `longest_s`: for how long some writer's word was unconfirmed."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self.longest_s = 0.0
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._watching is not None
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        writers = self._crowd.writers
        since = dict.fromkeys(writers, time.monotonic())
        had = {writer: len(writer.confirmed) for writer in writers}
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            for writer in writers:
                count = len(writer.confirmed)
                if count != had[writer] or count == len(writer.words):
                    had[writer], since[writer] = count, now
                else:
                    self.longest_s = max(self.longest_s, now - since[writer])

    def tell(self, fault: str) -> None:
        """Print what was acknowledged, what of it survived, and the longest outage.

        `scripts/faults` reads these words.
        """
        crowd = self._crowd
        tell(f"{fault}: acknowledged {crowd.acknowledged} of {crowd.typed} typed; survived "
             f"{crowd.survived} of {crowd.acknowledged}; longest outage {self.longest_s:.1f} s"
             )  # fmt: skip
