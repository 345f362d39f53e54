"""What it costs to be several: updates and presence from one node to another, and total throughput.

    python scripts/bench/nodes.py [--bus nats|notify] [--rate 1000] [--seconds 8] [--nodes 2]

Fifty documents; the writer of each is at one node and its reader at another (with --nodes 1: at the
same). Everything, this program included, shares the machine's cores, so the CPU is printed of each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pycrdt
from nacl.signing import SigningKey

from crdt import wire
from crdt.awareness import Entry, encode
from scripts._cluster.nodes import Cluster
from scripts._load.login import login

BEAT_S = 0.01
PRESENCE_S = 1.0
SETTLE_S = 20.0


class Pair:
    """A writer of one document and its reader elsewhere."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.document: Any = pycrdt.Doc()
        self.text: Any = self.document.get("text", type=pycrdt.Text)
        self.sent: dict[bytes, float] = {}
        self.shown: dict[int, float] = {}
        self.late: list[float] = []
        self.presence: list[float] = []
        self.acknowledged = 0
        self.clock = 0
        self._last: list[bytes] = []
        self.document.observe(lambda event: self._last.append(event.update))

    async def connect(self, here: str, there: str, token: str, http: aiohttp.ClientSession) -> None:
        """The writer here, the reader there."""
        self.writer = await http.ws_connect(f"{here}/ws/{self.name}?token={token}")
        self.reader = await http.ws_connect(f"{there}/ws/{self.name}?token={token}")
        await self.writer.send_bytes(wire.step1(b"\0"))
        await self.reader.send_bytes(wire.step1(b"\0"))
        self.tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._back())]

    async def type(self) -> None:
        """One letter."""
        self._last.clear()
        self.text += "x"
        update = self._last[0]
        self.sent[update] = time.perf_counter()
        await self.writer.send_bytes(wire.update(update))

    async def move(self) -> None:
        """One move of the cursor."""
        self.clock += 1
        self.shown[self.clock] = time.perf_counter()
        entry = Entry(self.document.client_id, self.clock, b'{"cursor": {"anchor": 1, "head": 2}}')
        await self.writer.send_bytes(wire.awareness(encode([entry])))

    async def _hear(self) -> None:
        async for message in self.reader:
            now = time.perf_counter()
            for kind, payload in wire.decode_y_all(message.data):
                if kind == wire.UPDATE and (sent := self.sent.pop(payload, None)) is not None:
                    self.late.append(now - sent)
                elif kind == wire.AWARENESS and self.clock in self.shown:
                    self.presence.append(now - self.shown.pop(self.clock))

    async def _back(self) -> None:
        async for message in self.writer:
            for kind, _ in wire.decode_y_all(message.data):
                self.acknowledged += kind == wire.UPDATE


async def numbers(cluster: Cluster) -> dict[str, float]:
    """What the nodes counted so far, all together, and the CPU seconds of every part."""
    found: dict[str, float] = {}
    async with aiohttp.ClientSession() as http:
        for node in cluster.nodes:
            async with http.get(f"{node.url}/api/health") as answer:
                counted = json.loads(await answer.read())["diagnostics"]["realtime"]
            for name in ("commits", "rows", "bus_frames_out", "bus_bytes_out", "bus_round_trips",
                         "bus_gaps", "bus_reads", "updates_out"):  # fmt: skip
                found[name] = found.get(name, 0) + counted.get(name, 0)
    for process in cluster.processes:
        found[f"cpu {process.name}"] = spent(process.pid)
    assert cluster.database.pid is not None
    found["cpu PostgreSQL"] = spent(cluster.database.pid)
    found["cpu this program"] = time.process_time()
    return found


def spent(pid: int) -> float:
    """CPU seconds of a process and its children."""
    first = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in [first, *first.children(recursive=True)])


def percentiles(latencies: Sequence[float]) -> str:
    """p50, p99 and the worst, in milliseconds."""
    ordered = sorted(latencies)
    if not ordered:
        return "nothing came"
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99, 1)]
    return "p50 {:.2f}  p99 {:.2f}  max {:.1f} ms".format(*(1000 * one for one in at))


