"""Scenarios about size: joining one large document, and a reader that stops reading."""

import asyncio
from collections.abc import Sequence
from time import perf_counter as now

from pycrdt import Doc, Map, Text, TransactionEvent

from .client import Client, Reader
from .ledger import Room
from .measure import Figures, percentiles
from .scenarios import Outcome, Plan, Stage, memory
from .trace import load_trace
from .typing_work import BASE_CLIENT, ROOT, Edit, writing_session

EDITS_PER_TRANSACTION = 1000
SETTLE_S = 0.15
"""The server may have work left after the last byte of a join."""
MESSAGE_BYTES = 8192
MESSAGES = 20_000
MESSAGES_AHEAD = 400
"""How far the writer may be ahead of the reader that reads."""


def large_document(edits: Sequence[Edit]) -> tuple[bytes, str]:
    """One author's edits as a document: its update and its text."""
    document: Doc = Doc(client_id=BASE_CLIENT)
    text = document.get(ROOT, type=Text)
    for start in range(0, len(edits), EDITS_PER_TRANSACTION):
        with document.transaction():
            for position, deleted, inserted in edits[start : start + EDITS_PER_TRANSACTION]:
                if deleted:
                    del text[position : position + deleted]
                if inserted:
                    text.insert(position, inserted)
    return document.get_update(), str(text)


def text_of(updates: Sequence[bytes]) -> str:
    """The shared text after some updates."""
    document: Doc = Doc()
    text = document.get(ROOT, type=Text)
    for update in updates:
        document.apply_update(update)
    return str(text)


async def one_join(stage: Stage, room: Room, needed_bytes: int) -> tuple[Figures, Reader]:
    """Join as someone new; what it took until the content was there."""
    cpu, start = stage.probe.cpu(), now()
    reader = Reader(stage.target, room, stage.ledger, needed_bytes)
    await reader.join(120)
    async with asyncio.timeout(30):
        full = await reader.full
    await asyncio.sleep(SETTLE_S)
    used = stage.probe.cpu().since(cpu)
    figures = {
        "ms": (full - start) * 1000,
        "step2_ms": (reader.synced_at - start) * 1000,
        "server_ms": used.server * 1000,
        "postgres_ms": used.postgres * 1000,
        "bytes": reader.sync_bytes,
    }
    return figures, reader


def summary(joins: Sequence[Figures]) -> Figures:
    """Means of CPU, percentiles of time."""
    server = sum(join["server_ms"] for join in joins) / len(joins)
    postgres = sum(join["postgres_ms"] for join in joins) / len(joins)
    return {
        "joins": len(joins),
        "ms_per_join": round(server, 2),
        "postgres_ms_per_join": round(postgres, 2),
        "sum_ms_per_join": round(server + postgres, 2),
        "step2_ms": round(joins[-1]["step2_ms"], 1),
        "bytes": joins[-1]["bytes"],
        **percentiles([join["ms"] / 1000 for join in joins]),
    }


