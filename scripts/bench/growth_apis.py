"""How the costs of difflog, Ascently and Flowershow grow: 1,000 to 1,000,000 keys.

    python scripts/bench/growth_apis.py difflog [--keys 1000 10000 100000 1000000] [--core 0]

A key is a diff or a star, an attempt, a file. At each size the server holds so many of them, in
profiles, datasets and sites that were filled in by SQL (`growth_copies.py`), and at sizes that one
may have, one profile, dataset or site has so many by itself, through the API. The rest is as in
`growth.py`: an embedded PostgreSQL on the server's core, fsync on, tables analysed, one device, one
request at a time, CPU read from the kernel.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

import aiohttp
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._load.probe import Probe
from scripts.bench import growth_plot
from scripts.bench.growth_ascently import Ascender
from scripts.bench.growth_asker import Asker, Figures
from scripts.bench.growth_copies import Copies
from scripts.bench.growth_difflog import Differ
from scripts.bench.growth_sites import Publisher
from scripts.bench.rest_servers import database_of, serving

APIS: dict[str, type[Asker]] = {"difflog": Differ, "ascently": Ascender, "flowershow": Publisher}


async def run(url: str, pid: int, options: argparse.Namespace) -> dict[str, dict[str, Figures]]:
    """All rows of an API at all sizes."""
    probe = Probe(pid)
    dsn = database_of(min(probe.postgres_pids()))
    found: dict[str, dict[str, Figures]] = {}
    async with aiohttp.ClientSession() as http:
        asker = APIS[options.api](http, url, probe, dsn)
        await asker.arrive()
        copies = Copies(dsn, await asker.originals(), asker.patch)
        for keys in options.keys:
            await copies.fill(keys // asker.unit)
            print(f"-- {keys:,} keys", flush=True)
            if options.pause:
                await asyncio.to_thread(input, "Enter goes on ")
            asker.rows = found[str(keys)] = {}
            await asker.many(keys // asker.unit)
            await asker.one(keys)
    return found


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("api", choices=APIS)
    sizes = [1000, 10_000, 100_000, 1_000_000]
    parser.add_argument("--keys", type=int, nargs="+", default=sizes)
    parser.add_argument("--core", type=int, default=0, help="core of the server (0)")
    parser.add_argument("--pause", action="store_true", help="wait for Enter after each filling")
    parser.add_argument("--plots", metavar="FOLDER", help="draw growth-API.svg there")
    parser.add_argument("--json", metavar="FILE", help="add all figures to those of a file")
    options = parser.parse_args()
    with serving(options.core) as (url, pid):
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {options.core} or {0})
        found = uvloop.run(run(url, pid, options))
    if options.json:
        file = Path(options.json)
        found = (json.loads(file.read_text()) if file.exists() else {}) | found
        found = dict(sorted(found.items(), key=lambda item: int(item[0])))
        file.write_text(json.dumps(found, indent=1))
    print(growth_plot.table(found))
    if options.plots:
        growth_plot.write(found, Path(options.plots), f"growth-{options.api}")


if __name__ == "__main__":
    main()
