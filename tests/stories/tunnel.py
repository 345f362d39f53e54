"""A way to a server that loses answers: requests go through whole, what comes back may not."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Self

ANSWER_BYTES = 64 << 10


class Tunnel:
    """Forwards connections to a port; while it is `lossy`, some answers are cut."""

    def __init__(self, port: int, seed: int) -> None:
        self._to = port
        self._chance = random.Random(seed)
        self.lossy = 0.0
        """How many of the connections lose their answer, from 0 to 1."""
        self.open = True
        """Whether anything goes through at all."""
        self.lost = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if self.open:
                far, there = await asyncio.open_connection("127.0.0.1", self._to)
                asking = asyncio.create_task(_copy(near, there))
                await self._answer(far, back)
                asking.cancel()
                there.close()
        back.close()

    async def _answer(self, far: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Bring the answer, none of it, or its beginning: the request was carried out."""
        first = await far.read(ANSWER_BYTES)
        if self._chance.random() < self.lossy:
            self.lost += 1
            back.write(first[: self._chance.choice([0, 0, 1, len(first) // 2])])
            return
        back.write(first)
        await _copy(far, back)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(ANSWER_BYTES):
            target.write(data)
            await target.drain()
