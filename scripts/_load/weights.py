"""Scenarios about memory: connections that do nothing, and documents in use and asleep."""

import asyncio
import random
from time import perf_counter as now

from .scenarios import Outcome, Plan, Stage, memory
from .typing_work import base_update

SETTLE_S = 2.0


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
            "kb_per_client": round((held.pss - before.pss) * 1024 / len(clients), 2),
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
    """
    base = base_update(1000, random.Random(1))  # noqa: S311 - repeatable prose
    # The first ones fill what a process reserves once, and are no part of the figures.
    early = await stage.found([stage.room(f"early-{number}") for number in range(100)], base)
    stage.probe.refresh()
    before = stage.probe.memory()
    clients = await stage.found([stage.room(f"doc-{n}") for n in range(plan.documents)], base)
    await asyncio.sleep(SETTLE_S)
    live = stage.probe.memory()
    await stage.leave(clients)
    await asyncio.sleep(plan.seconds)
    asleep = stage.probe.memory()

    def each(grown: float) -> dict[str, float]:
        return {"kb_per_document": round(grown * 1024 / plan.documents, 2)}

    outcome: Outcome = {
        "live": each(live.pss - before.pss),
        "asleep": each(asleep.pss - before.pss),
        "totals": memory(stage.probe),
    }
    await stage.leave(early)
    return outcome
