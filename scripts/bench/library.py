"""What a library of many files costs: reports and pages, with the CPU of server and PostgreSQL.

    python scripts/bench/library.py [--files 1000 10000 100000] [--times 20] [--core 0]

It starts a server with an embedded PostgreSQL and its defaults (fsync on) in a temporary folder, on
one core, and asks from the other, one request after the other over one connection. Each size is a
library of its own, filled by reports of 1,000 files. CPU is time on the processor for each request,
read from the kernel, with what was left to do behind it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._load.login import login
from scripts._load.probe import Probe
from scripts.bench.ascently import Climber, say
from scripts.bench.rest import serving

API = "/api/v1/sync"
BATCH = 1000
CONTENTS = (b"\xff the one", b"\xff the other")
HASHES = tuple(sha256(data).hexdigest() for data in CONTENTS)


def path_of(number: int) -> str:
    """A path as people have them."""
    return f"pictures/2026/{number // 500:04}/holiday {number:06}.jpg"


class Owner(Climber):
    """One device of a library over one connection."""

    async def arrive(self) -> None:
        """A fresh account whose library has both contents."""
        account = await asyncio.to_thread(login, self._url)
        self._headers = {"Authorization": f"Bearer {account.access_token}"}
        for number, data in enumerate(CONTENTS):
            body = {
                "target_path": f"content {number}.jpg",
                "expected_size": len(data),
                "expected_hash": HASHES[number],
            }
            upload = await self.json("POST", "/upload", body)
            await self.ask("PUT", f"{API}/upload/{upload['id']}/chunks/0", data)
            await self.json("POST", f"/upload/{upload['id']}/complete")

    async def json(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401
        """One request and its answer."""
        data = None if body is None else msgspec.json.encode(body)
        return msgspec.json.decode(await self.ask(method, API + path, data))

    async def report(self, changes: bytes) -> None:
        """A report of which all is accepted."""
        answer = msgspec.json.decode(await self.ask("POST", f"{API}/report", changes))
        assert len(answer["accepted"]) == BATCH, answer["conflicts"][:1]
        assert not answer["upload_required"]


def created(first: int) -> bytes:
    """The report of new files."""
    changes = [
        {"path": path_of(n), "change_type": "created", "content_hash": HASHES[0]}
        for n in range(first, first + BATCH)
    ]
    return msgspec.json.encode({"changes": changes})


def modified(first: int, turn: int, files: int) -> bytes:
    """The report of files that got the other content, all over the library."""
    before, after = (HASHES[(turn + each) % 2] for each in (0, 1))
    step = files // BATCH
    changes = [
        {
            "path": path_of((first + n * step) % files),
            "change_type": "modified",
            "content_hash": after,
            "base_hash": before,
        }
        for n in range(BATCH)
    ]
    return msgspec.json.encode({"changes": changes})


async def fill(owner: Owner, files: int, times: int) -> None:
    """The rows of one size."""
    await owner.arrive()
    bodies = [created(first) for first in range(0, files, BATCH)]
    figures = await owner.measured(len(bodies), lambda n: owner.report(bodies[n]))
    say(f"{files} files: report of 1,000 new", figures)
    edits = [modified(0, turn, files) for turn in range(times)]
    say("  report of 1,000 edits", await owner.measured(times, lambda n: owner.report(edits[n])))
    say("  the same again", await owner.measured(times, lambda _: owner.report(edits[-1])))
    cursors, has_more = [0], True
    while has_more:
        page = await owner.json("GET", f"/changes?limit={BATCH}&cursor={cursors[-1]}")
        cursors.append(page["cursor"])
        has_more = page["has_more"]

    async def page_at(number: int) -> None:
        cursor = cursors[number * (len(cursors) - 2) // times]
        found = await owner.json("GET", f"/changes?limit={BATCH}&cursor={cursor}")
        assert len(found["changes"]) >= min(BATCH, files) - BATCH // 10

    async def nothing(_: int) -> None:
        found = await owner.json("GET", f"/changes?cursor={cursors[-1]}")
        assert not found["changes"]

    say("  page of 1,000", await owner.measured(times, page_at))
    say("  nothing new", await owner.measured(times * 10, nothing))


async def run(url: str, pid: int, options: argparse.Namespace) -> None:
    """Measure each size against one server."""
    async with aiohttp.ClientSession() as http:
        for files in options.files:
            await fill(Owner(http, url, Probe(pid)), files, options.times)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--core", type=int, default=0, help="core of the server")
    options = parser.parse_args()
    with serving(options.core) as (url, pid):
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {options.core} or {0})
        uvloop.run(run(url, pid, options))


if __name__ == "__main__":
    main()
