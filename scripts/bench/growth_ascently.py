"""Growth of Ascently: datasets all over the server, and one with many attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from scripts.bench.ascently import attempt, moment
from scripts.bench.growth_asker import ORIGINALS, Asker
from scripts.bench.growth_copies import Original, token_of
from scripts.bench.rest import quiet

_LONG = "SELECT FROM heads WHERE log_bytes > 4000000 AND log_bytes > snapshot_bytes / 8"


class Ascender(Asker):
    """Ascently: accounts whose datasets have a hundred attempts each."""

    unit = 100
    PREFIX = ""

    async def arrive(self) -> None:
        """Make the datasets that are copied, and that of the phone which asks."""
        self._tokens = [await self.token("ascently:write") for _ in range(ORIGINALS + 1)]
        self.PREFIX = self._tokens[0][:-43]
        for token in self._tokens:
            await self.ask("POST", "/sync", self.whole(100), Authorization=f"Bearer {token}")
        self._headers = {"Authorization": f"Bearer {self._tokens[-1]}"}
        self._second = 1000

    @staticmethod
    def whole(count: int, first: int = 0) -> bytes:
        """A dataset of so many attempts."""
        return msgspec.json.encode(
            {"attempts": [attempt(n, n) for n in range(first, first + count)]}
        )

    async def originals(self) -> list[Original]:
        """Each dataset with its account; the phone's own is the newest."""
        rows = await self.fetch(
            "SELECT d.scope, a.account FROM ascently_datasets a"
            " JOIN documents d ON d.id = a.document ORDER BY d.created_at LIMIT $1",
            ORIGINALS,
        )
        return [Original(scope, account=account) for scope, account in rows]

    async def delta(self, cursor: str, numbers: Iterable[int], **headers: str) -> Any:  # noqa: ANN401
        """What is new after a cursor, and attempts that changed."""
        self._second += 1
        changed = [attempt(n, self._second) for n in numbers]
        body = {"lastSyncTime": cursor, "attempts": changed}
        return await self.json("POST", "/sync/delta", body, **headers)

    async def many(self, copies: int) -> None:
        """One who is at it, and others who were away."""
        bearers = [
            {"Authorization": f"Bearer {token_of(self.PREFIX, n)}"}
            for n in self.anywhere(81, copies)
        ]
        original = {"Authorization": f"Bearer {self._tokens[(copies - 1) % ORIGINALS]}"}
        copy = {"Authorization": f"Bearer {token_of(self.PREFIX, copies - 1)}"}
        assert sorted(await self.ask("GET", "/sync", **copy)) == sorted(
            await self.ask("GET", "/sync", **original)
        )
        await self.row(
            "of 100, for the first time that day",
            40,
            lambda n: self.delta(moment(500_000_000), (), **bearers[n]),
        )
        await self.row(
            "delta of 10, likewise",
            40,
            lambda n: self.delta(moment(500_000_000), range(10), **bearers[40 + n]),
        )
        await self.deltas("")

    async def deltas(self, prefix: str, count: int = 100) -> None:
        """Deltas of a phone whose dataset is in memory."""
        cursor = (await self.delta(moment(500_000_000), ()))["serverTime"]

        async def work(number: int) -> None:
            nonlocal cursor
            first = number * 10 % count
            answer = await self.delta(cursor, range(first, first + 10))
            assert len(answer["attempts"]) == 10
            self.before, cursor = cursor, answer["serverTime"]

        await self.row(f"{prefix}delta of 10", 40, work)
        before = self.before
        answer = await self.delta(before, ())
        assert len(answer["attempts"]) == 10
        await self.row(f"{prefix}10 to download", 40, lambda _: self.delta(before, ()))
        await self.row(f"{prefix}nothing new", 40, lambda _: self.delta(cursor, ()))

    async def one(self, keys: int) -> None:
        """One dataset of so many attempts."""
        if keys > 100_000:
            return
        before, self._headers = (
            self._headers,
            {"Authorization": f"Bearer {await self.token('ascently:write')}"},
        )
        await self.ask("POST", "/sync", self.whole(min(keys, 50_000)))
        for first in range(50_000, keys, 50_000):
            await self.ask("POST", "/sync/delta", self.whole(50_000, first))
        self._second = max(self._second, keys)
        while await self.fetch(_LONG):  # A commit asks that a snapshot be made of what came.
            await self.delta(moment(500_000_000), [0])
            await asyncio.sleep(1)
        await quiet(self._probe)
        await self.deltas("one dataset: ", keys)
        self._headers = before
