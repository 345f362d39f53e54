"""Growth of difflog: profiles all over the server, and one profile with many stars."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from scripts.bench.growth_asker import ORIGINALS, Asker
from scripts.bench.growth_copies import Original

_ORIGINAL = 900_000_000_000
"""Where the numbers of originals begin."""


class Differ(Asker):
    """difflog: profiles of five diffs, of which one is public, and five stars."""

    SHOWN = "c2FsdHNhbHRzYWx0c2FsdA==:cGFzc3dvcmRwYXNzd29yZHBhc3N3b3JkcGFzc3dvcmQ="

    async def arrive(self) -> None:
        """Make the profiles that are copied."""
        for place in range(ORIGINALS):
            await self.create(f"original-{place}")
            body = self.body([self.diff(n, _ORIGINAL + place) for n in range(5)], self.stars(5))
            await self.json("POST", f"/api/profile/original-{place}/sync", body)

    async def create(self, profile: str) -> None:
        """A new profile."""
        body = {
            "id": profile, "name": "Ada", "password_hash": self.SHOWN, "salt": "c2FsdA==",
            "encrypted_api_key": "a" * 200, "languages": ["Python"], "topics": ["CRDT"],
        }  # fmt: skip
        await self.json("POST", "/api/profile/create", body)

    def diff(self, number: int, place: int) -> dict[str, str]:
        """A diff of 2 kB; the first one is public."""
        text = secrets.token_hex(1000)
        if number == 0:
            text = msgspec.json.encode({"content": text}).decode()
        return {"id": self.diff_id(number, place), "encrypted_data": text}

    @staticmethod
    def diff_id(number: int, place: int) -> str:
        """Its id, of which the last twelve letters say whose it is."""
        return f"d1ff0000-0000-4000-8{number:03}-{place:012}"

    @staticmethod
    def stars(count: int) -> list[dict[str, str]]:
        """Stars of 200 bytes."""
        return [{"id": f"star:{n}", "encrypted_data": secrets.token_hex(100)} for n in range(count)]

    def body(self, diffs: list[dict[str, str]], stars: list[dict[str, str]]) -> dict[str, Any]:
        """An upload."""
        hashes = {"diffs_hash": "d" * 44, "stars_hash": "s" * 44}
        return {"password_hash": self.SHOWN, "diffs": diffs, "stars": stars, **hashes}

    async def originals(self) -> list[Original]:
        """Each profile with its scope."""
        rows = await self.fetch(
            "SELECT d.scope, p.id FROM difflog_profiles p JOIN documents d ON d.id = p.document"
            " WHERE p.id LIKE 'original-%' ORDER BY p.id"
        )
        return [Original(scope, profile=profile) for scope, profile in rows]

    def patch(self, number: int, documents: Sequence[UUID]) -> Iterable[tuple[bytes, bytes]]:
        """The ids of its diffs."""
        del documents
        for each in range(5):
            old = self.diff_id(each, _ORIGINAL + number % ORIGINALS)
            yield old.encode(), self.diff_id(each, number).encode()

    async def many(self, copies: int) -> None:
        """Profiles all over the server."""
        secret = {"password_hash": self.SHOWN}
        known = {**secret, "diffs_hash": "d" * 44, "stars_hash": "s" * 44}
        names = [f"/api/profile/profile-{n}" for n in self.anywhere(41, copies)]
        whole = await self.json("POST", f"/api/profile/profile-{copies - 1}/content", secret)
        of = await self.json(
            "POST", f"/api/profile/original-{(copies - 1) % ORIGINALS}/content", secret
        )
        data = [[one["encrypted_data"] for one in each["diffs"]] for each in (whole, of)]
        assert data[0] == data[1]
        await self.row("create a profile", 10, lambda _: self.create(secrets.token_hex(16)))
        await self.row("status", 40, lambda n: self.json("GET", f"{names[n]}/status"))
        names = [f"/api/profile/profile-{n}" for n in self.anywhere(41, copies)]
        await self.row(
            "content, nothing new", 40, lambda n: self.json("POST", f"{names[n]}/content", known)
        )
        await self.row(
            "content, all 10", 40, lambda n: self.json("POST", f"{names[n]}/content", secret)
        )
        some = self.anywhere(41, copies)

        async def sync(number: int) -> None:
            body = self.body([self.diff(7, some[number])], [])
            await self.json("POST", f"/api/profile/profile-{some[number]}/sync", body)

        await self.row("sync of 1 diff", 40, sync)
        public = [self.diff_id(0, n) for n in self.anywhere(41, copies)]
        await self.row(
            "public diff", 40, lambda n: self.json("GET", f"/api/diff/{public[n]}/public")
        )
        shared = [f"/api/share/profile-{n}" for n in self.anywhere(41, copies)]
        await self.row("share", 40, lambda n: self.json("GET", shared[n]))

        async def code(_: int) -> None:
            made = await self.json("POST", "/api/share-code", {"profile_id": "profile-0"})
            await self.json("GET", f"/api/share-code/{made['code']}")

        await self.row("share code made and used", 5, code)

    async def one(self, keys: int) -> None:
        """One profile with so many stars."""
        if keys > 9_900:
            keys = 9_900 if keys == 10_000 else 0
        if not keys:
            return
        profile = f"stars-{keys}"
        await self.create(profile)
        path = f"/api/profile/{profile}"
        await self.json("POST", f"{path}/sync", self.body([self.diff(1, 1)], self.stars(keys)))
        await self.row("one profile: status", 20, lambda _: self.json("GET", f"{path}/status"))
        known = {"password_hash": self.SHOWN, "diffs_hash": "d" * 44, "stars_hash": "s" * 44}
        await self.row(
            "one profile: nothing new", 20, lambda _: self.json("POST", f"{path}/content", known)
        )

        async def sync(number: int) -> None:
            star = {"id": f"star:{number * 7}", "encrypted_data": secrets.token_hex(100)}
            await self.json("POST", f"{path}/sync", self.body([], [star]))

        await self.row("one profile: sync of 1 star", 20, sync)
