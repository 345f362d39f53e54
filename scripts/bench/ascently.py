"""What a climber's sync costs: whole datasets and deltas, with the CPU of server and PostgreSQL.

    python scripts/bench/ascently.py [--attempts 1000 20000 50000] [--deltas 40] [--core 0]

It starts a server with an embedded PostgreSQL and its defaults (fsync on) in a temporary folder, on
one core, and asks from the other, one request after the other over one connection. Each size is a
climber of its own: one whole upload, one download, then deltas of ten changed attempts. CPU is time
on the processor for each request, read from the kernel, with what was left to do behind it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._load.login import login
from scripts._load.probe import Probe
from scripts.bench.rest import Figures, quiet, serving

START = datetime(2026, 1, 1, tzinfo=UTC)
CHANGES = 10


def moment(second: int) -> str:
    """A time as phones write it."""
    at = START + timedelta(seconds=second)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def attempt(number: int, second: int) -> dict[str, Any]:
    """An attempt with the fields that phones send."""
    return {
        "id": f"3f2b7c1e-0000-4000-8000-{number:012}",
        "sessionId": f"3f2b7c1e-0000-4000-9000-{number // 30:012}",
        "problemId": f"3f2b7c1e-0000-4000-a000-{number % 200:012}",
        "result": "SUCCESS" if number % 3 else "FALL",
        "highestHold": None,
        "notes": "left foot higher" if number % 7 == 0 else None,
        "duration": 40 + number % 50,
        "restTime": 180,
        "timestamp": moment(number),
        "createdAt": moment(number),
        "updatedAt": moment(second),
    }


class Climber:
    """One phone over one connection."""

    def __init__(self, http: aiohttp.ClientSession, url: str, probe: Probe) -> None:
        self._http, self._url, self._probe = http, url, probe
        self._headers: dict[str, str] = {}

    async def arrive(self) -> None:
        """A fresh account and its phone's token."""
        account = await asyncio.to_thread(login, self._url)
        bearer = {"Authorization": f"Bearer {account.access_token}"}
        body = {"name": "bench", "scopes": ["ascently:write"]}
        async with self._http.post(
            f"{self._url}/api/access-tokens", json=body, headers=bearer
        ) as answer:
            token = (await answer.json())["token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        """One request, which must succeed."""
        async with self._http.request(
            method, self._url + path, data=data, headers=self._headers
        ) as answer:
            body = await answer.read()
            assert answer.status == 200, body[:200]
            return body

    async def measured(self, count: int, work: Callable[[int], Awaitable[Any]]) -> Figures:
        """Do something so often; time and CPU of each."""
        await quiet(self._probe)
        cpu, took = self._probe.cpu(), []
        for number in range(count):
            started = time.perf_counter()
            await work(number)
            took.append(time.perf_counter() - started)
        await quiet(self._probe)
        used = self._probe.cpu().since(cpu)
        return {
            "ms_median": round(sorted(took)[count // 2] * 1000, 1),
            "ms_worst": round(max(took) * 1000, 1),
            "server_ms": round(used.server / count * 1000, 2),
            "postgres_ms": round(used.postgres / count * 1000, 2),
        }


async def climb(climber: Climber, attempts: int, deltas: int) -> None:
    """The rows of one size."""
    await climber.arrive()
    whole = msgspec.json.encode({"attempts": [attempt(n, n) for n in range(attempts)]})

    async def upload(_: int) -> None:
        await climber.ask("POST", "/sync", whole)

    say(f"upload {attempts}", await climber.measured(1, upload))
    say("  the same again", await climber.measured(1, upload))
    say("  download", await climber.measured(3, lambda _: climber.ask("GET", "/sync")))
    cursor = moment(attempts)

    async def delta(number: int) -> None:
        nonlocal cursor
        first = (number * CHANGES) % attempts
        changed = [attempt(n, attempts + number + 1) for n in range(first, first + CHANGES)]
        body = msgspec.json.encode({"lastSyncTime": cursor, "attempts": changed})
        answer = msgspec.json.decode(await climber.ask("POST", "/sync/delta", body))
        cursor = answer["serverTime"]
        assert len(answer["attempts"]) == CHANGES

    await delta(deltas)
    say(f"  delta of {CHANGES}", await climber.measured(deltas, delta))


def say(name: str, figures: Figures) -> None:
    """One row."""
    print(f"{name:22}", "  ".join(f"{key} {value}" for key, value in figures.items()), flush=True)


async def run(url: str, pid: int, options: argparse.Namespace) -> None:
    """Measure each size against one server."""
    async with aiohttp.ClientSession() as http:
        for attempts in options.attempts:
            await climb(Climber(http, url, Probe(pid)), attempts, options.deltas)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--attempts", type=int, nargs="+", default=[1000, 20_000, 50_000])
    parser.add_argument("--deltas", type=int, default=40)
    parser.add_argument("--core", type=int, default=0, help="core of the server")
    options = parser.parse_args()
    with serving(options.core) as (url, pid):
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {options.core} or {0})
        uvloop.run(run(url, pid, options))


if __name__ == "__main__":
    main()
