"""The scenarios of scripts/load: each one fills rooms with clients, loads them and counts."""

import asyncio
import gc
import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter as now

from .client import Client
from .dialect import Target
from .ledger import Ledger, Room, Typist, bodies, update_bodies
from .measure import Crew, Figures, account, pace, percentiles, saturate
from .probe import Probe
from .typing_work import base_update, cursor_message, typing

Outcome = dict[str, Figures]
"""Figures by phase; `totals` holds what concerns the whole run."""
CONNECTS_AT_ONCE = 40
WATCHED_CLIENTS = 8


@dataclass(kw_only=True)
class Plan:
    """How large a run is. Every scenario reads the fields that mean something to it."""

    clients: int = 100
    """Clients in all (fan-out, awareness, idle, storm), or per document (rooms)."""
    documents: int = 200
    """Documents (rooms, idle, storm)."""
    crowds: int = 1
    """How often such a crowd comes and goes (documents)."""
    typists: int = 1
    """Clients that write (fan-out)."""
    window: int = 16
    """Updates on their way per typist while saturated."""
    rates: Sequence[float] = field(default_factory=tuple)
    """Updates/s of the paced phases; for awareness, states/s of each client."""
    saturated: bool = True
    """Whether the phase at full speed is run."""
    seconds: float = 4.0
    """Length of each measured phase."""
    warm_s: float = 1.0
    """Load before a phase is measured."""
    at_once: int = 64
    """Connections being made at the same time (storm)."""
    edits: int = 260_000
    """Edits of the large document (join)."""
    trace: str = ""
    """Editing trace to make the large document from; a synthetic session without (join)."""
    room: str = ""
    """A document that is already there (join)."""
    new_room: str = ""
    """The name of the document to make; one nobody else has without (join)."""


class Stage:
    """What a scenario builds on: a server, its probe, one ledger, names that are new."""

    def __init__(self, target: Target, probe: Probe) -> None:
        self.target, self.probe = target, probe
        self.ledger = Ledger()
        self.run = secrets.token_hex(4)

    def room(self, label: str) -> Room:
        """A new document."""
        return Room(f"{label}-{self.run}")

    async def join(self, room: Room, timeout_s: float = 60) -> Client:
        """One more client of a room."""
        client = Client(self.target, room, self.ledger)
        await client.join(timeout_s)
        return client

    async def fill(self, rooms: Sequence[Room]) -> list[Client]:
        """One client for each entry, some at once, in the order of the entries."""
        gate = asyncio.Semaphore(CONNECTS_AT_ONCE)

        async def one(room: Room) -> Client:
            async with gate:
                return await self.join(room)

        return list(await asyncio.gather(*(one(room) for room in rooms)))

    async def found(self, rooms: Sequence[Room], base: bytes) -> list[Client]:
        """The first client of each room, who writes the base text into it."""
        clients = [await self.join(rooms[0])]
        clients += await self.fill(rooms[1:])
        for client in clients:
            client.write(base)
        await asyncio.sleep(0.5)
        return clients

    async def leave(self, clients: Sequence[Client]) -> None:
        """Close and wait a little for the goodbye."""
        for client in clients:
            client.close()
        if clients:
            await asyncio.wait([client.gone for client in clients], timeout=5)
        for client in clients:
            client.abort()


def prepared(plan: Plan, updates_max: int, rate_max: int) -> int:
    """How many updates of a typist to make: no more than it can send in all phases."""
    seconds = (plan.warm_s + plan.seconds + 0.5) * (len(plan.rates) + plan.saturated)
    return max(800, min(updates_max, int(seconds * rate_max)))


