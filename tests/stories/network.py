"""A way to a server that does what networks do: slow, in single bytes, cut, or silent for ever."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Self

CHUNK_BYTES = 64 << 10


class Wire:
    """Forwards connections from a port (or a socket in a folder) to another."""

    def __init__(
        self, to: int | Path | Callable[[], Path], *, at: Path | None = None, seed: int = 0
    ) -> None:
        self._to = to
        """A function where the place is known only later."""
        self._at = at
        self._chance = random.Random(seed)
        self.port = 0
        self.delay_s = 0.0
        """Everything takes at least so long, in both directions."""
        self.byte_by_byte = False
        """Everything comes in the smallest pieces."""
        self.silent = False
        """Nothing goes through, and nobody is told: half-open."""
        self.closed = False
        """New connections are refused."""
        self._going = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        if self._at is not None:
            self._server = await asyncio.start_unix_server(self._serve, self._at)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
        self._going.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def heal(self) -> None:
        """Do nothing bad any more."""
        self.delay_s, self.byte_by_byte, self.silent, self.closed = 0.0, False, False, False
        self._going.set()

    def hush(self) -> None:
        """Let nothing through from now on; nobody is told."""
        self.silent = True
        self._going.clear()

    def cut(self, share: float = 1.0) -> None:
        """Cut connections, all or some of them, without a word."""
        for writer in list(self._writers):
            if self._chance.random() < share:
                writer.transport.abort()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        if self.closed:
            back.transport.abort()
            return
        try:
            to = self._to() if callable(self._to) else self._to
            if isinstance(to, Path):
                far, there = await asyncio.open_unix_connection(to)
            else:
                far, there = await asyncio.open_connection("127.0.0.1", to)
        except OSError:
            back.transport.abort()
            return
        self._writers |= {back, there}
        tasks = [
            asyncio.create_task(self._carry(near, there)),
            asyncio.create_task(self._carry(far, back)),
        ]
        self._tasks |= set(tasks)
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks -= set(tasks)
        for writer in (back, there):
            self._writers.discard(writer)
            writer.close()

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                await self._going.wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s * (1 + self._chance.random()))
                if self.byte_by_byte:
                    for place in range(len(data)):
                        target.write(data[place : place + 1])
                        await asyncio.sleep(0)
                else:
                    target.write(data)
                await target.drain()
        with contextlib.suppress(OSError, RuntimeError):
            target.write_eof()
