"""Growth of Flowershow: sites all over the server, and one with many files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from scripts.bench.growth_asker import ORIGINALS, Asker
from scripts.bench.growth_copies import Original, document_of, token_of
from scripts.bench.sites import sha1

Headers = dict[str, str]
NOTES_MAX = 1000
"""Notes of the large site; its other files are taken as they are."""


class Publisher(Asker):
    """Flowershow: sites of four notes and six other files."""

    async def arrive(self) -> None:
        """Make the sites that are copied, and read a page of each."""
        self._host = {"Host": f"sites.localhost:{self._url.rpartition(':')[2]}"}
        for place in range(ORIGINALS):
            token = await self.token("flowershow:write")
            self._headers = bearer(token)
            self._prefix = token[:-43]
            await self.json("PATCH", "/api/user", {"username": f"original{place}"})
            await self.site("notes", folder(10))
            await self.page(f"original{place}/notes/note+1")

    async def site(self, name: str, files: dict[str, bytes]) -> str:
        """A new site with these files."""
        made = await self.json("POST", "/api/sites", {"projectName": name})
        site = str(made["site"]["id"])
        paths = list(files)
        for first in range(0, len(paths), 1000):
            some = {path: files[path] for path in paths[first : first + 1000]}
            await self.publish(site, some, self._headers)
        return site

    async def publish(self, site: str, files: dict[str, bytes], headers: Headers) -> None:
        """Files of a site, eight at a time."""
        rows = {"files": manifest(files)}
        found = await self.json("POST", f"/api/sites/id/{site}/files", rows, **headers)
        waiting = iter(found["files"])

        async def put() -> None:
            for each in waiting:
                kind = {"Content-Type": each["contentType"]}
                data = files[each["path"]]
                async with self._http.put(each["uploadUrl"], data=data, headers=kind) as answer:
                    assert answer.status < 300, await answer.text()

        await asyncio.gather(*(put() for _ in range(8)))

    async def page(self, path: str) -> bytes:
        """A page of a site, as a visitor sees it."""
        async with self._http.get(f"{self._url}/@{path}", headers=self._host) as answer:
            body = await answer.read()
            assert answer.status == 200, (path, answer.status, body[:200])
            return body

    async def originals(self) -> list[Original]:
        """Each site with its account."""
        rows = await self.fetch(
            "SELECT scope, account, id FROM sites WHERE name = 'notes'"
            " ORDER BY created_at LIMIT $1",
            ORIGINALS,
        )
        return [Original(scope, account=account, site=site) for scope, account, site in rows]

    def patch(self, number: int, documents: Sequence[UUID]) -> Iterable[tuple[bytes, bytes]]:
        """The documents of its notes."""
        for each in documents:
            yield str(each).encode(), str(document_of(number, each)).encode()

    def owner(self, number: int) -> Headers:
        """Whose a copy is."""
        return bearer(token_of(self._prefix, number))

    async def many(self, copies: int) -> None:
        """Sites all over the server."""
        last = copies - 1
        copy = await self.page(f"u{last}/notes/note+1")
        original = await self.page(f"original{last % ORIGINALS}/notes/note+1")
        names = (b"u%d" % last, b"original%d" % (last % ORIGINALS))
        assert copy.count(b"words of a note") == original.count(b"words of a note") > 0, names
        some = self.anywhere(41, copies)
        await self.row("page, cold", 40, lambda n: self.page(f"u{some[n]}/notes/note+2"))
        await self.row("page, kept", 40, lambda n: self.page(f"u{some[n]}/notes/note+2"))
        await self.row("a file", 40, lambda n: self.page(f"u{some[n]}/notes/f4/file+4.txt"))
        some = self.anywhere(41, copies)
        await self.changes("", [(site_of(n), self.owner(n)) for n in some])
        await self.looks("", [(site_of(n), f"u{n}/notes", self.owner(n)) for n in some])
        whole = {"files": manifest(folder(10))}
        some = self.anywhere(41, copies)

        async def sync(number: int) -> None:
            site, owner = site_of(some[number]), self.owner(some[number])
            found = await self.json("POST", f"/api/sites/id/{site}/sync", whole, **owner)
            assert found["summary"]["unchanged"] >= 9, found["summary"]

        await self.row("sync of 10, unchanged", 40, sync)
        owners = [self.owner(n) for n in some]
        await self.row(
            "sites of an account", 40, lambda n: self.json("GET", "/api/sites", **owners[n])
        )
        new = {"projectName": f"new at {copies}"}
        await self.row(
            "make a site", 20, lambda n: self.json("POST", "/api/sites", new, **owners[n])
        )

    async def changes(self, prefix: str, sites: list[tuple[str, Headers]]) -> None:
        """One changed note published, to each of these sites or to one again and again."""

        async def change(number: int) -> None:
            site, owner = sites[number % len(sites)]
            self._turn = getattr(self, "_turn", 0) + 1
            await self.publish(site, {"note 1.md": note(1, f"Turn {self._turn}")}, owner)

        await self.row(f"{prefix}publish 1 changed note", 20, change)

    async def looks(self, prefix: str, sites: list[tuple[str, str, Headers]]) -> None:
        """What is told of a site in few words."""

        def at(number: int) -> tuple[str, str, Headers]:
            return sites[number % len(sites)]

        async def site(number: int) -> None:
            id_, _, owner = at(number)
            await self.json("GET", f"/api/sites/id/{id_}", **owner)

        async def name(number: int) -> None:
            await self.http_json(f"/api/sites/{at(number)[1]}")

        async def word(number: int) -> None:
            found = await self.http_json(f"/api/sites/id/{at(number)[0]}/status")
            assert found == {"status": "complete"}, found

        await self.row(f"{prefix}site by its id", 40, site)
        await self.row(f"{prefix}site by its name", 40, name)
        await self.row(f"{prefix}status for a visitor", 40, word)

    async def http_json(self, path: str) -> Any:  # noqa: ANN401
        """What a visitor is told."""
        async with self._http.get(self._url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def one(self, keys: int) -> None:
        """One site of so many files."""
        if keys > 10_000:
            return
        name = f"large{keys}"
        site = await self.site(name, folder(keys))
        user = (await self.json("GET", "/api/user"))["username"]
        path = f"{user}/{name}"
        await self.page(f"{path}/note+1")
        await self.changes("one site: ", [(site, self._headers)])
        await self.looks("one site: ", [(site, path, self._headers)])
        await self.row("one site: page, kept", 40, lambda _: self.page(f"{path}/note+2"))

        async def again(number: int) -> None:
            await self.publish(site, {"note 1.md": note(1, f"Again {number}")}, self._headers)
            await self.page(f"{path}/note+1")

        await self.row("one site: the same, and its page", 20, again)


def bearer(token: str) -> Headers:
    """Who asks."""
    return {"Authorization": f"Bearer {token}"}


def site_of(number: int) -> str:
    """The id of a copy."""
    return f"site_01s{number:023}"


def note(number: int, more: str = "") -> bytes:
    """A note with three links."""
    links = " ".join(f"[[note {n}]]" for n in range(3))
    return f"# Note {number}\n\n{links}\n\n{'words of a note ' * 20}\n\n{more}\n".encode()


def folder(count: int) -> dict[str, bytes]:
    """Files of which four in ten are notes, `NOTES_MAX` at most."""
    files = {}
    for number in range(count):
        is_note = number % 10 < 4 and number < NOTES_MAX * 10 // 4
        path = f"note {number}.md" if is_note else f"f{number % 50}/file {number}.txt"
        files[path] = note(number)
    return files


def manifest(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """What a command line says of files."""
    return [{"path": path, "size": len(data), "sha": sha1(data)} for path, data in files.items()]
