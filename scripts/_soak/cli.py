"""scripts/soak: people come and go without end; afterwards nothing of them may be left.

A server of its own is started, churned for a while to be warm, and left alone until it is empty:
that is the base line. Then the churn proper, and rest again. Memory, tasks, loaded documents,
sessions, connections and file handles must be back. Exit 1 where one is not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import aiohttp

from scripts._load.login import login
from scripts._soak.churn import Churn, Idle
from scripts._soak.served import Sample, Soaked

REST_S_MAX = 120.0
QUIET_LOOKS = 4
"""So many looks in a row, a quarter of a second apart, must find nobody."""
BARS = " ▁▂▃▄▅▆▇█"
ALLOWED = {"tasks": 3, "handles": 8, "rooms": 0, "sessions": 0, "connections": 0}
"""How far above the base line each may end."""
MEMORY_SHARE, MEMORY_MB = 0.10, 24.0
"""Likewise the memory: allocators keep what they once had, within this."""


async def rest(
    server: Soaked, http: aiohttp.ClientSession, samples: list[Sample], base: Sample | None = None
) -> Sample:
    """Wait until nobody is there any more and all is back, as far as there is a base line."""
    end = time.monotonic() + REST_S_MAX
    quiet = 0
    while quiet < QUIET_LOOKS and time.monotonic() < end:
        await asyncio.sleep(0.25)
        samples.append(await server.sample(http))
        last = samples[-1]
        is_over = not (last.rooms or last.sessions or last.connections)
        is_back = base is None or all(now <= most for _, now, most in judged(base, last).values())
        quiet = quiet + 1 if is_over and is_back else 0
    return samples[-1]


async def watch(server: Soaked, samples: list[Sample], every_s: float) -> None:
    """Look every so often."""
    async with aiohttp.ClientSession(server.url) as http:
        while True:
            samples.append(await server.sample(http))
            await asyncio.sleep(every_s)


async def soak(server: Soaked, options: argparse.Namespace) -> tuple[list[Sample], Sample, Churn]:
    """Warm up, rest, churn, rest: all samples, and the one of the base line."""
    samples: list[Sample] = []
    token = (await asyncio.to_thread(login, server.url)).access_token
    warm_s = max(2.0, min(60.0, options.seconds / 4))
    async with aiohttp.ClientSession(server.url) as http:
        await Churn(server.url, token, 1).for_(warm_s, options.people)
        base = await rest(server, http, samples)
        churn = Churn(server.url, token, options.seed)
        watching = asyncio.create_task(watch(server, samples, max(0.5, options.seconds / 200)))
        async with Idle(server.url, token, options.idle) as idle:
            left = options.seconds
            while left > 0:  # Tokens are good for a quarter of an hour.
                known = await asyncio.to_thread(login, server.url)
                churn.token = idle.token = known.access_token
                await churn.for_(min(left, 600), options.people)
                left -= 600
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await rest(server, http, samples, base)
    return samples, base, churn


def judged(base: Sample, end: Sample) -> dict[str, tuple[float, float, float]]:
    """For each quantity: base line, end, and the most that it may be."""
    found = {
        name: (getattr(base, name), getattr(end, name), getattr(base, name) + over)
        for name, over in ALLOWED.items()
    }
    most = base.memory_mb * (1 + MEMORY_SHARE) + MEMORY_MB
    found["memory_mb"] = (base.memory_mb, end.memory_mb, round(most, 1))
    return found


def plot(values: list[float], width: int = 60) -> str:
    """One line of bars, from the smallest to the largest."""
    step = max(1, len(values) // width)
    shown = [max(values[at : at + step]) for at in range(0, len(values), step)]
    low, high = min(shown), max(shown)
    return "".join(BARS[round((v - low) / ((high - low) or 1) * (len(BARS) - 1))] for v in shown)


def show(samples: list[Sample], base: Sample, churn: Churn) -> bool:
    """Print the table and the curves; whether all is back."""
    end = samples[-1]
    rows = judged(base, end)
    print(f"{churn.visits} visits, {churn.updates} updates, {churn.refused} refused")
    print(f"{'':12} {'base':>8} {'peak':>8} {'end':>8} {'most':>8}")
    for name, (before, after, most) in rows.items():
        values = [float(getattr(sample, name)) for sample in samples]
        mark = "" if after <= most else "   LEAKS"
        print(f"{name:12} {before:8g} {max(values):8g} {after:8g} {most:8g}{mark}  {plot(values)}")
    return all(after <= most for _, after, most in rows.values())


def main() -> int:
    """Run it; 1 where something did not come back."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long (%(default)g)")
    parser.add_argument("--hour", action="store_true", help="an hour")
    parser.add_argument("--seconds", type=float, help="a short one")
    parser.add_argument("--people", type=int, default=30, help="how many at a time (%(default)s)")
    parser.add_argument("--idle", type=int, default=1000, help="sockets that stay (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="for the same churn again")
    parser.add_argument("--json", type=Path, help="write every sample into a file")
    options = parser.parse_args()
    if options.seconds is None:
        options.seconds = 3600.0 if options.hour else options.minutes * 60
    with tempfile.TemporaryDirectory(prefix="plait-soak-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # Root's PostgreSQL runs as another user.
        server = Soaked(Path(folder))
        try:
            samples, base, churn = asyncio.run(soak(server, options))
        finally:
            server.stop()
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(sample) for sample in samples]))
    return 0 if show(samples, base, churn) else 1


if __name__ == "__main__":
    sys.exit(main())
