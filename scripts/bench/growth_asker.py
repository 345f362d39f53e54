"""Who asks an API in `growth_apis.py`: what the APIs have in common."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import msgspec

from scripts._load.login import login
from scripts._load.probe import Probe
from scripts.bench.ascently import Climber
from scripts.bench.growth_copies import Original

Figures = dict[str, float]
ORIGINALS = 10
"""Accounts, profiles or sites of which all others are copies."""


class Asker(Climber):
    """Somebody who asks an API; `rows` are what was measured."""

    unit = 10
    """Keys of one copy."""

    def __init__(self, http: aiohttp.ClientSession, url: str, probe: Probe, dsn: str) -> None:
        super().__init__(http, url, probe)
        self._dsn = dsn
        self._chance = random.Random(1)  # noqa: S311
        self.rows: dict[str, Figures] = {}

    async def arrive(self) -> None:
        """Make the originals."""
        raise NotImplementedError

    async def originals(self) -> list[Original]:
        """What is to be copied."""
        raise NotImplementedError

    def patch(self, number: int, documents: Sequence[UUID]) -> Iterable[tuple[bytes, bytes]]:
        """What is said anew in the updates of a copy."""
        del number, documents
        return ()

    async def many(self, copies: int) -> None:
        """The rows of a server with so many copies."""
        raise NotImplementedError

    async def one(self, keys: int) -> None:
        """The rows of something that holds so many keys itself, if it may."""
        raise NotImplementedError

    async def ask(self, method: str, path: str, data: bytes | None = None, **headers: str) -> bytes:
        """One request, which must succeed."""
        async with self._http.request(
            method, self._url + path, data=data, headers={**self._headers, **headers}
        ) as answer:
            body = await answer.read()
            assert answer.status < 300, (path, answer.status, body[:200])
            return body

    async def json(self, method: str, path: str, body: Any = None, **headers: str) -> Any:  # noqa: ANN401
        """The same with JSON both ways."""
        data = None if body is None else msgspec.json.encode(body)
        return msgspec.json.decode(await self.ask(method, path, data, **headers))

    async def row(self, name: str, count: int, work: Callable[[int], Awaitable[Any]]) -> None:
        """Measure something, after it was done once."""
        await work(count)  # Plans are made, caches are warm.
        self.rows[name] = await self.measured(count, work)

    def anywhere(self, size: int, copies: int) -> list[int]:
        """Different copies; of few there may be some twice."""
        if size <= copies:
            return self._chance.sample(range(copies), size)
        return [self._chance.randrange(copies) for _ in range(size)]

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """A look into the database."""
        connection = await asyncpg.connect(self._dsn)
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()

    async def token(self, scope: str) -> str:
        """A fresh account's access token."""
        account = await asyncio.to_thread(login, self._url)
        bearer = {"Authorization": f"Bearer {account.access_token}"}
        body = {"name": "bench", "scopes": [scope]}
        return str((await self.json("POST", "/api/access-tokens", body, **bearer))["token"])
