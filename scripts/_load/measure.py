"""Phases of a run: typing as fast as the server lets, or at a rate, and what it cost."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter as now

from .client import Client
from .ledger import Typist
from .probe import Probe, busy_cores

Figures = dict[str, float]
"""Named results of one phase; units are in the names."""
SETTLE_S = 3.0
"""Nothing moved for this long: what is missing now is lost."""


def percentiles(latencies_s: Sequence[float]) -> Figures:
    """p50, p90, p99 and the worst, in milliseconds."""
    ordered = sorted(latencies_s)
    if not ordered:
        return {}

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)

    return {
        "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1.0),
    }  # fmt: skip


@dataclass
class Crew:
    """Everyone who takes part in a phase, and the server they are at."""

    probe: Probe
    clients: list[Client]
    typists: list[Typist]

    def sent(self) -> int:
        """Updates sent so far."""
        return sum(typist.next for typist in self.typists)

    def delivered(self) -> int:
        """Deliveries so far."""
        return sum(client.deliveries for client in self.clients)

    def owed(self) -> int:
        """Deliveries there must be once everything sent has arrived."""
        return sum(
            typist.next
            for client in self.clients
            for typist in client.room.typists
            if typist.client is not client
        )


class Phase:
    """Counters between two instants."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.sent, self.delivered = crew.sent(), crew.delivered()
        self.frames = sum(client.frames for client in crew.clients)
        self.seen = {id(c): len(c.latencies) for c in crew.clients if c.latencies is not None}
        self.cores = busy_cores()
        self.own = time.process_time()
        self.cpu = crew.probe.cpu()
        self.start = now()

    def stop(self) -> Figures:
        """What happened since."""
        crew = self.crew
        seconds = now() - self.start
        cpu = crew.probe.cpu().since(self.cpu)
        own = time.process_time() - self.own
        cores = busy_cores()
        deliveries = crew.delivered() - self.delivered
        updates = crew.sent() - self.sent
        frames = sum(client.frames for client in crew.clients) - self.frames
        latencies: list[float] = []
        for client in crew.clients:
            if client.latencies is not None:
                latencies.extend(client.latencies[self.seen.get(id(client), 0) :])
        out = {
            "seconds": round(seconds, 2),
            "updates_per_s": round(updates / seconds, 1),
            "deliveries_per_s": round(deliveries / seconds, 1),
            "deliveries_per_frame": round(deliveries / frames, 2) if frames else 0.0,
            **cost(cpu.server, "", updates, deliveries),
            **cost(cpu.postgres, "postgres_", updates, deliveries),
            **cost(cpu.server + cpu.postgres, "sum_", updates, deliveries),
            "server_core_share": round(cpu.server / seconds, 3),
            "postgres_core_share": round(cpu.postgres / seconds, 3),
            "generator_core_share": round(own / seconds, 3),
        }
        for core, busy in cores.items():
            out[f"{core}_busy"] = round((busy - self.cores.get(core, 0)) / seconds, 2)
        return {**out, **percentiles(latencies)}


def cost(cpu_s: float, whose: str, updates: int, deliveries: int) -> Figures:
    """CPU microseconds per unit of work."""
    return {
        f"{whose}us_per_update": round(cpu_s * 1e6 / updates, 2) if updates else 0.0,
        f"{whose}us_per_delivery": round(cpu_s * 1e6 / deliveries, 3) if deliveries else 0.0,
    }


async def saturate(crew: Crew, window: int, warm_s: float, seconds: float) -> Figures:
    """Every typist keeps `window` updates on their way to its observer."""
    for typist in crew.typists:
        typist.window, typist.acknowledged, typist.pumping = window, typist.next, True
        typist.pump()
    await asyncio.sleep(warm_s)
    phase = Phase(crew)
    end = now() + seconds
    while now() < end and crew.probe.alive():
        await asyncio.sleep(0.05)
        if all(typist.exhausted for typist in crew.typists):
            break
    figures = phase.stop()
    for typist in crew.typists:
        typist.pumping, typist.window = False, 0
    if all(typist.exhausted for typist in crew.typists):
        figures["ran_out_of_updates"] = 1
    figures["drain_s"] = await drain(crew)
    return figures


async def pace(crew: Crew, rate: float, warm_s: float, seconds: float) -> Figures:
    """Type `rate` updates/s in total, the typists taking turns in a fixed random order."""
    order = list(crew.typists)
    random.Random(3).shuffle(order)  # noqa: S311 - repeatable order
    phase: Phase | None = None
    start = now()
    sent = late = 0
    while (passed := now() - start) < warm_s + seconds:
        if phase is None and passed >= warm_s:
            phase = Phase(crew)
        due = int(passed * rate) - sent
        late += due > rate * 0.05 + 5
        for turn in range(sent, sent + due):
            order[turn % len(order)].type_one()
        sent += due
        await asyncio.sleep(max(0.001, start + (sent + 1) / rate - now()))
    assert phase is not None
    figures = phase.stop()
    figures["offered_per_s"], figures["late_ticks"] = round(rate, 1), late
    figures["drain_s"] = await drain(crew)
    return figures


async def drain(crew: Crew, limit_s: float = 20.0) -> float:
    """Wait until everything owed has arrived, or nothing moves any more; seconds waited."""
    start = moved = now()
    before = -1
    owed = crew.owed()
    while (delivered := crew.delivered()) < owed and now() - start < limit_s:
        if delivered != before:
            before, moved = delivered, now()
        elif now() - moved > SETTLE_S:
            break
        await asyncio.sleep(0.02)
    return round(now() - start, 2)


def account(crew: Crew) -> Figures:
    """Whether everything sent by others arrived exactly once at each client."""
    lost = doubled = 0
    for client in crew.clients:
        owed = sum(t.next for t in client.room.typists if t.client is not client)
        lost += max(0, owed - client.deliveries)
        doubled += max(0, client.deliveries - owed)
    return {
        "lost_deliveries": lost,
        "doubled_deliveries": doubled,
        "echoes": sum(client.echoes for client in crew.clients),
        "acknowledgements": sum(client.acknowledgements for client in crew.clients),
        "refusals": sum(client.refusals for client in crew.clients),
        "disconnected": sum(client.closed for client in crew.clients),
    }
