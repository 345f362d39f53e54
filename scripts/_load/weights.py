"""Scenarios about memory: connections that do nothing, and documents in use and asleep."""

import asyncio
import random
from collections.abc import Sequence
from time import perf_counter as now

from .measure import Figures
from .probe import Memory
from .scenarios import Outcome, Plan, Stage, memory
from .typing_work import base_update

SETTLE_S, WRITTEN_S = 2.0, 15.0
"""After the last connection, and after the last edit: what they needed for a moment is gone, and
what was written has been stored and read for search, where a server does that."""


async def idle(stage: Stage, plan: Plan) -> Outcome:
    """Connections that do nothing: what they weigh, and whether they are left alone."""
    base = base_update(1000, random.Random(1))  # noqa: S311 - repeatable prose
    all_rooms = [stage.room(f"idle-{number}") for number in range(plan.documents)]
    stage.probe.refresh()
    before = stage.probe.memory()
    start = now()
    clients = await stage.found(all_rooms, base)
    more = plan.clients - len(clients)
    clients += await stage.fill([all_rooms[k % plan.documents] for k in range(max(0, more))])
    connect_s = round(now() - start, 2)
    await asyncio.sleep(max(SETTLE_S, plan.warm_s))
    stage.probe.refresh()
    cpu, held = stage.probe.cpu(), stage.probe.memory()
    await asyncio.sleep(plan.seconds)
    used = stage.probe.cpu().since(cpu)
    outcome: Outcome = {
        "idle": {
            "connect_s": connect_s,
            "kb_per_client": round((held.own - before.own) * 1024 / len(clients), 2),
            "server_core_share": round(used.server / plan.seconds, 4),
            "postgres_core_share": round(used.postgres / plan.seconds, 4),
        },
        "totals": {"disconnected": sum(c.closed for c in clients), **memory(stage.probe)},
    }
    await stage.leave(clients)
    return outcome


async def documents(stage: Stage, plan: Plan) -> Outcome:
    """Small documents with a client in each, and the same ones when all have left.

    The weight of the connection is in the first figure. A server that puts documents to sleep does
    so after a while: `seconds` is how long that is waited for.

    What a first crowd leaves behind is mostly what any crowd of its size needs once. So where more
    `crowds` follow, each with documents of its own, a document that sleeps weighs what they add to
    it; what the first one left stands beside that.
    """
    base = base_update(1000, random.Random(1))  # noqa: S311 - repeatable prose
    # The first ones fill what a process reserves once, and are no part of the figures.
    early = await stage.found([stage.room(f"early-{number}") for number in range(100)], base)
    stage.probe.refresh()
    before = stage.probe.memory()
    live, rests = before, [before]
    for crowd in range(max(1, plan.crowds)):
        rooms = [stage.room(f"doc-{crowd}-{number}") for number in range(plan.documents)]
        clients = await stage.found(rooms, base)
        await asyncio.sleep(SETTLE_S if crowd else WRITTEN_S)
        live = live if crowd else stage.probe.memory()
        await stage.leave(clients)
        await asyncio.sleep(plan.seconds)
        rests.append(stage.probe.memory())
    outcome: Outcome = {
        "live": {"kb_per_document": _each([before, live], plan.documents)},
        "asleep": asleep(rests, plan.documents),
        "totals": memory(stage.probe),
    }
    await stage.leave(early)
    return outcome


def asleep(rests: Sequence[Memory], documents: int) -> Figures:
    """What a document weighs that nobody has open: memory before, and when each crowd was gone."""
    first = _each(rests[:2], documents)
    if len(rests) <= 2:
        return {"kb_per_document": first}
    return {
        "kb_per_document": _each(rests[1:], documents),
        "first_crowd_kb_per_document": first,
    }


def _each(looks: Sequence[Memory], documents: int) -> float:
    """Kilobytes for each document of the crowds between the first look and the last."""
    return round((looks[-1].own - looks[0].own) * 1024 / documents / (len(looks) - 1), 2)
