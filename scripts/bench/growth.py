"""How the costs of sync grow with what a workspace or library holds: 1,000 to 1,000,000 keys.

    python scripts/bench/growth.py [--keys 1000 10000 100000 1000000] [--core 0] [--json FILE]

One workspace, one library and one heap of files grow on one server, with an embedded PostgreSQL and
its defaults (fsync on) in a temporary folder, on one core; one device asks from the other core, one
request at a time. What is there is filled in by SQL, as copies of blocks that were pushed, settled
and read like any other (`growth_fill.py`); what is measured goes through the API. At each size the
tables are vacuumed and analysed, as autovacuum does it. CPU is for each request, read from the
kernel, with what was left to do behind it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import sys
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._load.login import login
from scripts._load.probe import Probe
from scripts.bench import growth_plot
from scripts.bench.ascently import Climber
from scripts.bench.growth_fill import TEMPLATES, Filler, Library
from scripts.bench.library import BATCH, HASHES, Owner, path_of
from scripts.bench.rest_device import Device, Note, notes
from scripts.bench.rest_servers import database_of, serving

Figures = dict[str, float]
RARE = "xylophone"
"""A word that 20 blocks hold, whatever their number."""
FILE_BYTES = 64 * 1024
FILES_MAX = 100_000
FILES_OF_LIBRARY = 990_000
"""Just under what a library may hold."""


class Keeper(Climber):
    """A device with a workspace that grows."""

    def __init__(self, http: aiohttp.ClientSession, url: str, probe: Probe) -> None:
        super().__init__(http, url, probe)
        self._account = login(url)
        self._headers = {"Authorization": f"Bearer {self._account.access_token}"}
        self.device = Device(http, url, self._account)
        self.scope: str = self._account.workspace_id
        self.templates = notes(TEMPLATES)
        self._sentences: dict[int, int] = {}
        self._chance = random.Random(1)  # noqa: S311

    async def arrive(self) -> None:
        """Push the blocks of which all others are copies, and the few with the rare word."""
        await self.device.post("push", self.device.push_body(self.templates, 0))
        trashed = self.device.trash_body(self.templates[-1])
        await self.device.post("push", trashed)
        rare = self.device.push_body(notes(20), 0, f"{RARE} for the train")
        await self.device.post("push", rare)
        assert await self.search() == 20
        assert len((await self.get(f"/api/trash/{self.scope}"))["blocks"]) == 1

    async def get(self, path: str) -> Any:  # noqa: ANN401
        """One question and its answer."""
        return msgspec.json.decode(await self.ask("GET", path))

    async def post(self, path: str, body: Any) -> Any:  # noqa: ANN401
        """One question with a body, and its answer."""
        return msgspec.json.decode(await self.ask("POST", path, msgspec.json.encode(body)))

    async def upload(self, block: str, data: bytes) -> None:
        """A file in one go."""
        form = aiohttp.FormData()
        form.add_field("hash", sha256(data).hexdigest())
        form.add_field("file", data, filename="a.bin")
        url = f"{self._url}/api/upload/file/{self.scope}/{block}"
        async with self._http.post(url, data=form, headers=self._headers) as answer:
            assert answer.status in {200, 201}, await answer.read()

    async def part(self, block: str, digest: str, first: int, last: int) -> bytes:
        """A range of a file."""
        headers = {**self._headers, "Range": f"bytes={first}-{last}"}
        url = f"{self._url}/api/file/{block}/raw/{digest}"
        async with self._http.get(url, headers=headers) as answer:
            assert answer.status == 206, await answer.read()
            return await answer.read()

    async def search(self) -> int:
        """How many blocks have the rare word."""
        asked = {"heap_id": self.scope, "query": RARE}
        return len((await self.post("/api/search", asked))["results"])

    def anywhere(self, size: int, keys: int) -> list[int]:
        """Different blocks outside the trash, all over the workspace."""
        found: set[int] = set()
        while len(found) < size:
            number = self._chance.randrange(keys)
            if number % TEMPLATES != TEMPLATES - 1:
                found.add(number)
        return list(found)

    def note(self, number: int) -> Note:
        """A block that was filled in."""
        return Note(Filler.name_of(number), self.templates[number % TEMPLATES].client)

    def push_body(self, numbers: list[int]) -> bytes:
        """One more sentence for each of these blocks."""
        items = []
        for number in numbers:
            clock = self._sentences.get(number, 1)
            self._sentences[number] = clock + 1
            items.append(self.device.item(self.note(number), clock))
        return msgspec.json.encode({"blocks": items})

    def pull_body(self, numbers: list[int]) -> bytes:
        """A pull by a device that has all of these blocks."""
        items = [
            self.device.asked(self.note(number), self._sentences.get(number, 1))
            for number in numbers
        ]
        return msgspec.json.encode({"blocks": items})


async def alike(keeper: Keeper, number: int) -> None:
    """Check that a copy is told to a new device like the block of which it is a copy."""
    original = keeper.templates[number % TEMPLATES]
    body = keeper.device.pull_body([Note(Filler.name_of(number), original.client), original], 0)
    copy, first = (await keeper.device.post("pull", body))["results"]
    assert copy["status"] == first["status"] == "updated", copy
    assert copy["update"] == first["update"]
    assert copy["state_vector"] == first["state_vector"]


async def blocks(keeper: Keeper, filler: Filler, keys: int) -> dict[str, Figures]:
    """The rows of a workspace with so many blocks."""
    device, found = keeper.device, {}

    async def row(name: str, count: int, work: Callable[[int], Awaitable[Any]]) -> None:
        await work(count)  # Plans are made, caches are warm.
        found[name] = await keeper.measured(count, work)

    new = [device.push_body(notes(1), 0) for _ in range(41)]
    await row("push of 1 new block", 40, lambda n: device.post("push", new[n]))
    edits = [keeper.push_body(keeper.anywhere(100, keys)) for _ in range(11)]
    await row("push of 100 edits", 10, lambda n: device.post("push", edits[n]))
    pulls = [keeper.pull_body(keeper.anywhere(100, keys)) for _ in range(21)]

    async def pull(number: int) -> None:
        answer = await device.post("pull", pulls[number])
        assert {one["status"] for one in answer["results"]} == {"unchanged"}

    await row("pull of 100 unchanged", 20, pull)
    marker = (await device.delta(1 << 50))["server_time"]
    await device.post("push", keeper.push_body(keeper.anywhere(20, keys)))
    assert len((await device.delta(marker))["changed_blocks"]) == 20
    await row("delta, 20 behind its marker", 40, lambda _: device.delta(marker))
    await row("delta, first page of 1,000", 10, lambda _: device.delta(0))
    middle = await filler.middle()
    await row("delta, page in the middle", 10, lambda _: device.delta(middle))
    some = [keeper.note(number).block for number in keeper.anywhere(41, keys)]
    await row("one block", 40, lambda n: keeper.post(f"/api/block/{some[n]}", {}))
    await row("search, 20 matches", 20, lambda _: keeper.search())
    heap = {"heap_id": keeper.scope}
    await row("trash, a page", 20, lambda _: keeper.get(f"/api/trash/{keeper.scope}?limit=20"))
    page = {**heap, "limit": 50}
    await row("list, first page of 50", 20, lambda _: keeper.post("/api/heap", page))
    await row("count", 20, lambda _: keeper.post("/api/heap_count", heap))
    await row("stats", 5, lambda _: keeper.get(f"/api/heap/stats/{keeper.scope}"))
    return found


async def files(keeper: Keeper) -> dict[str, Figures]:
    """The rows of files, with as many there, and `FILES_MAX` at most."""
    data = [secrets.token_bytes(FILE_BYTES) for _ in range(31)]
    names = [note.block for note in notes(31)]

    async def upload(number: int) -> None:
        await keeper.upload(names[number], data[number])

    await upload(30)
    found = {"upload of 64 kB": await keeper.measured(30, upload)}

    async def part(number: int) -> None:
        digest = sha256(data[number]).hexdigest()
        got = await keeper.part(names[number], digest, 1000, 4000)
        assert got == data[number][1000:4001]

    await part(30)
    found["range of 3 kB"] = await keeper.measured(30, part)
    return found


async def library(owner: Owner, shelf: Library, keys: int) -> dict[str, Figures]:
    """The rows of a library with so many files."""
    chance = random.Random(2)  # noqa: S311

    def report(number: int) -> bytes:
        del number
        changes = []
        for place in chance.sample(range(keys), 100):
            before = shelf.turns.get(place, 0)
            shelf.turns[place] = 1 - before
            changes.append({
                "path": path_of(place), "change_type": "modified",
                "content_hash": HASHES[1 - before], "base_hash": HASHES[before],
            })  # fmt: skip
        return msgspec.json.encode({"changes": changes})

    edits = [report(number) for number in range(11)]

    async def edit(number: int) -> None:
        answer = await owner.ask("POST", "/api/v1/sync/report", edits[number])
        assert len(msgspec.json.decode(answer)["accepted"]) == 100

    await edit(10)
    found = {"library: report of 100 edits": await owner.measured(10, edit)}
    middle, end = await shelf.middle(), await shelf.end()

    async def page(_: int) -> None:
        got = await owner.json("GET", f"/changes?limit={BATCH}&cursor={middle}")
        assert len(got["changes"]) >= min(BATCH, keys // 2) - 1

    await page(0)
    found["library: page in the middle"] = await owner.measured(10, page)
    nothing = await owner.measured(40, lambda _: owner.json("GET", f"/changes?cursor={end}"))
    return found | {"library: nothing new": nothing}


async def run(url: str, pid: int, options: argparse.Namespace) -> dict[str, dict[str, Figures]]:
    """All rows at all sizes."""
    probe = Probe(pid)
    dsn = database_of(min(probe.postgres_pids()))
    found: dict[str, dict[str, Figures]] = {}
    async with aiohttp.ClientSession() as http:
        keeper, owner = Keeper(http, url, probe), Owner(http, url, probe)
        await keeper.arrive()
        await owner.arrive()
        filler = Filler(dsn, keeper.scope, [note.block for note in keeper.templates])
        shelf = Library(dsn)
        for keys in options.keys:
            await filler.fill(keys, min(keys, FILES_MAX))
            held = min(keys, FILES_OF_LIBRARY)
            await shelf.fill(held, path_of, HASHES[0])
            if options.pause:
                await asyncio.to_thread(input, f"{keys} keys are there; Enter goes on ")
            await alike(keeper, keys - 2)
            print(f"-- {keys:,} keys", flush=True)
            rows: dict[str, Figures] = {}
            found[str(keys)] = rows
            for part in (
                blocks(keeper, filler, keys),
                files(keeper),
                library(owner, shelf, held),
            ):
                rows |= said(await part)
    return found


def said(rows: dict[str, Figures]) -> dict[str, Figures]:
    """Print these rows, and answer them."""
    for name, figures in rows.items():
        print(f"{name:34}", "  ".join(f"{key} {value}" for key, value in figures.items()))
    sys.stdout.flush()
    return rows


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    sizes = [1000, 10_000, 100_000, 1_000_000]
    parser.add_argument("--keys", type=int, nargs="+", default=sizes)
    parser.add_argument("--core", type=int, default=0, help="core of the server (0)")
    parser.add_argument("--pause", action="store_true", help="wait for Enter after each filling")
    parser.add_argument("--plots", metavar="FOLDER", help="draw growth.svg there")
    parser.add_argument("--json", metavar="FILE", help="write all figures as JSON")
    options = parser.parse_args()
    with serving(options.core) as (url, pid):
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {options.core} or {0})
        found = uvloop.run(run(url, pid, options))
    print(growth_plot.table(found))
    if options.plots:
        growth_plot.write(found, Path(options.plots))
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