async def play(pairs: Sequence[Pair], rate: float, seconds: float) -> float:
    """Type at a rate, move the cursors once a second; the rate that was reached."""
    started = time.perf_counter()
    count, moved = 0, started
    while (now := time.perf_counter()) - started < seconds:
        due = int((now - started) * rate)
        while count < due:
            await pairs[count % len(pairs)].type()
            count += 1
        if now - moved > PRESENCE_S / len(pairs):
            moved += PRESENCE_S / len(pairs)
            await pairs[int((moved - started) * len(pairs) / PRESENCE_S) % len(pairs)].move()
        await asyncio.sleep(BEAT_S / 10)
    taken = time.perf_counter() - started
    for _ in range(int(SETTLE_S / BEAT_S)):
        if not any(pair.sent for pair in pairs):
            break
        await asyncio.sleep(BEAT_S)
    return count / taken


async def bench(chosen: argparse.Namespace, folder: Path) -> None:
    """One cluster, one phase to warm up, one that counts."""
    cluster = Cluster(
        folder, nodes=chosen.nodes, bus=chosen.bus, balanced=False, objects=False
    )  # fmt: skip
    async with cluster, aiohttp.ClientSession() as http:
        known = await asyncio.to_thread(login, cluster.url, SigningKey.generate())
        pairs = [Pair(f"bench-{number}") for number in range(chosen.documents)]
        for number, pair in enumerate(pairs):
            here = cluster.nodes[number % chosen.nodes].url
            there = cluster.nodes[(number + 1) % chosen.nodes].url
            await pair.connect(here, there, known.access_token, http)
        await play(pairs, chosen.rate, 2)
        for pair in pairs:
            pair.late.clear()
            pair.presence.clear()
        before = await numbers(cluster)
        started = time.perf_counter()
        rate = await play(pairs, chosen.rate, chosen.seconds)
        taken = time.perf_counter() - started
        after = await numbers(cluster)
        report(chosen, pairs, rate, {k: after[k] - before[k] for k in after}, taken)
        for pair in pairs:
            for task in pair.tasks:
                task.cancel()


def report(
    chosen: argparse.Namespace,
    pairs: Sequence[Pair],
    rate: float,
    done: dict[str, float],
    taken: float,
) -> None:
    """Print it."""
    late = [one for pair in pairs for one in pair.late]
    lost = sum(len(pair.sent) for pair in pairs)
    rows = max(1.0, done["rows"])
    print(f"{chosen.nodes} nodes, {chosen.bus}, {chosen.documents} documents: asked for "
          f"{chosen.rate:.0f} updates/s, sent {rate:.0f}/s")  # fmt: skip
    print(f"  updates to the reader: {percentiles(late)}; {len(late)} came, {lost} did not")
    print(f"  presence: {percentiles([one for pair in pairs for one in pair.presence])}")
    print("  cores: " + "  ".join(
        f"{name[4:]} {value / taken:.2f}" for name, value in done.items() if name[:4] == "cpu "
    ))  # fmt: skip
    print(f"  bus, per update: {done['bus_bytes_out'] / rows:.0f} bytes, "
          f"{done['bus_frames_out'] / rows:.2f} frames, {done['bus_round_trips'] / rows:.2f} "
          f"round trips; {done['bus_gaps']:.0f} gaps, {done['bus_reads']:.0f} reads")  # fmt: skip
    print(f"  database, per update: {done['commits'] / rows:.2f} round trips")


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="scripts/bench/nodes.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--bus", choices=["nats", "notify"], default="nats")
    parser.add_argument("--rate", type=float, default=1000.0, help="updates a second")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--nodes", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plait-nodes-") as folder:
        Path(folder).chmod(0o755)
        asyncio.run(bench(chosen, Path(folder)))


if __name__ == "__main__":
    main()