async def join(stage: Stage, plan: Plan) -> Outcome:
    """Newcomers to one large document: the first one, then one after the other, then at once.

    With `room` the document must be there already, as after a restart of the server.
    """
    edits = load_trace(plan.trace).single_edits() if plan.trace else writing_session(plan.edits)
    update, text = large_document(edits)
    room = Room(plan.room or plan.new_room) if plan.room or plan.new_room else stage.room("large")
    stay: list[Client] = []
    if not plan.room:
        author = await stage.join(room)
        author.write(update)
        stay.append(author)
        await asyncio.sleep(2)
    stage.probe.refresh()
    first, reader = await one_join(stage, room, len(update) // 2)
    stay.append(reader)
    same = text_of(reader.updates) == text
    warm = []
    for _ in range(plan.clients):
        figures, newcomer = await one_join(stage, room, len(update) // 2)
        warm.append(figures)
        await stage.leave([newcomer])
    outcome: Outcome = {
        "first": summary([first]),
        "warm": summary(warm),
        "at once": await _at_once(stage, room, 2 * plan.clients, len(update) // 2),
        "totals": {"text_differs": int(not same), "characters": len(text),
                   "update_bytes": len(update), **memory(stage.probe)},
    }  # fmt: skip
    await stage.leave(stay)
    return outcome


async def _at_once(stage: Stage, room: Room, many: int, needed_bytes: int) -> Figures:
    cpu, start = stage.probe.cpu(), now()
    readers = [Reader(stage.target, room, stage.ledger, needed_bytes) for _ in range(many)]
    await asyncio.gather(*(reader.join(120) for reader in readers))
    async with asyncio.timeout(30):
        full = await asyncio.gather(*(reader.full for reader in readers))
    await asyncio.sleep(SETTLE_S)
    used = stage.probe.cpu().since(cpu)
    await stage.leave(readers)
    return {
        "joins": many,
        "ms_per_join": round(used.server * 1000 / many, 2),
        "postgres_ms_per_join": round(used.postgres * 1000 / many, 2),
        "sum_ms_per_join": round((used.server + used.postgres) * 1000 / many, 2),
        **percentiles([at - start for at in full]),
    }


class Overwriter:
    """One map key written over and over: much traffic, a small document."""

    def __init__(self, size: int) -> None:
        self.document: Doc = Doc(client_id=BASE_CLIENT)
        self.map = self.document.get("slow", type=Map)
        self.value = "x" * size
        self.update = b""
        self.document.observe(self._keep)

    def _keep(self, event: TransactionEvent) -> None:
        self.update = event.update

    def next(self) -> bytes:
        """The update of the next overwrite."""
        self.map["k"] = self.value
        return self.update


async def slow_reader(stage: Stage, plan: Plan) -> Outcome:
    """160 MB go to two readers, one of whom stops reading: what the server keeps for it."""
    room = stage.room("slow")
    writer, slow = await stage.join(room), await stage.join(room)
    reader = Reader(stage.target, room, stage.ledger, 1 << 60)
    await reader.join()
    await asyncio.sleep(0.3)
    assert slow.transport is not None
    slow.transport.pause_reading()
    stage.probe.refresh()
    before = peak = stage.probe.memory().rss
    work = Overwriter(MESSAGE_BYTES)
    start, sent, cpu = now(), 0, stage.probe.cpu()
    while sent < MESSAGES and now() - start < plan.seconds and stage.probe.alive():
        for _ in range(50):
            writer.write(work.next())
        sent += 50
        await asyncio.sleep(0.002)
        reader.updates.clear()
        while sent * MESSAGE_BYTES - reader.sync_bytes > MESSAGES_AHEAD * MESSAGE_BYTES:
            await asyncio.sleep(0.002)
            if now() - start > plan.seconds or reader.closed:
                break
        if sent % 500 == 0:
            peak = max(peak, stage.probe.memory().rss)
    seconds = now() - start
    await asyncio.sleep(1)
    used = stage.probe.cpu().since(cpu)
    peak = max(peak, stage.probe.memory().rss)
    frames = slow.frames
    slow.transport.resume_reading()
    await asyncio.sleep(2)
    outcome: Outcome = {
        "slow reader": {
            "sent_mb": round(sent * MESSAGE_BYTES / 1e6, 1),
            "reader_mb": round(reader.sync_bytes / 1e6, 1),
            "seconds": round(seconds, 1),
            "growth_mb": round(peak - before, 1),
            "server_core_share": round(used.server / (seconds + 1), 3),
            "postgres_core_share": round(used.postgres / (seconds + 1), 3),
            "frames_after_resume": slow.frames - frames,
        },
        "totals": {"slow_one_closed": int(slow.closed), "reader_closed": int(reader.closed),
                   "writer_closed": int(writer.closed), **memory(stage.probe)},
    }  # fmt: skip
    await stage.leave([writer, slow, reader])
    return outcome
