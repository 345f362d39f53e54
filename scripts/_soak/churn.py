"""People who come, write a little and go, and others who are there and do nothing."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import aiohttp
import pycrdt

from crdt import wire

DOCUMENTS = 40
LEAVE_PER_S = 0.1 / 60
"""The share of the idle that goes in a second: a tenth in a minute. As many others come."""
OPENING = 50
"""How many of the idle arrive at once."""


class Churn:
    """People who open a document, write a little, and leave in one way or another."""

    def __init__(self, url: str, token: str, seed: int) -> None:
        self._url, self.token = url, token
        self._chance = random.Random(seed)  # noqa: S311  the same churn again
        self.visits = self.updates = self.refused = 0

    async def for_(self, seconds: float, people: int) -> None:
        """Churn for a time."""
        end = time.monotonic() + seconds
        async with aiohttp.ClientSession(self._url) as http:
            await asyncio.gather(*(self._person(http, end) for _ in range(people)))

    async def _person(self, http: aiohttp.ClientSession, end: float) -> None:
        ways = (self._edit, self._edit, self._edit, self._read, self._spoil, self._intrude)
        while time.monotonic() < end:
            name = f"d{self._chance.randrange(DOCUMENTS)}"
            with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                async with asyncio.timeout(20):
                    await self._chance.choice(ways)(http, name)
            self.visits += 1

    async def _open(self, http: aiohttp.ClientSession, name: str, token: str) -> Any:  # noqa: ANN401
        return await http.ws_connect(f"/ws/{name}", params={"token": token}, max_msg_size=0)

    async def _edit(self, http: aiohttp.ClientSession, name: str) -> None:
        """Show a cursor, type some letters, listen a moment, leave with or without a word."""
        socket = await self._open(http, name, self.token)
        doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=self._chance.randrange(1, 1 << 31))
        text = doc.get("text", type=pycrdt.Text)
        entry = wire.var_uint(doc.client_id) + b"\x01\x02{}"
        await socket.send_bytes(wire.awareness(b"\x01" + entry))
        for _ in range(self._chance.randrange(1, 8)):
            before = doc.get_state()
            text += self._chance.choice("abcdef") * 3
            await socket.send_bytes(wire.update(doc.get_update(before)))
            self.updates += 1
        with suppress(TimeoutError):
            async with asyncio.timeout(self._chance.random() / 2):
                async for _ in socket:
                    pass
        if self._chance.random() < 0.5:
            await socket.close()
        else:
            line = socket._response.connection  # noqa: SLF001  it breaks without a word
            if line is not None and line.transport is not None:  # Unless the server closed it.
                line.transport.abort()

    async def _read(self, http: aiohttp.ClientSession, name: str) -> None:
        """By REST."""
        headers = {"Authorization": f"Bearer {self.token}"}
        await (await http.post("/doc/new", json={"docId": name}, headers=headers)).read()
        async with http.get(f"/d/{name}/as-update", headers=headers) as answer:
            await answer.read()

    async def _spoil(self, http: aiohttp.ClientSession, name: str) -> None:
        """Send what is no frame."""
        socket = await self._open(http, name, self.token)
        await socket.send_bytes(self._chance.randbytes(30))
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                async for _ in socket:
                    pass
        await socket.close()

    async def _intrude(self, http: aiohttp.ClientSession, name: str) -> None:
        """Come without a right."""
        try:
            await self._open(http, name, "nonsense")
        except aiohttp.WSServerHandshakeError:
            self.refused += 1


class Idle:
    """Sockets that stay open and silent; now and then one of them is replaced."""

    def __init__(self, url: str, token: str, count: int) -> None:
        self._url, self.token, self._count = url, token, count
        self._chance = random.Random(count)  # noqa: S311  the same churn again
        self._sitting: list[asyncio.Task[None]] = []
        self._free = asyncio.Semaphore(OPENING)
        self._renewing: asyncio.Task[None] | None = None
        self._here = 0
        self._all_here = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(self._url, connector=aiohttp.TCPConnector(limit=0))
        self._sitting = [asyncio.create_task(self._sit()) for _ in range(self._count)]
        if self._count:
            await self._all_here.wait()
        self._renewing = asyncio.create_task(self._renew())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._renewing is not None
        for task in (self._renewing, *self._sitting):
            task.cancel()
        await asyncio.gather(self._renewing, *self._sitting, return_exceptions=True)
        await self._http.close()

    async def _sit(self) -> None:
        """One place: whoever leaves it, or is sent away because the token ended, is followed."""
        while True:
            path = f"/ws/d{self._chance.randrange(DOCUMENTS)}"
            with suppress(aiohttp.ClientError, ConnectionError):
                async with self._free:
                    socket = await self._http.ws_connect(path, params={"token": self.token})
                self._here += 1
                if self._here == self._count:
                    self._all_here.set()
                try:
                    async for _ in socket:
                        pass
                finally:
                    self._here -= 1
                    await socket.close()

    async def _renew(self) -> None:
        while self._count:
            await asyncio.sleep(1 / (self._count * LEAVE_PER_S))
            place = self._chance.randrange(self._count)
            self._sitting[place].cancel()
            self._sitting[place] = asyncio.create_task(self._sit())