def watch(clients: Sequence[Client], many: int = WATCHED_CLIENTS) -> None:
    """Measure latencies at some clients, evenly chosen."""
    for client in clients[:: max(1, len(clients) // many)]:
        client.watches, client.latencies = True, []


async def phases(crew: Crew, plan: Plan) -> Outcome:
    """The saturated phase, then one per rate, then the account."""
    await asyncio.sleep(0.5)
    gc.collect()
    gc.freeze()
    outcome: Outcome = {"before": memory(crew.probe)}
    if plan.saturated:
        outcome["saturated"] = await saturate(crew, plan.window, plan.warm_s, plan.seconds)
    for rate in plan.rates:
        outcome[f"{rate:g}/s"] = await pace(crew, rate, plan.warm_s, plan.seconds)
    outcome["totals"] = {**account(crew), **memory(crew.probe)}
    return outcome


def memory(probe: Probe) -> Figures:
    """The server's memory now."""
    used = probe.memory()
    return {"rss_mb": used.rss, "pss_mb": used.pss}


async def fan_out(stage: Stage, plan: Plan) -> Outcome:
    """One document, few typists, many readers."""
    updates = prepared(plan, min(400_000, 24_000_000 // plan.clients) // plan.typists, 80_000)
    base, work = typing(plan.typists, updates)
    room = stage.room("fan")
    first = await stage.found([room], base)
    clients = first + await stage.fill([room] * (plan.clients - 1))
    readers = clients[plan.typists :] or clients
    watch(readers)
    observer = readers[-1]
    observer.watches = True
    for slot, updates_of_slot in enumerate(work):
        author = clients[slot]
        author.slot, author.watches = slot, True
        typist = Typist(author, slot, update_bodies(stage.ledger, slot, updates_of_slot))
        typist.observer = observer
        room.typists.append(typist)
    outcome = await phases(Crew(stage.probe, clients, room.typists), plan)
    await stage.leave(clients)
    return outcome


async def rooms(stage: Stage, plan: Plan) -> Outcome:
    """Many documents with two typists each."""
    updates = prepared(plan, 1_600_000 // (2 * plan.documents), 15_000)
    base, work = typing(2, updates, base_characters=200)
    frames = [update_bodies(stage.ledger, slot, updates) for slot, updates in enumerate(work)]
    all_rooms = [stage.room(f"room-{number}") for number in range(plan.documents)]
    start = now()
    first = await stage.found(all_rooms, base)
    second = await stage.fill(all_rooms)
    connect_s = round(now() - start, 2)
    for room, pair in zip(all_rooms, zip(first, second, strict=True), strict=True):
        for slot, author in enumerate(pair):
            author.slot, author.watches = slot, True
            typist = Typist(author, slot, frames[slot])
            typist.observer = pair[1 - slot]
            room.typists.append(typist)
    watch(second, 50)
    typists = [typist for room in all_rooms for typist in room.typists]
    one_each = Plan(**{**vars(plan), "window": min(plan.window, 1)})
    outcome = await phases(Crew(stage.probe, first + second, typists), one_each)
    outcome["totals"]["connect_s"] = connect_s
    await stage.leave(first + second)
    return outcome


async def awareness(stage: Stage, plan: Plan) -> Outcome:
    """One document, everyone moves a cursor. A server may drop states that are outdated."""
    rate = plan.rates[0] if plan.rates else 5.0
    each = int((plan.seconds + plan.warm_s + 3) * rate) + 5
    room = stage.room("cursors")
    stage.ledger.counts_awareness = True
    clients = await stage.fill([room] * plan.clients)
    for slot, client in enumerate(clients):
        client.slot, client.watches = slot, True
        messages = [cursor_message(slot, clock + 1) for clock in range(each)]
        room.typists.append(Typist(client, slot, bodies(stage.ledger, slot, messages)))
    watch(clients)
    every = Plan(**{**vars(plan), "rates": (rate * plan.clients,), "saturated": False})
    outcome = await phases(Crew(stage.probe, clients, room.typists), every)
    outcome["totals"]["superseded"] = outcome["totals"].pop("lost_deliveries")
    await stage.leave(clients)
    return outcome


async def storm(stage: Stage, plan: Plan) -> Outcome:
    """Connections with their first sync, many at once, all stay."""
    base = base_update(1000, random.Random(1))  # noqa: S311 - repeatable prose
    all_rooms = [stage.room(f"storm-{number}") for number in range(plan.documents)]
    clients = await stage.found(all_rooms, base)
    took: list[float] = []
    failures: list[str] = []
    numbers = iter(range(plan.clients))

    async def arrive() -> None:
        for number in numbers:
            start = now()
            try:
                clients.append(await stage.join(all_rooms[number % plan.documents], 30))
                took.append(now() - start)
            except (OSError, TimeoutError) as error:
                failures.append(repr(error))

    cpu, start, own = stage.probe.cpu(), now(), time.process_time()
    await asyncio.gather(*(arrive() for _ in range(plan.at_once)))
    seconds, used = now() - start, stage.probe.cpu().since(cpu)
    joined = max(1, len(took))
    outcome: Outcome = {
        "storm": {
            "connects_per_s": round(len(took) / seconds, 1),
            "ms_per_connect": round(used.server * 1000 / joined, 3),
            "postgres_ms_per_connect": round(used.postgres * 1000 / joined, 3),
            "sum_ms_per_connect": round((used.server + used.postgres) * 1000 / joined, 3),
            "server_core_share": round(used.server / seconds, 3),
            "generator_core_share": round((time.process_time() - own) / seconds, 3),
            **percentiles(took),
        },
        "totals": {"failed": len(failures), **memory(stage.probe)},
    }
    await stage.leave(clients)
    return outcome
