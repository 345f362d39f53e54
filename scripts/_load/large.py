"""Scenarios about size: joining one large document, and a reader that stops reading."""

import asyncio
from collections.abc import Sequence
from time import perf_counter as now
from typing import Any

from pycrdt import Doc, Map, Text, TransactionEvent

from .client import Client, Reader
from .codec import state_vector_clocks
from .ledger import Room
from .measure import Figures, percentiles
from .probe import Probe
from .scenarios import Outcome, Plan, Stage, memory
from .trace import load_trace
from .typing_work import BASE_CLIENT, ROOT, Edit, writing_session

EDITS_PER_TRANSACTION = 1000
SETTLE_S = 0.15
"""The server may have work left after the last byte of a join."""
QUIET_S, QUIET_S_MAX = 4, 30
"""What an upload leaves behind (compaction, an index of words) is no part of the joins after it."""
MESSAGE_BYTES = 8192
MESSAGES = 20_000
MESSAGES_AT_ONCE = 50
LOOK_EVERY = 500
MESSAGES_AHEAD = 400
"""How far the writer may be ahead of the reader that reads."""


def large_document(edits: Sequence[Edit]) -> tuple[bytes, str]:
    """One author's edits as a document: its update and its text."""
    document: Doc[Any] = Doc(client_id=BASE_CLIENT)
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
    document: Doc[Any] = Doc()
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


async def rested(probe: Probe) -> None:
    """Wait until a server does nothing for some seconds; two seconds where it cannot be seen."""
    await asyncio.sleep(2)
    quiet = QUIET_S if not probe.pid else 0
    for _ in range(QUIET_S_MAX):
        if quiet == QUIET_S:
            return
        before = probe.cpu()
        await asyncio.sleep(1)
        used = probe.cpu().since(before)
        quiet = quiet + 1 if used.server + used.postgres < 0.02 else 0


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
        await rested(stage.probe)
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
    """One map key written over and over: much traffic, a small document, one clock a message."""

    def __init__(self, writer: Client, size: int) -> None:
        self.writer = writer
        self.document: Doc[Any] = Doc(client_id=BASE_CLIENT)
        self.map = self.document.get("slow", type=Map)
        self.value = "x" * size
        self.sent = 0
        self.document.observe(self._send)

    def _send(self, event: TransactionEvent) -> None:
        self.writer.write(event.update)
        self.sent += 1

    def send(self, messages: int) -> None:
        """Overwrite so many times."""
        for _ in range(messages):
            self.map["k"] = self.value


class Follower:
    """The reader that reads. A server may leave out what was overwritten: clocks count."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.document: Doc[Any] = Doc()
        self.document.get("slow", type=Map)

    def seen(self) -> int:
        """How many messages it knows of."""
        updates, self.reader.updates = self.reader.updates, []
        with self.document.transaction():
            for update in updates:
                self.document.apply_update(update)
        return state_vector_clocks(self.document.get_state()).get(BASE_CLIENT, 0)

    async def follow(self, until: int, end: float) -> None:
        """Wait until it knows of that many, or the time is over."""
        while self.seen() < until and now() < end and not self.reader.closed:  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def slow_reader(stage: Stage, plan: Plan) -> Outcome:
    """160 MB go to two readers, one of whom stops reading: what the server keeps for it.

    The same traffic goes through once before while both read. Growth is counted above the peak of
    that, so that it is the price of the slow reader and not of the traffic.
    """
    room = stage.room("slow")
    writer, slow = await stage.join(room), await stage.join(room)
    reader = Reader(stage.target, room, stage.ledger, 1 << 60)
    await reader.join()
    assert slow.transport is not None
    work, follower = Overwriter(writer, MESSAGE_BYTES), Follower(reader)
    first = stage.probe.memory().rss
    both = await _traffic(stage, plan, work, follower)
    slow.transport.pause_reading()
    one = await _traffic(stage, plan, work, follower)
    frames = slow.frames
    slow.transport.resume_reading()
    await asyncio.sleep(2)
    one["growth_mb"] = round(one.pop("peak_mb") - both["peak_mb"], 1)
    one["frames_after_resume"] = slow.frames - frames
    both["growth_mb"] = round(both.pop("peak_mb") - first, 1)
    outcome: Outcome = {
        "both read": both,
        "slow reader": one,
        "totals": {"slow_one_closed": int(slow.closed), "reader_closed": int(reader.closed),
                   "writer_closed": int(writer.closed), "traffic_growth_mb": both["growth_mb"],
                   **memory(stage.probe)},
    }  # fmt: skip
    await stage.leave([writer, slow, reader])
    return outcome


async def _traffic(stage: Stage, plan: Plan, work: Overwriter, follower: Follower) -> Figures:
    """Send all messages as fast as the other reader follows; the peak of the server's memory."""
    stage.probe.refresh()
    start, cpu, waits, already = now(), stage.probe.cpu(), [], work.sent
    end, peak = start + plan.seconds, stage.probe.memory().rss
    while work.sent - already < MESSAGES and now() < end and not follower.reader.closed:
        began = now()
        work.send(MESSAGES_AT_ONCE)
        await asyncio.sleep(0)
        await follower.follow(work.sent - MESSAGES_AHEAD, end)
        waits.append(now() - began)
        if work.sent % LOOK_EVERY == 0:
            stage.probe.refresh()
            peak = max(peak, stage.probe.memory().rss)
    await follower.follow(work.sent, end)
    seconds, used = now() - start, stage.probe.cpu().since(cpu)
    await asyncio.sleep(1)
    return {
        "sent_mb": round((work.sent - already) * MESSAGE_BYTES / 1e6, 1),
        "other_reader_misses": work.sent - follower.seen(),
        "seconds": round(seconds, 1),
        "peak_mb": max(peak, stage.probe.memory().rss),
        "server_core_share": round(used.server / seconds, 3),
        "postgres_core_share": round(used.postgres / seconds, 3),
        **percentiles(waits),
    }
