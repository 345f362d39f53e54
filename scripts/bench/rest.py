"""What sync over REST costs: pushes, pulls and deltas, with the CPU of server and PostgreSQL.

    python scripts/bench/rest.py [--seconds 3] [--blocks 100000] [--core 0] [--json FILE]

It starts a server with an embedded PostgreSQL and its defaults (fsync on) in a temporary folder, on
one core, and asks from the other, one request after the other over one connection: the rates are
those of one device. Where there is a build (scripts/compile) all rows are of that, and the
comparison with the bare handlers (`rest_beside.py`) is made once more for an interpreted server.
CPU is time on the processor, read from the kernel, per request or per block; PostgreSQL's is its
whole process tree, autovacuum included. Bodies are made before the clock runs, but for those of the
comparison: they are made between its requests, on the device's core, which lowers the rates it
prints and no CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable
from functools import partial
from pathlib import Path

import aiohttp
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from crdt.document import state_vector_of
from scripts._load.login import login
from scripts._load.probe import Probe
from scripts.bench.rest_beside import (
    DELTA,
    MATCHES,
    Beside,
    Figures,
    Send,
    both,
    small_deltas,
    stamps,
)
from scripts.bench.rest_device import Device, insertion, notes
from scripts.bench.rest_servers import bare, database_of, serving

LULL_S = 0.3


async def quiet(probe: Probe, most_s: float = 30.0) -> None:
    """Wait until the server has nothing left to do: settling, search and relations run behind."""
    for _ in range(int(most_s / LULL_S)):
        probe.refresh()
        before = probe.cpu()
        await asyncio.sleep(LULL_S)
        used = probe.cpu().since(before)
        if used.server + used.postgres < 0.05 * LULL_S:
            return


async def timed(probe: Probe, seconds: float, requests: AsyncIterator[Send], per: int) -> Figures:
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


class Bench:
    """All rows against one server."""

    def __init__(self, device: Device, probe: Probe, seconds: float) -> None:
        self.device, self.probe, self._seconds = device, probe, seconds
        self.rows: dict[str, Figures] = {}
        self.turns: dict[str, list[float]] = {}
        """CPU in each turn of a comparison."""

    async def _row(self, name: str, route: str, bodies: Iterable[bytes], per: int) -> None:
        async def requests() -> AsyncIterator[Send]:
            for body in bodies:
                yield partial(self.device.post, route, body)

        self.say(name, await timed(self.probe, self._seconds, requests(), per))

    async def turn(self, name: str, requests: AsyncIterator[Send], per: int) -> None:
        """A turn in the comparison; the cheapest stays, with its PostgreSQL."""
        before = self.rows.get(name)
        figures = await timed(self.probe, self._seconds / 2, requests, per)
        self.say(name, figures)
        self.turns.setdefault(name, []).append(both(figures))
        if before is not None and both(before) < both(figures):
            self.rows[name] = before

    def say(self, name: str, figures: Figures) -> None:
        """Keep a row and print it."""
        self.rows[name] = figures
        print(f"{name:34}", "  ".join(f"{key} {value}" for key, value in figures.items()))

    async def pushes(self, size: int) -> None:
        """New blocks, then another sentence for blocks that are there."""
        device = self.device
        many = max(20, min(3000, 12_000 // size))
        new = [device.push_body(notes(size), 0) for _ in range(many)]
        await self._row(f"push {size}, new blocks", "push", new, size)
        mine = notes(size)
        await device.post("push", device.push_body(mine, 0))
        more = [device.push_body(mine, clock) for clock in range(1, many)]
        await self._row(f"push {size}, another sentence", "push", more, size)
        again = itertools.repeat(device.push_body(mine, 1))
        await self._row(f"push {size}, replayed", "push", again, size)

    async def pulls(self, size: int) -> None:
        """A device that has all, one that lacks a sentence of each, and one that has nothing."""
        device = self.device
        mine = notes(size)
        for clock in range(5):
            await device.post("push", device.push_body(mine, clock))
        await device.delta(0)
        for name, clock in (("unchanged", 5), ("changed", 4), ("whole", 0)):
            body = device.pull_body(mine, clock)
            await self._row(f"pull {size}, {name}", "pull", itertools.repeat(body), size)

    async def deltas(self, blocks: int) -> None:
        """The whole chain over a large workspace, and a marker with few matches behind it."""
        device = self.device
        present = (await device.delta(0))["total_changed"]
        while present < blocks:
            size = min(1000, blocks - present)
            await device.post("push", device.push_body(notes(size), 0))
            present += size
        await device.delta(0)
        pages = await device.chain()
        recent = stamps(pages)[-MATCHES - 1]

        async def chain() -> AsyncIterator[Send]:
            for _ in range(3):
                yield device.chain

        self.say(f"delta, chain over {blocks}", await timed(self.probe, 60, chain(), len(pages)))
        self.rows[f"delta, chain over {blocks}"]["pages"] = len(pages)
        few = await timed(self.probe, self._seconds, small_deltas(self, recent), 1)
        self.say(f"{DELTA}, behind {blocks}", few)


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
            await Beside(bench, beside, await engine_of(http, url)).run()
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
