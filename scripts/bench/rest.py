"""What sync over REST costs: pushes, pulls and deltas, with the CPU of server and PostgreSQL.

    python scripts/bench/rest.py [--seconds 3] [--blocks 100000] [--core 0] [--json FILE]

It starts a server with an embedded PostgreSQL and its defaults (fsync on) in a temporary folder, on
one core, and asks from the other, one request after the other over one connection: the rates are
those of one device. Where there is a build (scripts/compile) all rows are of that, and the
comparison with the bare handlers is made once more for an interpreted server. Bodies are made
before the clock runs. CPU is time on the processor, read from the kernel, per request or per block;
PostgreSQL's is its whole process tree, autovacuum included.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from crdt.document import state_vector_of
from scripts._load.login import login
from scripts._load.probe import Probe
from scripts.bench.rest_device import Device, Note, insertion, notes
from scripts.bench.rest_servers import bare, database_of, serving

LULL_S = 0.3
PULL = "pull 1000 unchanged"
TURNS = 6
"""How often the servers that are compared take turns: what else a machine does comes in waves."""

Figures = dict[str, float]


async def quiet(probe: Probe, most_s: float = 30.0) -> None:
    """Wait until the server has nothing left to do: settling, search and relations run behind."""
    for _ in range(int(most_s / LULL_S)):
        probe.refresh()
        before = probe.cpu()
        await asyncio.sleep(LULL_S)
        used = probe.cpu().since(before)
        if used.server + used.postgres < 0.05 * LULL_S:
            return


async def timed(
    probe: Probe, seconds: float, requests: AsyncIterator[Callable[[], Awaitable[Any]]], per: int
) -> Figures:
    """Send requests one after the other for so long; rates, and CPU for each block or entry.

    CPU is given twice: while the requests were answered, and with all that was left to do behind.
    """
    await quiet(probe)
    cpu, started, count, worst = probe.cpu(), time.perf_counter(), 0, 0.0
    async for send in requests:
        at = time.perf_counter()
        await send()
        worst = max(worst, time.perf_counter() - at)
        count += 1
        if time.perf_counter() - started >= seconds:
            break
    took = time.perf_counter() - started
    answering = probe.cpu().since(cpu)
    await quiet(probe)
    whole = probe.cpu().since(cpu)
    each = max(1, count) * per / 1e6
    return {
        "requests_per_s": round(count / took, 1),
        "blocks_per_s": round(count * per / took),
        "ms_each": round(took / max(1, count) * 1000, 2),
        "ms_worst": round(worst * 1000, 2),
        "server_us": round(answering.server / each, 1),
        "postgres_us": round(answering.postgres / each, 1),
        "server_us_in_all": round(whole.server / each, 1),
        "postgres_us_in_all": round(whole.postgres / each, 1),
    }


def both(figures: Figures) -> float:
    """CPU of server and PostgreSQL while requests were answered."""
    return figures["server_us"] + figures["postgres_us"]


class Bench:
    """All rows against one server."""

    def __init__(self, device: Device, probe: Probe, seconds: float) -> None:
        self.device, self.probe, self._seconds = device, probe, seconds
        self.rows: dict[str, Figures] = {}
        self.turns: dict[str, list[float]] = {}
        """CPU in each turn of a comparison."""

    async def _row(
        self,
        name: str,
        bodies: Callable[[], AsyncIterator[tuple[str, bytes]]],
        per: int,
        seconds: float = 0.0,
    ) -> None:
        async def requests() -> AsyncIterator[Callable[[], Awaitable[Any]]]:
            async for route, body in bodies():
                yield partial(self.device.post, route, body)

        self.say(name, await timed(self.probe, seconds or self._seconds, requests(), per))

    def say(self, name: str, figures: Figures) -> None:
        """Keep a row and print it."""
        self.rows[name] = figures
        print(f"{name:34}", "  ".join(f"{key} {value}" for key, value in figures.items()))

    async def pushes(self, size: int) -> None:
        """New blocks, then another sentence for blocks that are there."""
        device = self.device
        many = max(20, min(3000, 12_000 // size))

        async def new() -> AsyncIterator[tuple[str, bytes]]:
            for body in [device.push_body(notes(size), 0) for _ in range(many)]:
                yield "push", body

        await self._row(f"push {size}, new blocks", new, size)
        mine = notes(size)
        await device.post("push", device.push_body(mine, 0))

        async def more() -> AsyncIterator[tuple[str, bytes]]:
            for body in [device.push_body(mine, clock) for clock in range(1, many)]:
                yield "push", body

        await self._row(f"push {size}, another sentence", more, size)
        last = device.push_body(mine, 1)

        async def again() -> AsyncIterator[tuple[str, bytes]]:
            for _ in range(100_000):
                yield "push", last

        await self._row(f"push {size}, replayed", again, size)

    async def pulls(self, size: int) -> None:
        """A device that has all, one that lacks a sentence of each, and one that has nothing."""
        device = self.device
        mine = notes(size)
        for clock in range(5):
            await device.post("push", device.push_body(mine, clock))
        await device.delta(0)
        for name, clock in (("unchanged", 5), ("changed", 4), ("whole", 0)):
            body = device.pull_body(mine, clock)

            async def same(body: bytes = body) -> AsyncIterator[tuple[str, bytes]]:
                for _ in range(100_000):
                    yield "pull", body

            await self._row(f"pull {size}, {name}", same, size)

    async def beside(self, ours: Bench, engine: str) -> None:
        """A push of 100 and a pull of 1,000, by this server and by ours in turn.

        Ours asks nothing about blocks that it has open: so a bare handler that remembers what it
        found pushes, too.
        """
        for _ in range(TURNS):
            for bench, name in ((ours, engine), (self, "bare")):
                # Rows that another writes are news to a server: each has blocks of its own. And
                # new ones each turn, as pycrdt counts the whole of a text again for each update.
                pushed, pulled = notes(100), notes(1000)
                for mine in (pushed, pulled):
                    await ours.device.post("push", ours.device.push_body(mine, 0))
                await ours.device.delta(0)
                await bench.one_of(f"push 100, {name}", "push", pushed, itertools.count(1))
                same = itertools.repeat(1)
                await bench.one_of(f"{PULL}, {name}", "pull", pulled, same)
            known = notes(100)
            await ours.device.post("push", ours.device.push_body(known, 0))
            await self.one_of("push 100, bare, knowing", "push_known", known, itertools.count(1))
        rows = ours.rows | self.rows
        for row, peer in (("push 100", "bare"), ("push 100", "bare, knowing"), (PULL, "bare")):
            mine, theirs = (both(rows[f"{row}, {name}"]) for name in (engine, peer))
            turns = zip(ours.turns[f"{row}, {engine}"], self.turns[f"{row}, {peer}"], strict=True)
            ratios = {
                "ratio_of_cpu": round(mine / theirs, 2),
                "median_of_turns": round(statistics.median(one / other for one, other in turns), 2),
            }
            ours.say(f"{row}, {engine} / {peer}", ratios)

    async def one_of(self, name: str, route: str, mine: list[Note], clock: Iterator[int]) -> None:
        """A turn in the comparison; the cheapest stays, with its PostgreSQL."""
        make = self.device.pull_body if route == "pull" else self.device.push_body

        async def bodies() -> AsyncIterator[tuple[str, bytes]]:
            while True:  # Made one by one: what is not sent would be missing in the next run.
                yield route, make(mine, next(clock))

        before = self.rows.get(name)
        await self._row(name, bodies, len(mine), self._seconds / 2)
        self.turns.setdefault(name, []).append(both(self.rows[name]))
        if before is not None and both(before) < both(self.rows[name]):
            self.rows[name] = before

    async def deltas(self, blocks: int) -> None:
        """The whole chain over a large workspace, and a marker with few matches behind it."""
        device = self.device
        present = (await device.delta(0))["total_changed"]
        while present < blocks:
            size = min(1000, blocks - present)
            await device.post("push", device.push_body(notes(size), 0))
            present += size
        await device.delta(0)
        pages = await self._chain()
        recent = pages[-1]["changed_blocks"][-21]["updated_at"]

        async def chain() -> AsyncIterator[Callable[[], Awaitable[Any]]]:
            for _ in range(3):
                yield self._chain

        self.say(f"delta, chain over {blocks}", await timed(self.probe, 0, chain(), len(pages)))
        self.rows[f"delta, chain over {blocks}"]["pages"] = len(pages)

        async def few() -> AsyncIterator[Callable[[], Awaitable[Any]]]:
            for _ in range(100_000):
                yield lambda: device.delta(recent)

        self.say("delta, 20 matches", await timed(self.probe, self._seconds, few(), 1))

    async def _chain(self) -> list[Any]:
        pages, since, has_more = [], 0, True
        while has_more:
            pages.append(await self.device.delta(since))
            since, has_more = pages[-1]["server_time"], pages[-1]["has_more"]
        return pages


async def engine_of(http: aiohttp.ClientSession, url: str) -> str:
    """Whether a server is compiled or interpreted."""
    async with http.get(f"{url}/api/health") as response:
        engine: str = (await response.json())["diagnostics"]["engine"]
    return engine


async def run(url: str, pid: int, options: argparse.Namespace) -> dict[str, Figures]:
    """All rows against one server, and those of the bare handlers beside it."""
    async with aiohttp.ClientSession() as http:
        account = login(url)
        bench = Bench(Device(http, url, account), Probe(pid), options.seconds)
        for size in options.sizes:
            await bench.pushes(size)
        if options.sizes:
            await bench.pulls(1000)
        postmaster = min(bench.probe.postgres_pids())
        with bare(options.core, database_of(postmaster)) as (bare_url, bare_pid):
            probe = Probe(bare_pid, postmaster)
            beside = Bench(Device(http, bare_url, account), probe, options.seconds)
            await beside.beside(bench, await engine_of(http, url))
        if options.blocks:
            await bench.deltas(options.blocks)
    return bench.rows


def main() -> None:
    """Run all rows and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a row (3)")
    parser.add_argument("--blocks", type=int, default=100_000, help="blocks of the delta (100,000)")
    parser.add_argument("--core", type=int, default=0, help="core of the server (0)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1, 100, 1000], help="of pushes")
    parser.add_argument("--json", metavar="FILE", help="write all figures as JSON")
    options = parser.parse_args()
    # Our state vectors must be what the server computes, or every row measures the wrong thing.
    assert state_vector_of(insertion(5, 0, "abc")) == b"\x01\x05\x03"
    mine = set(range(os.cpu_count() or 1)) - {options.core} or {0}
    with serving(options.core) as (url, pid):
        os.sched_setaffinity(0, mine)
        rows = uvloop.run(run(url, pid, options))
    if any("compiled" in name for name in rows):
        # The same comparison for who does not compile; the other rows are of the build.
        options.sizes, options.blocks = [], 0
        with serving(options.core, "--compiled", "false") as (url, pid):
            os.sched_setaffinity(0, mine)
            rows |= uvloop.run(run(url, pid, options))
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
